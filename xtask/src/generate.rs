//! `cargo xtask gen`: the committed files that the hub itself or a bundler writes, and whether they
//! are still true.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, bail};

use crate::{
    hub::{self, Profile},
    process, sdk, setup,
    workspace::Workspace,
};

/// A committed file and what it should hold.
struct Artefact {
    path: PathBuf,
    text: String,
}

/// Rewrites every generated file that is no longer true.
pub(crate) fn write(workspace: &Workspace) -> anyhow::Result<()> {
    for artefact in artefacts(workspace)? {
        let name = artefact.path.display();
        if artefact.is_current() {
            println!("{name} is current");
        } else {
            fs::write(&artefact.path, &artefact.text)
                .with_context(|| format!("{name} cannot be written"))?;
            println!("{name} is rewritten");
        }
    }
    Ok(())
}

/// Fails when `write` would change anything.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let stale: Vec<String> = artefacts(workspace)?
        .iter()
        .filter(|artefact| !artefact.is_current())
        .map(|artefact| artefact.path.display().to_string())
        .collect();
    if !stale.is_empty() {
        bail!("run `cargo xtask gen` and commit: {}", stale.join(", "));
    }
    Ok(())
}

fn artefacts(workspace: &Workspace) -> anyhow::Result<Vec<Artefact>> {
    let hub = hub::build(workspace, Profile::Shipped)?;
    let defaults = process::read(workspace.command(hub).args(["config", "default"]))?;
    setup::node_packages(workspace, &workspace.sdk())?;
    let bundle = sdk::bundle(workspace)?;
    Ok(vec![
        Artefact { path: workspace.path("docs/config.toml"), text: defaults },
        Artefact { path: workspace.path("server/console/fanline.js"), text: bundle },
    ])
}

impl Artefact {
    fn is_current(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|committed| committed == self.text)
    }
}
