//! Members: WebSocket clients that count the events they receive, thousands on one thread. One buffer serves all of them and
//! only frame headers are looked at, so that a member costs little more than its `read`. How a member gets into its channel
//! is in [`crate::entrance`].

use std::io::{ErrorKind, Read, Write};
use std::os::linux::net::TcpStreamExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::entrance::Entered;
use crate::frames::{self, Frame};
use crate::ledger::Receipt;

/// Holds what a member may have received since its last turn; more is left for the next `read`.
const BUFFER_BYTES: usize = 256 * 1024;
const READY_MAX: usize = 1024;

pub(crate) struct Members {
    poll: Poll,
    ready: Events,
    buffer: Vec<u8>,
    members: Vec<Member>,
    event_frames: u64,
    event_frame_bytes: u64,
}

struct Member {
    socket: TcpStream,
    channel: usize,
    received: u64,
    /// The beginning of a frame whose end has not arrived.
    unfinished: Vec<u8>,
}

/// What one turn of one member brought.
#[derive(Default)]
struct Turn {
    events: u64,
    event_bytes: u64,
}

impl Members {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new().context("opening epoll")?,
            ready: Events::with_capacity(READY_MAX),
            buffer: vec![0; BUFFER_BYTES],
            members: Vec::new(),
            event_frames: 0,
            event_frame_bytes: 0,
        })
    }

    /// Counts from now on what `entered` receives in `channel`.
    ///
    /// What it reads is acknowledged at once, on the generator's core. Left to itself, Linux takes a client that lately
    /// answered what it received for an interactive one, and lets the arrival of every second segment acknowledge both, on
    /// the core that sends them. That is so for a quarter of the members that come from a handshake and for none that enter
    /// a bare broadcaster, and would count as work of the hub.
    pub(crate) fn add(&mut self, entered: Entered, channel: usize) -> Result<()> {
        entered.socket.set_nonblocking(true)?;
        entered.socket.set_quickack(true)?;
        let mut socket = TcpStream::from_std(entered.socket);
        let token = Token(self.members.len());
        self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
        self.members.push(Member {
            socket,
            channel,
            received: 0,
            unfinished: entered.already_read,
        });
        Ok(())
    }

    /// Waits up to `timeout` for something to arrive, then reads what every ready member has and hands over the events.
    pub(crate) fn turn(
        &mut self,
        timeout: Duration,
        mut on_receipt: impl FnMut(Receipt) -> Result<()>,
    ) -> Result<()> {
        match self.poll.poll(&mut self.ready, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            outcome => outcome.context("waiting for members")?,
        }
        for ready in &self.ready {
            let member = &mut self.members[ready.token().0];
            let turn = member.turn(&mut self.buffer)?;
            if turn.events == 0 {
                continue;
            }
            on_receipt(Receipt {
                channel: member.channel,
                before: member.received,
                events: turn.events,
                at: Instant::now(),
            })?;
            member.received += turn.events;
            self.event_frames += turn.events;
            self.event_frame_bytes += turn.event_bytes;
        }
        Ok(())
    }

    /// The mean size of the event frames received so far, header included.
    pub(crate) fn mean_event_frame_bytes(&self) -> Option<usize> {
        let mean = self.event_frame_bytes.checked_div(self.event_frames)?;
        usize::try_from(mean).ok()
    }
}

impl Member {
    fn turn(&mut self, buffer: &mut [u8]) -> Result<Turn> {
        let mut turn = Turn::default();
        loop {
            let kept = self.unfinished.len();
            buffer[..kept].copy_from_slice(&self.unfinished);
            let read = match self.socket.read(&mut buffer[kept..]) {
                Ok(0) => bail!("the server closed a member's connection without a close frame"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(turn),
                Err(error) => return Err(error).context("reading from a member's socket"),
            };
            let filled = kept + read;
            let consumed = self.take_frames(&buffer[..filled], &mut turn)?;
            self.unfinished.clear();
            self.unfinished.extend_from_slice(&buffer[consumed..filled]);
            // A read that left room has emptied the socket; whatever arrives later makes it ready again.
            if filled < buffer.len() {
                return Ok(turn);
            }
        }
    }

    fn take_frames(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<usize> {
        let mut consumed = 0;
        while let Some(frame) = Frame::first_of(&bytes[consumed..])? {
            consumed += frame.bytes;
            if frame.is_event() {
                turn.events += 1;
                turn.event_bytes += frame.bytes as u64;
            } else {
                self.answer(&frame)?;
            }
        }
        Ok(consumed)
    }

    /// Anything but events and pings means that the server does not do the work that is measured.
    fn answer(&mut self, frame: &Frame<'_>) -> Result<()> {
        match frame.opcode {
            frames::PING => self
                .socket
                .write_all(&frames::masked(frames::PONG, frame.payload))
                .context("answering a ping"),
            frames::CLOSE => {
                bail!("the server closed a member: {}", String::from_utf8_lossy(frame.payload))
            }
            _ => bail!("a member received {}", String::from_utf8_lossy(frame.payload)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream as Peer};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    #[test]
    fn events_are_counted_however_their_bytes_are_cut() {
        let (mut members, mut server) = one_member();
        let three = frames::ready_made_event(330).repeat(3);
        let mut counted = 0;
        for (piece, complete) in [(&three[..1], 0), (&three[1..400], 1), (&three[400..], 2)] {
            server.write_all(piece).unwrap();
            // The piece is small enough to arrive whole, and loopback has delivered it when `write` returns.
            members
                .turn(DEADLINE, |receipt| {
                    assert_eq!((receipt.before, receipt.events), (counted, complete));
                    counted += receipt.events;
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(counted, 3);
        assert_eq!(members.mean_event_frame_bytes(), Some(330));
    }

    #[test]
    fn a_ping_is_answered_with_its_own_payload() {
        let (mut members, mut server) = one_member();
        server.write_all(&[0x80 | frames::PING, 2, b'h', b'i']).unwrap();
        members.turn(DEADLINE, |_| Ok(())).unwrap();
        let mut pong = [0; 8];
        server.set_read_timeout(Some(DEADLINE)).unwrap();
        server.read_exact(&mut pong).unwrap();
        assert_eq!(pong.to_vec(), frames::masked(frames::PONG, b"hi"));
    }

    #[test]
    fn an_error_frame_ends_the_run_with_its_text() {
        let (mut members, mut server) = one_member();
        server.write_all(b"\x81\x0e{\"op\":\"error\"}").unwrap();
        let error = members.turn(DEADLINE, |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains(r#"{"op":"error"}"#), "{error}");
    }

    fn one_member() -> (Members, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Peer::connect(listener.local_addr().unwrap()).unwrap();
        let mut members = Members::new().unwrap();
        let entered = Entered { socket, already_read: Vec::new() };
        members.add(entered, 0).unwrap();
        (members, listener.accept().unwrap().0)
    }
}
