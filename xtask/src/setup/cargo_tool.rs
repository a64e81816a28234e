//! Cargo subcommands that the habits use.

use anyhow::Context as _;

use crate::{process, workspace::Workspace};

/// The test runner: a process per test, groups for heavy ones, and a summary.
pub(crate) const CARGO_NEXTEST: CargoTool =
    CargoTool { subcommand: "nextest", package: "cargo-nextest", version: "0.9.143" };

/// Licences, bans, sources and advisories of the dependencies.
pub(crate) const CARGO_DENY: CargoTool =
    CargoTool { subcommand: "deny", package: "cargo-deny", version: "0.20.2" };

/// libFuzzer for the targets of `tests/fuzz`.
pub(crate) const CARGO_FUZZ: CargoTool =
    CargoTool { subcommand: "fuzz", package: "cargo-fuzz", version: "0.13.2" };

/// A subcommand of cargo and the package that brings it.
#[derive(Debug)]
pub(crate) struct CargoTool {
    subcommand: &'static str,
    package: &'static str,
    /// What a fresh machine gets; one that is there already is used whatever its version.
    version: &'static str,
}

impl CargoTool {
    /// Installs it beside cargo, where all checkouts of this machine find it, unless it is there.
    pub(crate) fn install(&self, workspace: &Workspace) -> anyhow::Result<()> {
        if process::succeeds(workspace.cargo().args([self.subcommand, "--version"])) {
            return Ok(());
        }
        println!(
            "installing {} {}: compiles for some minutes, once per machine",
            self.package, self.version
        );
        let mut install = workspace.cargo();
        install.args(["install", "--quiet", "--locked", self.package, "--version", self.version]);
        process::run(&mut install)
            .with_context(|| format!("{} could not be installed", self.package))
    }
}
