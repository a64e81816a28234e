//! A real `redis-server` on a free port of the loopback, gone with its value.

use super::until;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A server process.
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    process: Child,
}

impl RedisServer {
    /// Starts one that keeps nothing on disk.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with more settings, as on its command line.
    pub(crate) async fn with(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut arguments = vec!["--port".into(), port.to_string()];
        arguments.extend(["--bind", "127.0.0.1", "--save", "", "--dir"].map(str::to_owned));
        arguments.push(folder.path().display().to_string());
        arguments.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let process = spawn(&arguments);
        let server = RedisServer { port, folder, arguments, process };
        server.is_up().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Runs a command as an operator would.
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &[&str]) -> T {
        self.try_run(command).await.expect("an answer")
    }

    pub(crate) async fn try_run<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let mut connection = self.connect().await?;
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]);
        cmd.query_async(&mut connection).await
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url())?.get_multiplexed_async_connection().await
    }

    async fn is_up(&self) {
        until("redis-server answers", async || {
            self.try_run::<String>(&["PING"]).await.is_ok_and(|answer| answer == "PONG")
        })
        .await;
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ended");
    }

    /// Starts it again, on what it left on disk.
    pub(crate) async fn restart(&mut self) {
        self.process = spawn(&self.arguments);
        self.is_up().await;
    }

    /// Stops it where it stands, or lets it go on.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Best effort: it may have been killed by the test.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = &self.folder;
    }
}

fn spawn(arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
