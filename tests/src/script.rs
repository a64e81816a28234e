//! Clients in other languages, started as processes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::process::Process;

/// A script may start an interpreter or a browser first.
const SCRIPT_DEADLINE: Duration = Duration::from_secs(120);

/// A script of `tests/python` or `tests/node` with its arguments.
#[derive(Debug)]
pub struct Script {
    name: String,
    command: Command,
}

impl Script {
    /// A Python script, run by `FANLINE_PYTHON`, else by the environment that `cargo xtask setup` makes.
    pub fn python(file: &str) -> Self {
        Self::new(Command::new(python()), "python", file)
    }

    /// A Node script.
    pub fn node(file: &str) -> Self {
        Self::new(Command::new("node"), "node", file)
    }

    fn new(mut command: Command, folder: &str, file: &str) -> Self {
        let folder = project().join("tests").join(folder);
        command.arg(file).current_dir(folder);
        let name = file.to_owned();
        Self { name, command }
    }

    /// Adds `--name value`.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl ToString) -> Self {
        self.command.arg(format!("--{name}")).arg(value.to_string());
        self
    }

    /// Starts the script, to talk with it while it runs.
    pub fn start(self) -> Process {
        Process::spawn(&self.name, self.command)
    }

    /// Runs the script to its end, which has to be good, and returns the JSON of its last line.
    pub async fn run(self) -> Value {
        let name = self.name.clone();
        Self::end(&name, self.start()).await
    }

    /// The same, and does `then` once the script has printed the line `ready`.
    pub async fn run_and_when(self, ready: &str, then: impl Future<Output = ()>) -> Value {
        let name = self.name.clone();
        let mut process = self.start();
        process.stdout_line(ready, |line| line == ready).await;
        then.await;
        Self::end(&name, process).await
    }

    async fn end(name: &str, mut process: Process) -> Value {
        let status = process.exit_within(SCRIPT_DEADLINE).await;
        assert!(status.success(), "{name} fails\n{}", process.output());
        let stdout = process.stdout();
        let last = stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last)
            .unwrap_or_else(|error| panic!("{error} in {last:?}\n{}", process.output()))
    }
}

/// The interpreter that has the packages of `tests/python`.
pub fn python() -> PathBuf {
    std::env::var_os("FANLINE_PYTHON")
        .map_or_else(|| project().join("target/venv/bin/python"), PathBuf::from)
}

/// The checkout.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the checkout")
}
