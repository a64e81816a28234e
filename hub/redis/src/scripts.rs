//! The scripts, which are where things happen together. They are loaded once per connection and called by their hash.
//!
//! Each gets the connection's fence as its first argument; the rest is said at the top of each file.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, cmd};

/// A script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Script {
    Publish,
    History,
    Check,
    Enter,
    Leave,
    Members,
    Changes,
    Forget,
    Announce,
    Tell,
    Attach,
    NodesOf,
    Keep,
    Take,
    Revoke,
    Revocations,
}

impl Script {
    const ALL: [Script; 16] = [
        Script::Publish,
        Script::History,
        Script::Check,
        Script::Enter,
        Script::Leave,
        Script::Members,
        Script::Changes,
        Script::Forget,
        Script::Announce,
        Script::Tell,
        Script::Attach,
        Script::NodesOf,
        Script::Keep,
        Script::Take,
        Script::Revoke,
        Script::Revocations,
    ];

    /// Whether calls of it have an order, which who loads it decides about: not who happens to find it forgotten.
    pub(crate) fn is_ordered(self) -> bool {
        self == Script::Publish
    }

    /// The command that makes a server know it.
    pub(crate) fn loading(self) -> Cmd {
        let source = format!("{}\n{}", include_str!("scripts/common.lua"), self.source());
        cmd("SCRIPT").arg("LOAD").arg(source).take()
    }

    fn source(self) -> &'static str {
        match self {
            Script::Publish => include_str!("scripts/publish.lua"),
            Script::History => include_str!("scripts/history.lua"),
            Script::Check => include_str!("scripts/check.lua"),
            Script::Enter => include_str!("scripts/enter.lua"),
            Script::Leave => include_str!("scripts/leave.lua"),
            Script::Members => include_str!("scripts/members.lua"),
            Script::Changes => include_str!("scripts/changes.lua"),
            Script::Forget => include_str!("scripts/forget.lua"),
            Script::Announce => include_str!("scripts/announce.lua"),
            Script::Tell => include_str!("scripts/tell.lua"),
            Script::Attach => include_str!("scripts/attach.lua"),
            Script::NodesOf => include_str!("scripts/nodes_of.lua"),
            Script::Keep => include_str!("scripts/keep.lua"),
            Script::Take => include_str!("scripts/take.lua"),
            Script::Revoke => include_str!("scripts/revoke.lua"),
            Script::Revocations => include_str!("scripts/revocations.lua"),
        }
    }
}

/// The hashes by which a server knows the scripts.
#[derive(Clone, Debug)]
pub(crate) struct Loaded([String; Script::ALL.len()]);

impl Loaded {
    pub(crate) fn hash(&self, script: Script) -> &str {
        &self.0[script as usize]
    }
}

/// Loads all scripts, in one round trip.
pub(crate) async fn load(connection: &mut MultiplexedConnection) -> RedisResult<Loaded> {
    let mut pipeline = Pipeline::new();
    for script in Script::ALL {
        pipeline.add_command(script.loading());
    }
    let hashes: [String; Script::ALL.len()] = pipeline.query_async(connection).await?;
    Ok(Loaded(hashes))
}
