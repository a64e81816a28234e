//! The browser client, `@fanline/client`: building it, and what its tests are.

use std::process::Command;

use crate::{process, workspace::Workspace};

/// Builds `clients/js/dist`, which the end-to-end tests load as an application would. Takes a second.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    let mut build = workspace.command("node");
    process::run(build.arg("build.mjs").current_dir(workspace.sdk()))
}

/// The strict type check, then its tests: units, and a suite against the hub in `FANLINE_BIN`.
pub(crate) fn runners(workspace: &Workspace) -> [(&'static str, Command); 2] {
    let tool = |name: &str, arguments: &[&str]| {
        let mut command = workspace.command(workspace.sdk().join("node_modules/.bin").join(name));
        command.args(arguments).current_dir(workspace.sdk());
        command
    };
    [
        ("types of the browser client", tool("tsc", &["--noEmit"])),
        ("tests of the browser client", tool("vitest", &["run"])),
    ]
}
