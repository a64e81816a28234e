//! Chromium, for the console page.

use std::{env, path::PathBuf};

use anyhow::Context as _;

use super::apt;
use crate::{process, workspace::Workspace};

/// The path of Chromium, installed from Debian if this machine has none.
pub(crate) fn chromium(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    if let Some(given) = env::var_os("FANLINE_CHROMIUM") {
        return Ok(given.into());
    }
    if let Some(found) = process::find("chromium") {
        return Ok(found);
    }
    apt::install(workspace, &["chromium"], "the test of the console page")?;
    process::find("chromium")
        .context("the chromium package is installed, but `chromium` is not on the path")
}
