//! Polls that wait: requests over HTTP/1.1 whose answers do not come, each on a connection of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::Idlers;
use crate::hub::Hub;

/// Polls of one token and cursor at once: what the hub allows.
const POLLS_PER_TOKEN: usize = 4;
/// Longest wait that the hub allows, in seconds.
const WAIT: u64 = 50;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Polls that wait, of one user after the other.
pub(super) struct Polls<'a> {
    hub: &'a Hub,
    channel: &'static str,
    waiting: Vec<TcpStream>,
}

impl<'a> Polls<'a> {
    pub(super) fn new(hub: &'a Hub, channel: &'static str) -> Self {
        Self { hub, channel, waiting: Vec::new() }
    }

    /// Makes sure that none of them was answered.
    fn all_wait(&self) -> Result<()> {
        for mut poll in &self.waiting {
            poll.set_nonblocking(true)?;
            match poll.read(&mut [0; 1]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(_) => bail!("a poll was answered before its time"),
                Err(error) => return Err(error).context("a poll broke off"),
            }
        }
        Ok(())
    }
}

impl Idlers for Polls<'_> {
    fn enter(&mut self, count: usize) -> Result<()> {
        let hub = self.hub.public();
        let path = format!("/v1/poll?channel={}", self.channel);
        let cursor = cursor(hub, &path, &self.hub.token)?;
        let path = format!("{path}&wait={WAIT}&cursor={cursor}");
        let mut token = String::new();
        for number in 0..count {
            if number % POLLS_PER_TOKEN == 0 {
                token = self.hub.token_of(number / POLLS_PER_TOKEN)?;
            }
            self.waiting.push(ask(hub, &path, &token)?);
        }
        Ok(())
    }

    fn hold(&mut self, time: Duration) -> Result<()> {
        std::thread::sleep(time);
        self.all_wait()
    }
}

fn ask(hub: SocketAddr, path: &str, token: &str) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(hub)?;
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {hub}\r\nauthorization: Bearer {token}\r\n\r\n")?;
    Ok(socket)
}

/// The cursor of the channel as it is now, from the head of the answer.
fn cursor(hub: SocketAddr, path: &str, token: &str) -> Result<String> {
    let mut socket = ask(hub, path, token)?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let read = socket.read(&mut bytes)?;
        ensure!(read > 0, "the first poll was not answered");
        head.extend_from_slice(&bytes[..read]);
    }
    let head = String::from_utf8_lossy(&head);
    let value = head.lines().find_map(|line| line.strip_prefix("fanline-cursor: "));
    value.map(str::to_owned).with_context(|| format!("the first poll is answered {head}"))
}
