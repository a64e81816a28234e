//! curl, with which the tests read event streams as a shell script would. Debian's speaks HTTP/2.

use super::apt;
use crate::{process, workspace::Workspace};

/// Installs curl from Debian if this machine has none.
pub(crate) fn command(workspace: &Workspace) -> anyhow::Result<()> {
    if process::find("curl").is_some() {
        return Ok(());
    }
    apt::install(workspace, &["curl"], "the tests of event streams")
}
