//! A Python environment of the project's own in the target directory, with the pinned packages of
//! `tests/python`.

use std::{env, path::PathBuf};

use super::{apt, stamp::Stamp};
use crate::{process, workspace::Workspace};

/// The path of an interpreter that has the packages.
pub(crate) fn interpreter(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    if let Some(given) = env::var_os("FANLINE_PYTHON") {
        return Ok(given.into());
    }
    let environment = workspace.target().join("venv");
    let python = environment.join("bin/python");
    let requirements = workspace.path("tests/python/requirements.txt");
    let stamp = Stamp::new(&requirements, &environment)?;
    if stamp.is_current() {
        return Ok(python);
    }
    println!("installing the Python packages of {}", requirements.display());
    // Debian packs Python without what `venv` needs.
    if !process::succeeds(workspace.command("python3").args(["-c", "import venv, ensurepip"])) {
        apt::install(workspace, &["python3", "python3-venv"], "the Python clients")?;
    }
    process::run(workspace.command("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    let mut pip = workspace.command(&python);
    process::run(
        pip.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements),
    )?;
    stamp.set()?;
    Ok(python)
}
