//! How a client becomes a member of a channel: at the hub with the WebSocket handshake and a `join`, at a bare broadcaster
//! with the channel's number. Both wait for the answer, so that a member that has entered receives whatever is published next.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::frames::{self, Frame};

const DEADLINE: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 4096;
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A connection whose member is in its channel.
pub(crate) struct Entered {
    pub(crate) socket: TcpStream,
    /// What arrived behind the answer to the `join`.
    pub(crate) already_read: Vec<u8>,
}

/// Joins `channel` at the hub's public listener.
pub(crate) fn enter_hub(public: SocketAddr, token: &str, channel: &str) -> Result<Entered> {
    let mut opening = Opening::connect(public)?;
    opening.upgrade(public, token).context("WebSocket handshake")?;
    opening.join(channel).with_context(|| format!("joining {channel}"))?;
    Ok(Entered { socket: opening.socket, already_read: opening.unread })
}

/// Enters a bare broadcaster: the channel's number, answered with one byte.
pub(crate) fn enter_bare(broadcaster: SocketAddr, channel: u32) -> Result<Entered> {
    let mut socket = connect(broadcaster)?;
    socket.write_all(&channel.to_le_bytes())?;
    socket.read_exact(&mut [0]).context("waiting for the broadcaster to let a member in")?;
    Ok(Entered { socket, already_read: Vec::new() })
}

fn connect(server: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(server).with_context(|| format!("connecting to {server}"))?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

struct Opening {
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Opening {
    fn connect(server: SocketAddr) -> Result<Self> {
        Ok(Self { socket: connect(server)?, unread: Vec::new() })
    }

    fn upgrade(&mut self, host: SocketAddr, token: &str) -> Result<()> {
        // The key is the sample of RFC 6455, section 1.3. Its answer is not checked: that is the conformance tests' work.
        let request = format!(
            "GET /v1/ws HTTP/1.1\r\n\
             host: {host}\r\n\
             connection: upgrade\r\n\
             upgrade: websocket\r\n\
             sec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: fanline.v1\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
        self.socket.write_all(request.as_bytes())?;
        let head_bytes = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(self.unread.len() < HEAD_BYTES_MAX, "the answer's head does not end");
            self.read_more()?;
        };
        let head: Vec<u8> = self.unread.drain(..head_bytes).collect();
        if !head.starts_with(b"HTTP/1.1 101 ") {
            let body = String::from_utf8_lossy(&self.unread);
            bail!("the server answered {}{body}", String::from_utf8_lossy(&head));
        }
        Ok(())
    }

    fn join(&mut self, channel: &str) -> Result<()> {
        let join = format!(r#"{{"op":"join","id":1,"channel":"{channel}"}}"#);
        self.socket.write_all(&frames::masked(frames::TEXT, join.as_bytes()))?;
        loop {
            let Some(frame) = Frame::first_of(&self.unread)? else {
                self.read_more()?;
                continue;
            };
            let bytes = frame.bytes;
            let message: serde_json::Value = serde_json::from_slice(frame.payload)
                .context("reading the server's message as JSON")?;
            match message["op"].as_str() {
                Some("welcome") => {}
                Some("ok") => {
                    self.unread.drain(..bytes);
                    return Ok(());
                }
                _ => bail!("the server answered {message}"),
            }
            self.unread.drain(..bytes);
        }
    }

    fn read_more(&mut self) -> Result<()> {
        let filled = self.unread.len();
        self.unread.resize(filled + READ_BYTES, 0);
        let read = self.socket.read(&mut self.unread[filled..])?;
        self.unread.truncate(filled + read);
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";

    #[test]
    fn a_member_shows_its_token_and_joins_its_channel() {
        let welcome = text(r#"{"op":"welcome","connection":"c1"}"#);
        let ok = text(r#"{"op":"ok","id":1,"channel":"bench:7"}"#);
        let early = frames::ready_made_event(200);
        // All in one piece: the head's end, two messages, and half an event behind them.
        let answer = [SWITCHED, &welcome, &ok, &early[..100]].concat();
        let (hub, said) = fake_hub(answer);

        let entered = enter_hub(hub, "a.b.c", "bench:7").unwrap();
        assert_eq!(entered.already_read, early[..100]);

        let said = said.join().unwrap();
        assert!(said.contains("authorization: Bearer a.b.c\r\n"), "{said}");
        assert!(said.contains("sec-websocket-protocol: fanline.v1\r\n"), "{said}");
        assert!(said.ends_with(r#"{"op":"join","id":1,"channel":"bench:7"}"#), "{said}");
    }

    #[test]
    fn a_refused_upgrade_is_told_with_its_body() {
        let (hub, _) =
            fake_hub(b"HTTP/1.1 401 Unauthorized\r\n\r\n{\"reason\":\"UNAUTHENTICATED\"}".to_vec());
        let error = format!("{:#}", enter_hub(hub, "a.b.c", "bench:7").err().unwrap());
        assert!(error.contains("401") && error.contains("UNAUTHENTICATED"), "{error}");
    }

    #[test]
    fn a_refused_join_is_told_with_its_reason() {
        let refusal = text(r#"{"op":"error","id":1,"reason":"PERMISSION_DENIED"}"#);
        let (hub, _) = fake_hub([SWITCHED, &refusal].concat());
        let error = format!("{:#}", enter_hub(hub, "a.b.c", "bench:7").err().unwrap());
        assert!(error.contains("PERMISSION_DENIED"), "{error}");
    }

    /// Answers one connection, whatever it says, and returns what it said up to the end of its `join`.
    fn fake_hub(answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let hub = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            socket.set_read_timeout(Some(DEADLINE)).unwrap();
            let mut said = Vec::new();
            read_until(&mut socket, &mut said, b"\r\n\r\n");
            socket.write_all(&answer).unwrap();
            read_until(&mut socket, &mut said, b"}");
            String::from_utf8_lossy(&said).into_owned()
        });
        (address, hub)
    }

    /// Or until the client has gone.
    fn read_until(socket: &mut TcpStream, said: &mut Vec<u8>, end: &[u8]) {
        let mut byte = [0];
        while !said.ends_with(end) && socket.read(&mut byte).is_ok_and(|read| read == 1) {
            said.push(byte[0]);
        }
    }

    fn text(json: &str) -> Vec<u8> {
        let mut frame = vec![0x80 | frames::TEXT, u8::try_from(json.len()).unwrap()];
        frame.extend(json.as_bytes());
        frame
    }
}
