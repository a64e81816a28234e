//! The npm packages of `tests/node` (gRPC and WebSocket clients, the browser driver, and `buf`), of
//! `clients/js` (what builds and tests the browser client) and of the examples.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::stamp::Stamp;
use crate::{process, workspace::Workspace};

/// The oldest Node that the clients are written for.
const NODE_MAJOR_MIN: u32 = 20;

/// Installs what the lock file of `folder` names, and gives the path of `node_modules`.
pub(crate) fn packages(workspace: &Workspace, folder: &Path) -> anyhow::Result<PathBuf> {
    let modules = folder.join("node_modules");
    let stamp = Stamp::new(&folder.join("package-lock.json"), &modules)?;
    if stamp.is_current() {
        return Ok(modules);
    }
    require_node(workspace)?;
    println!("installing the npm packages of {}", folder.display());
    // Not `npm ci`: it refuses a lock file without the builds of `buf` or esbuild for other systems,
    // and a registry that serves only our own systems cannot lock those. The lock file still decides.
    let mut npm = workspace.command("npm");
    npm.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]);
    process::run(npm.current_dir(folder))?;
    stamp.set()?;
    Ok(modules)
}

fn require_node(workspace: &Workspace) -> anyhow::Result<()> {
    let version = process::read(workspace.command("node").arg("--version"))
        .with_context(|| format!("Node {NODE_MAJOR_MIN} or newer is needed, with npm"))?;
    let major = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MAJOR_MIN) {
        bail!("Node {NODE_MAJOR_MIN} or newer is needed, this one is {}", version.trim());
    }
    Ok(())
}
