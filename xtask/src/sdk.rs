//! The browser client, `@fanline/client`: building it, and what its tests are.

use std::process::Command;

use crate::{process, workspace::Workspace};

/// Builds `clients/js/dist`, which the end-to-end tests load as an application would. Takes a second.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    let mut build = workspace.command("node");
    process::run(build.arg("build.mjs").current_dir(workspace.sdk()))
}

/// All of it in one module, as the console page of `fanline dev` loads it.
pub(crate) fn bundle(workspace: &Workspace) -> anyhow::Result<String> {
    let banner = "--banner:js=// `cargo xtask gen` makes this from clients/js.";
    let options = ["--bundle", "--format=esm", "--target=es2022", "--log-level=error", banner];
    process::read(tool(workspace, "esbuild").arg("src/index.ts").args(options))
}

/// The strict type check, then its tests: units, and a suite against the hub in `FANLINE_BIN`.
pub(crate) fn runners(workspace: &Workspace) -> [(&'static str, Command); 2] {
    let mut types = tool(workspace, "tsc");
    types.arg("--noEmit");
    let mut tests = tool(workspace, "vitest");
    tests.arg("run");
    [("types of the browser client", types), ("tests of the browser client", tests)]
}

/// A tool that its packages bring.
fn tool(workspace: &Workspace, name: &str) -> Command {
    let mut command = workspace.command(workspace.sdk().join("node_modules/.bin").join(name));
    command.current_dir(workspace.sdk());
    command
}
