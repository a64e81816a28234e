//! A real `redis-server` on a free port of the loopback, gone with its value.

use crate::port::free_port;
use crate::wait::until;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, RedisResult};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Longest wait for an answer: far more than a server on a loaded machine takes.
const ANSWER: Duration = Duration::from_secs(10);

/// A server process.
#[derive(Debug)]
pub struct RedisServer {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    process: Child,
}

impl RedisServer {
    /// Starts one that keeps nothing on disk.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with more settings, as on its command line.
    pub async fn with(settings: &[&str]) -> Self {
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

    /// Starts a sentinel, which is told what to watch.
    pub async fn sentinel(port: u16, watch: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, format!("port {port}\nbind 127.0.0.1\n{watch}")).expect("written");
        let arguments = vec![file.display().to_string(), "--sentinel".into()];
        let process = spawn(&arguments);
        let server = RedisServer { port, folder, arguments, process };
        server.is_up().await;
        server
    }

    /// Its name in a cluster.
    pub async fn id(&self) -> String {
        self.run(&["CLUSTER", "MYID"]).await
    }

    /// Whether it is a primary.
    pub async fn is_primary(&self) -> bool {
        let role: Vec<redis::Value> = self.try_run(&["ROLE"]).await.unwrap_or_default();
        role.first() == Some(&redis::Value::BulkString(b"master".to_vec()))
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Runs a command as an operator would.
    pub async fn run<T: FromRedisValue>(&self, command: &[&str]) -> T {
        self.try_run(command).await.expect("an answer")
    }

    /// Runs a command that may be refused.
    ///
    /// # Errors
    /// The server's, or that of a connection that cannot be made.
    pub async fn try_run<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let mut connection = self.connect().await?;
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]);
        cmd.query_async(&mut connection).await
    }

    /// What it has written to its log; with `--logfile` among its settings.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Adds an event that never expires to a log.
    pub async fn xadd(&self, stream: &str, id: &str, value: &[u8]) {
        let mut connection = self.connect().await.expect("a connection");
        let mut cmd = redis::cmd("XADD");
        cmd.arg(stream).arg(id).arg("x").arg(99_999_999_999_999_u64).arg("e").arg(value);
        cmd.exec_async(&mut connection).await.expect("added");
    }

    /// The event in the first entry of a log.
    pub async fn first_entry(&self, stream: &str) -> Vec<u8> {
        type Entry = (String, [(String, Vec<u8>); 2]);
        let entries: Vec<Entry> = self.run(&["XRANGE", stream, "-", "+", "COUNT", "1"]).await;
        let (_id, [_expiry, (_name, event)]) = entries.into_iter().next().expect("an entry");
        event
    }

    /// A figure of its `INFO`: the number behind `name` in a section, or 0 while the section does not have it.
    pub async fn figure(&self, section: &str, name: &str) -> u64 {
        figure(&self.run::<String>(&["INFO", section]).await, name)
    }

    /// How often it has answered with an error.
    pub async fn said(&self, error: &str) -> u64 {
        self.figure("errorstats", &error_count(error)).await
    }

    /// How many connections listen to a channel, be it one of a slot or not.
    pub async fn listeners(&self, channel: &str) -> u64 {
        let mut listeners = 0;
        for count in ["NUMSUB", "SHARDNUMSUB"] {
            let counted: Vec<(String, u64)> = self.run(&["PUBSUB", count, channel]).await;
            listeners += counted[0].1;
        }
        listeners
    }

    /// Waits until it has answered with an error so many times.
    pub async fn has_said(&self, password: &str, error: &str, times: u64) {
        let url = format!("redis://:{password}@127.0.0.1:{}", self.port);
        let url = if password.is_empty() { self.url() } else { url };
        let client = redis::Client::open(url).expect("a client");
        let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
        let name = error_count(error);
        until("the server refuses", async || {
            let mut info = redis::cmd("INFO");
            info.arg("errorstats");
            let stats: String = info.query_async(&mut connection).await.expect("an answer");
            figure(&stats, &name) >= times
        })
        .await;
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER));
        let client = redis::Client::open(self.url())?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn is_up(&self) {
        until("redis-server answers", async || match self.try_run::<String>(&["PING"]).await {
            Ok(answer) => answer == "PONG",
            Err(error) => error.code() == Some("NOAUTH"),
        })
        .await;
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ended");
    }

    /// Starts it again, on what it left on disk.
    pub async fn restart(&mut self) {
        self.process = spawn(&self.arguments);
        self.is_up().await;
    }

    /// Stops it where it stands, or lets it go on.
    pub fn signal(&self, name: &str) {
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

fn error_count(error: &str) -> String {
    format!("errorstat_{error}:count=")
}

/// The number behind a name at the start of a line, up to the next comma.
fn figure(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    let number = line.map(|line| line.split(',').next().unwrap_or(line).trim());
    number.map_or(0, |number| number.parse().expect("a number"))
}
