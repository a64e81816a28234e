//! `cargo deny`, whose rules and reasons are in `deny.toml`.

use anyhow::{Context as _, bail};

use super::Outcome;
use crate::{process, setup::CARGO_DENY, workspace::Workspace};

/// Bans, licences and sources: needs nothing but the lock file and the sources of the dependencies.
pub(super) fn rules(workspace: &Workspace) -> anyhow::Result<()> {
    CARGO_DENY.install(workspace)?;
    let mut deny = workspace.cargo();
    deny.args(["deny", "--all-features", "check", "--hide-inclusion-graph"]);
    process::run(deny.args(["bans", "licenses", "sources"]))
        .context("`cargo deny check` also shows which crate brings in what is refused")
}

/// Advisories: needs a database that is fetched with git. Without it nothing is known, which is no
/// failure of the change under check, and no success.
pub(super) fn advisories(workspace: &Workspace) -> anyhow::Result<Outcome> {
    CARGO_DENY.install(workspace)?;
    let mut deny = workspace.cargo();
    deny.args(["deny", "--all-features", "check", "advisories"]);
    let mut unfetched = false;
    let status = process::watch(deny, |line| unfetched |= says_unfetched(line))?;
    match (status.success(), unfetched) {
        (true, _) => Ok(Outcome::Held),
        (false, true) => Ok(Outcome::NotChecked("its database could not be fetched".to_owned())),
        (false, false) => bail!("`cargo deny check advisories` failed ({status})"),
    }
}

fn says_unfetched(line: &str) -> bool {
    line.contains("failed to fetch advisory database")
        || line.contains("failed to load advisory database")
}
