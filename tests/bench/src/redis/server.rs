//! The Redis under test, and a look at what the hub sends it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::cores::Cores;

const START_DEADLINE: Duration = Duration::from_secs(10);
const RETRY_INTERVAL: Duration = Duration::from_millis(20);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A `redis-server` on the server's core that keeps nothing on disk, killed when dropped.
pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl RedisServer {
    pub(crate) fn start(cores: Cores) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let child = cores
            .on_server_core("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("starting redis-server")?;
        let mut server = Self { child, port, _folder: folder };
        server.wait_until_up()?;
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The arguments of the next command that publishes, while `publish` has the hub send one.
    pub(crate) fn next_publish(
        &self,
        publish: impl FnOnce() -> Result<()>,
    ) -> Result<Vec<Vec<u8>>> {
        let mut monitor = self.connect()?;
        monitor.write_all(b"MONITOR\r\n")?;
        let mut lines = BufReader::new(monitor).split(b'\n');
        let started = lines.next().context("the server closed the connection")??;
        ensure!(started.starts_with(b"+OK"), "the server does not let us monitor it");
        publish()?;
        for line in lines {
            let arguments = arguments(&line?);
            let publishes = |argument: &Vec<u8>| argument == b"PUBLISH";
            if arguments.first().is_some_and(|name| name == b"EVALSHA")
                && arguments.len() > 12
                && arguments.iter().any(publishes)
            {
                return Ok(arguments);
            }
        }
        bail!("the server closed the connection")
    }

    fn wait_until_up(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        while self.connect().is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("redis-server ended with {status} instead of serving");
            }
            ensure!(Instant::now() < deadline, "redis-server is not up after {START_DEADLINE:?}");
            std::thread::sleep(RETRY_INTERVAL);
        }
        Ok(())
    }

    fn connect(&self) -> Result<TcpStream> {
        let socket = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
        socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(socket)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a line of `MONITOR`: `+<time> [<database> <client>] "<argument>" "<argument>"…`, with C's escapes in them.
fn arguments(line: &[u8]) -> Vec<Vec<u8>> {
    let mut arguments = Vec::new();
    let mut bytes = line.iter().copied().skip_while(|&byte| byte != b']');
    while bytes.by_ref().any(|byte| byte == b'"') {
        let mut argument = Vec::new();
        while let Some(byte) = bytes.next().filter(|&byte| byte != b'"') {
            argument.push(match byte {
                b'\\' => escaped(&mut bytes),
                plain => plain,
            });
        }
        arguments.push(argument);
    }
    arguments
}

/// What an escape stands for, after its backslash.
fn escaped(bytes: &mut impl Iterator<Item = u8>) -> u8 {
    match bytes.next().unwrap_or_default() {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        b'x' => {
            let digits: String = bytes.take(2).map(char::from).collect();
            u8::from_str_radix(&digits, 16).unwrap_or_default()
        }
        itself => itself,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_monitor_is_read_with_its_escapes() {
        let line =
            br#"+1795512600.123 [0 127.0.0.1:5000] "EVALSHA" "a b" "" "\x01\x00\"\\\r\n" "]""#;
        let expected: [&[u8]; 5] = [b"EVALSHA", b"a b", b"", b"\x01\0\"\\\r\n", b"]"];
        assert_eq!(arguments(line), expected);
    }
}
