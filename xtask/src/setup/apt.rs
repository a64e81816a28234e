//! Debian packages. Needs root or sudo, and only when something is missing.

use anyhow::{Context as _, bail};

use crate::{process, workspace::Workspace};

/// Installs the Debian package of a program, of the same name, if this machine has none.
pub(crate) fn program(workspace: &Workspace, name: &str, why: &str) -> anyhow::Result<()> {
    if process::find(name).is_some() { Ok(()) } else { install(workspace, &[name], why) }
}

/// Installs Debian packages; `why` ends the sentence that says so.
pub(crate) fn install(workspace: &Workspace, packages: &[&str], why: &str) -> anyhow::Result<()> {
    let names = packages.join(" ");
    if process::find("apt-get").is_none() {
        bail!("{names} is needed for {why}, and this machine has no apt-get: install it by hand");
    }
    println!("installing {names} with apt: needed for {why}");
    apt_get(workspace, &["update", "--quiet"])?;
    let install = ["install", "--quiet", "--yes", "--no-install-recommends"];
    apt_get(workspace, &[&install, packages].concat())
        .with_context(|| format!("{names} could not be installed"))
}

fn apt_get(workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<()> {
    let root = process::read(workspace.command("id").arg("-u"))?.trim() == "0";
    // `env` carries the variable through sudo, which clears the environment.
    let call = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    let mut command = if root { workspace.command(call[0]) } else { workspace.command("sudo") };
    command.args(if root { &call[1..] } else { &call[..] });
    process::run(command.args(arguments))
}
