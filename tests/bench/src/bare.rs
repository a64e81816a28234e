//! The bare broadcasters that the hub is measured against: what is left when a fan-out server does nothing but write.
//! Ready-made frames go to connected sockets with blocking writes on one thread; no handshake, no parsing, no log, no limits.
//!
//! The first connection is the control connection, on which every four bytes (a channel's number) are one event. Each later
//! one is a member: it sends the number of its channel and gets one byte back. Events are taken once all members are in.
//!
//! [`BareMode::Batch`] writes what is pending for a member at once, [`BareMode::Write`] writes once per delivery.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::cores::Cores;
use crate::frames;

const TRIGGER_BYTES: usize = size_of::<u32>();
const CONTROL_BUFFER_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BareMode {
    Batch,
    Write,
}

impl BareMode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Batch => "limit-batch",
            Self::Write => "limit-write",
        }
    }
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct BareOptions {
    #[arg(long, value_enum)]
    pub(crate) mode: BareMode,
    #[arg(long)]
    pub(crate) channels: usize,
    /// All members together.
    #[arg(long)]
    pub(crate) members: usize,
    #[arg(long)]
    pub(crate) frame_bytes: usize,
}

/// A bare broadcaster in a process of its own, killed when dropped.
pub(crate) struct BareProcess {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl BareProcess {
    pub(crate) fn start(cores: Cores, options: BareOptions) -> Result<Self> {
        let mode = options.mode.to_possible_value().context("every mode is selectable")?;
        let mut child = cores
            .on_server_core(std::env::current_exe()?)
            .args(["bare", "--mode", mode.get_name()])
            .args(["--channels", &options.channels.to_string()])
            .args(["--members", &options.members.to_string()])
            .args(["--frame-bytes", &options.frame_bytes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a bare broadcaster")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address =
            line.trim().parse().with_context(|| format!("the bare broadcaster said {line:?}"))?;
        Ok(Self { child, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for BareProcess {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself: prints its address and serves until the control connection ends.
pub(crate) fn run(options: BareOptions) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    serve(&listener, options)
}

fn serve(listener: &TcpListener, options: BareOptions) -> Result<()> {
    let (control, _) = listener.accept()?;
    let broadcaster = Broadcaster {
        channels: accept_members(listener, options)?,
        frame: frames::ready_made_event(options.frame_bytes),
        frames: Vec::new(),
        pending: vec![0; options.channels],
    };
    match broadcast(broadcaster, options.mode, control) {
        Err(error) if has_left(&error) => Ok(()),
        outcome => outcome.context("writing to members"),
    }
}

/// The load generator leaves when it has measured, in the middle of events.
fn has_left(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

fn broadcast(
    mut broadcaster: Broadcaster<TcpStream>,
    mode: BareMode,
    mut control: TcpStream,
) -> io::Result<()> {
    let mut triggers = vec![0; CONTROL_BUFFER_BYTES];
    let mut filled = 0;
    loop {
        let read = control.read(&mut triggers[filled..])?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let whole = filled - filled % TRIGGER_BYTES;
        let (triggered, _) = triggers[..whole].as_chunks();
        let events = triggered.iter().map(channel_number);
        match mode {
            BareMode::Batch => broadcaster.write_batches(events)?,
            BareMode::Write => broadcaster.write_each(events)?,
        }
        triggers.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

fn accept_members(listener: &TcpListener, options: BareOptions) -> Result<Vec<Vec<TcpStream>>> {
    let mut channels: Vec<Vec<TcpStream>> =
        std::iter::repeat_with(Vec::new).take(options.channels).collect();
    for _ in 0..options.members {
        let (mut member, _) = listener.accept()?;
        member.set_nodelay(true)?;
        let mut channel = [0; TRIGGER_BYTES];
        member.read_exact(&mut channel)?;
        member.write_all(&[1])?;
        channels[channel_number(&channel)].push(member);
    }
    Ok(channels)
}

fn channel_number(bytes: &[u8; TRIGGER_BYTES]) -> usize {
    u32::from_le_bytes(*bytes) as usize
}

struct Broadcaster<M> {
    channels: Vec<Vec<M>>,
    frame: Vec<u8>,
    /// The frame as often as the largest batch so far needed it.
    frames: Vec<u8>,
    /// Events of each channel in the batch being gathered.
    pending: Vec<usize>,
}

impl<M: Write> Broadcaster<M> {
    fn write_each(&mut self, events: impl Iterator<Item = usize>) -> io::Result<()> {
        for channel in events {
            for member in &mut self.channels[channel] {
                member.write_all(&self.frame)?;
            }
        }
        Ok(())
    }

    fn write_batches(&mut self, events: impl Iterator<Item = usize>) -> io::Result<()> {
        let mut with_news = Vec::new();
        for channel in events {
            if self.pending[channel] == 0 {
                with_news.push(channel);
            }
            self.pending[channel] += 1;
        }
        for channel in with_news {
            let bytes = std::mem::take(&mut self.pending[channel]) * self.frame.len();
            while self.frames.len() < bytes {
                self.frames.extend_from_slice(&self.frame);
            }
            for member in &mut self.channels[channel] {
                member.write_all(&self.frames[..bytes])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::thread::JoinHandle;
    use std::time::Duration;

    use super::*;
    use crate::entrance::enter_bare;

    const FRAME_BYTES: usize = 200;

    #[test]
    fn both_modes_write_each_event_to_the_members_of_its_channel() {
        for mode in [BareMode::Batch, BareMode::Write] {
            let (address, server) = serve_on_a_thread(mode, 2, 3, FRAME_BYTES);
            let mut control = TcpStream::connect(address).unwrap();
            let members = [0, 1, 1].map(|channel| enter_bare(address, channel).unwrap().socket);
            // The second trigger is cut in two, as a stream may cut it.
            for piece in [&[1, 0, 0, 0, 0][..], &[0, 0, 0, 1, 0, 0, 0][..]] {
                control.write_all(piece).unwrap();
            }
            for (mut member, events) in members.into_iter().zip([1, 2, 2]) {
                member.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                let mut received = vec![0; events * FRAME_BYTES];
                member.read_exact(&mut received).unwrap();
                assert_eq!(
                    received,
                    frames::ready_made_event(FRAME_BYTES).repeat(events),
                    "{mode:?}"
                );
            }
            drop(control);
            server.join().unwrap().unwrap();
        }
    }

    #[test]
    fn what_is_pending_is_one_write() {
        let (reader, writer) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let mut broadcaster = Broadcaster {
            channels: vec![vec![Datagrams(writer)]],
            frame: frames::ready_made_event(FRAME_BYTES),
            frames: Vec::new(),
            pending: vec![0],
        };
        let sizes = |expected: usize| {
            let mut buffer = [0; 4 * FRAME_BYTES];
            assert_eq!(reader.recv(&mut buffer).unwrap(), expected * FRAME_BYTES);
        };
        broadcaster.write_batches([0, 0, 0].into_iter()).unwrap();
        sizes(3);
        broadcaster.write_each([0, 0].into_iter()).unwrap();
        sizes(1);
        sizes(1);
    }

    pub(crate) fn serve_on_a_thread(
        mode: BareMode,
        channels: usize,
        members: usize,
        frame_bytes: usize,
    ) -> (SocketAddr, JoinHandle<Result<()>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let options = BareOptions { mode, channels, members, frame_bytes };
        (address, std::thread::spawn(move || serve(&listener, options)))
    }

    /// A member that keeps the borders between writes.
    struct Datagrams(std::os::unix::net::UnixDatagram);

    impl Write for Datagrams {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
