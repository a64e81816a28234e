//! redis-server, for the tests of the Redis broker, which start their own on free ports.

use super::apt;
use crate::{process, workspace::Workspace};

/// Installs redis-server from Debian if this machine has none. The service that the package starts is stopped again:
/// nobody here uses it.
pub(crate) fn server(workspace: &Workspace) -> anyhow::Result<()> {
    if process::find("redis-server").is_some() {
        return Ok(());
    }
    apt::install(workspace, &["redis-server"], "the tests of the Redis broker")?;
    if process::find("service").is_some()
        && process::run(workspace.command("service").args(["redis-server", "stop"])).is_err()
    {
        println!("the redis-server service could not be stopped; it disturbs no test");
    }
    Ok(())
}
