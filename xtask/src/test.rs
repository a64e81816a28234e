//! `cargo xtask test`: every test of the project, from a machine that may lack everything but Rust,
//! Node and Python.

use std::{env, path::PathBuf, process::Command};

use anyhow::bail;
use clap::Args;

use crate::{
    hub::{self, Profile},
    process, sdk,
    setup::{CARGO_NEXTEST, Clients},
    tally::Tally,
    workspace::Workspace,
};

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Passed on to `cargo nextest run`, to run some only: a part of their names, or a filter after -E
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) filter: Vec<String>,
}

impl Test {
    /// Runs all tests even when some fail, and names those at the end.
    pub(crate) fn run(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let clients = Clients::install(workspace)?;
        let hub = hub_under_test(workspace)?;
        let mut tally = Tally::default();
        let mut broken = Vec::new();
        for (name, mut runner) in self.runners(workspace) {
            runner.env("FANLINE_BIN", &hub).envs(clients.environment());
            // The tally reads plain text.
            runner.env("CARGO_TERM_COLOR", "never").env("NO_COLOR", "1");
            if !process::watch(runner, |line| tally.observe(line))?.success() {
                broken.push(name);
            }
        }
        print!("\n{tally}");
        if !broken.is_empty() {
            bail!("failed: {}", broken.join(", "));
        }
        Ok(())
    }

    /// The runners in their order: the telling one last, so that its summary closes the output.
    fn runners(&self, workspace: &Workspace) -> Vec<(&'static str, Command)> {
        let mut runners = Vec::new();
        if self.filter.is_empty() {
            runners.push(("doc tests", cargo_test(workspace, &["--doc"])));
            runners.extend(sdk::runners(workspace));
        }
        let tests = CARGO_NEXTEST.install(workspace).map_or_else(
            |error| {
                println!("{error:#}");
                println!("`cargo test` runs the tests instead: all of them, and without groups");
                cargo_test(workspace, &["--all-targets", "--no-fail-fast"])
            },
            |()| self.nextest(workspace),
        );
        runners.push(("tests", tests));
        runners
    }

    fn nextest(&self, workspace: &Workspace) -> Command {
        let mut nextest = workspace.cargo();
        nextest.args(["nextest", "run", "--locked", "--workspace", "--all-features"]);
        nextest.args(&self.filter);
        nextest
    }
}

fn cargo_test(workspace: &Workspace, targets: &[&str]) -> Command {
    let mut test = workspace.cargo();
    test.args(["test", "--locked", "--workspace", "--all-features"]).args(targets);
    test
}

/// The hub that the end-to-end tests start: as shipped, unless the caller names another.
fn hub_under_test(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    match env::var_os("FANLINE_BIN") {
        Some(given) => Ok(workspace.root().join(given)),
        None => hub::build(workspace, Profile::Shipped),
    }
}
