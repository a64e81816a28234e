//! A hub process of its own for each test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::api_key::ApiKey;
use crate::config;
use crate::metrics::Metrics;
use crate::position::Position;
use crate::process::Process;
use crate::raw_socket::RawSocket;
use crate::room::Room;
use crate::rpc::{Publication, Rpc};
use crate::token::Token;
use crate::upgrade::Upgrade;

/// A running `fanline serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Hub {
    /// The process, for signals, output and memory.
    pub process: Process,
    /// Where it listens.
    pub addresses: Addresses,
    /// Holds the configuration file.
    folder: TempDir,
}

/// The bound addresses of a hub.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Browsers.
    pub public: SocketAddr,
    /// Backends.
    pub grpc: SocketAddr,
    /// Operators.
    pub ops: SocketAddr,
}

impl Hub {
    /// A hub with the base configuration, to be changed.
    pub fn builder() -> HubBuilder {
        HubBuilder {
            config: config::base(),
            environment: Vec::new(),
            files: Vec::new(),
            is_on_one_core: false,
        }
    }

    /// A hub with the base configuration.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A WebSocket handshake with this hub, to be given credentials.
    pub fn upgrade(&self) -> Upgrade {
        Upgrade::to(self.addresses.public)
    }

    /// A connected client with this token.
    pub async fn room(&self, token: &Token) -> Room {
        self.upgrade().bearer(&token.sign()).open().await
    }

    /// A connected client that writes its own frames.
    pub async fn raw_room(&self, token: &Token) -> RawSocket {
        RawSocket::upgrade(self.addresses.public, &token.sign()).await
    }

    /// gRPC with the key that may do everything.
    pub async fn rpc(&self) -> Rpc {
        self.rpc_with(&ApiKey::all().secret).await
    }

    /// gRPC with any credential.
    pub async fn rpc_with(&self, credential: &str) -> Rpc {
        Rpc::connect(self.addresses.grpc, Some(credential)).await
    }

    /// Publishes over gRPC, on a connection of its own.
    pub async fn publish(&self, publication: Publication) -> Position {
        self.rpc().await.publish(publication).await
    }

    /// The folder of its configuration file, `fanline.toml`, where relative paths start.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file beside its configuration, or the configuration itself. It is read at the next reload.
    pub fn write(&self, path: &str, text: &str) {
        write(self.folder(), path, text);
    }

    /// Reads `/metrics`.
    pub async fn metrics(&self) -> Metrics {
        Metrics::scrape(self.addresses.ops).await
    }
}

/// What to start.
#[derive(Clone, Debug)]
pub struct HubBuilder {
    config: toml::Table,
    environment: Vec<(String, String)>,
    files: Vec<(String, String)>,
    is_on_one_core: bool,
}

impl HubBuilder {
    /// Sets a configuration key by its dotted path, as in `limits.write_timeout`.
    #[must_use]
    pub fn set(mut self, path: &str, value: impl Into<toml::Value>) -> Self {
        config::set(&mut self.config, path, value.into());
        self
    }

    /// Leaves out a configuration key or section.
    #[must_use]
    pub fn unset(mut self, path: &str) -> Self {
        config::unset(&mut self.config, path);
        self
    }

    /// Adds an API key.
    #[must_use]
    pub fn api_key(mut self, key: &ApiKey) -> Self {
        config::add_api_key(&mut self.config, key);
        self
    }

    /// Sets an environment variable of the process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a file beside the configuration, where relative paths start.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Gives the process one core, whatever the machine has.
    #[must_use]
    pub fn on_one_core(mut self) -> Self {
        self.is_on_one_core = true;
        self
    }

    /// Lifts the limits that a thousand clients from one address would meet.
    #[must_use]
    pub fn for_a_crowd(self) -> Self {
        self.set("limits.connections_per_ip", 100_000)
            .set("limits.connections_per_user", 100_000)
            .set("limits.connect_rate_per_ip", 100_000)
            .set("limits.connect_burst_per_ip", 100_000)
    }

    /// The configuration file as it will be written.
    pub fn text(&self) -> String {
        self.config.to_string()
    }

    /// Starts the hub and waits until it listens.
    pub async fn start(self) -> Hub {
        let (mut process, folder) = self.spawn();
        let line = process.stdout_line("the ready line", |line| line.contains("\"ready\"")).await;
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the ready line {line:?} is not JSON: {error}"));
        let address = |name: &str| {
            ready[name]
                .as_str()
                .and_then(|text| text.parse().ok())
                .unwrap_or_else(|| panic!("no address of {name} in {line}"))
        };
        let addresses =
            Addresses { public: address("public"), grpc: address("grpc"), ops: address("ops") };
        Hub { process, addresses, folder }
    }

    /// Starts the hub, which is to refuse its configuration, and returns what it says.
    pub async fn refused(self) -> String {
        let (mut process, _folder) = self.spawn();
        let status = process.exit().await;
        assert!(!status.success(), "the configuration is taken\n{}", process.output());
        process.stderr()
    }

    fn spawn(self) -> (Process, TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("fanline.toml");
        std::fs::write(&path, self.text()).expect("the folder is ours");
        for (path, text) in &self.files {
            write(folder.path(), path, text);
        }
        let mut command = if self.is_on_one_core { fanline_on_one_core() } else { fanline() };
        command.arg("serve").arg("--config").arg(&path);
        command.envs(self.environment);
        (Process::spawn("fanline serve", command), folder)
    }
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    let parent = path.parent().expect("a file is in a folder");
    std::fs::create_dir_all(parent).expect("the folder is ours");
    // Moved into place whole, as whoever watches the folder may read at any moment.
    let fresh = path.with_extension("part");
    std::fs::write(&fresh, text).expect("the folder is ours");
    std::fs::rename(&fresh, &path).expect("the folder is ours");
}

/// The `fanline` binary, with nothing of the test's own environment that it would take for configuration.
pub fn fanline() -> Command {
    without_configuration(Command::new(binary()))
}

/// The same with one core, pinned by `taskset` of util-linux: the first of those that this process may use.
fn fanline_on_one_core() -> Command {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = cores.and_then(|cores| cores.trim().split(['-', ',']).next());
    let mut command = Command::new("taskset");
    command.arg("-c").arg(first.expect("there is a core")).arg(binary());
    without_configuration(command)
}

fn without_configuration(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FANLINE_") {
            command.env_remove(name);
        }
    }
    command
}

/// `FANLINE_BIN`, else the newest build in the target folder that holds this test.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("FANLINE_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test has a path");
    let target = test.ancestors().nth(3).expect("a test lies in target/PROFILE/deps");
    ["debug", "release"]
        .map(|profile| target.join(profile).join("fanline"))
        .into_iter()
        .filter_map(|path| Some((modified(&path)?, path)))
        .max()
        .map(|(_, path)| path)
        .expect("there is a build of fanline: cargo build -p fanline, or FANLINE_BIN")
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}
