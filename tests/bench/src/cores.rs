//! Which core each process of a run may use. The server has one for itself and the load generator another: then the server's
//! figures do not depend on how busy the generator is. Pinning is done by `taskset` of util-linux.

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) generator: usize,
}

impl Cores {
    /// Takes the first two cores that this process may use and pins it, with the threads it starts later, to the second.
    pub(crate) fn claim() -> Result<Self> {
        let status =
            fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .context("/proc/self/status has no Cpus_allowed_list")?;
        let cores = Self::among(allowed.trim())?;
        cores.pin_generator()?;
        Ok(cores)
    }

    /// A command that runs `program` on the server's core, under the process id of the child.
    pub(crate) fn on_server_core(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &self.server.to_string()]).arg(program);
        command
    }

    fn among(allowed: &str) -> Result<Self> {
        let mut cores = Vec::new();
        for range in allowed.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) = (first.parse()?, last.parse()?);
            cores.extend(first..=last);
        }
        match cores[..] {
            [server, generator, ..] => Ok(Self { server, generator }),
            _ => bail!(
                "the bench needs two cores, one for the server and one for the load generator; it may use {allowed}"
            ),
        }
    }

    fn pin_generator(self) -> Result<()> {
        let pinned = Command::new("taskset")
            .args(["--cpu-list", "--pid", &self.generator.to_string()])
            .arg(std::process::id().to_string())
            .stdout(Stdio::null())
            .status()
            .context("running taskset (util-linux)")?;
        ensure!(
            pinned.success(),
            "taskset could not pin the load generator to core {}",
            self.generator
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_allowed_cores_are_taken() {
        let cores = |server, generator| Cores { server, generator };
        assert_eq!(Cores::among("0-1").unwrap(), cores(0, 1));
        assert_eq!(Cores::among("2,5-7").unwrap(), cores(2, 5));
        assert!(Cores::among("3").is_err());
    }
}
