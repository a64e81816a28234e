//! A backend that is a process of its own.

use tokio::process::Command;

use crate::api_key::ApiKey;
use crate::hub::Hub;
use crate::process::Process;

impl Hub {
    /// A worker that is connected to this node and answers `method`, by name. Its program is given by the test, which is
    /// where Cargo tells it: `env!("CARGO_BIN_EXE_fanline-test-worker")`.
    pub async fn worker(&self, program: &str, name: &str, method: &str) -> Process {
        let mut command = Command::new(program);
        command.arg(self.addresses.grpc.to_string()).arg(ApiKey::all().secret);
        command.arg(name).arg(method);
        let mut worker = Process::spawn(name, command);
        worker.stdout_line("its registration", |line| line == "serving").await;
        worker
    }
}
