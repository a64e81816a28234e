//! Listing channels: all keys are looked through, in steps, so that it costs nothing to be listed.

use crate::call::Failure;
use crate::server::{Lane, Server};
use crate::servers::Servers;
use fanline_core::broker::{BrokerError, ChannelsQuery};
use fanline_core::channel::ChannelName;
use redis::cmd;
use std::collections::BTreeSet;

/// Keys that Redis looks at in one step: some hundred microseconds, during which it answers nobody else.
const STEP: usize = 1000;

/// The channels that have events or members.
pub(crate) async fn list(
    servers: &Servers,
    query: ChannelsQuery,
) -> Result<Vec<ChannelName>, BrokerError> {
    list_by(servers, &["log", "members"], query).await
}

/// The channels that have a key of one of these kinds.
pub(crate) async fn list_by(
    servers: &Servers,
    kinds: &[&str],
    query: ChannelsQuery,
) -> Result<Vec<ChannelName>, BrokerError> {
    let mut found = BTreeSet::new();
    for server in &servers.map().servers {
        for kind in kinds {
            scan(servers, server, kind, &query, &mut found).await?;
        }
    }
    Ok(found.into_iter().collect())
}

async fn scan(
    servers: &Servers,
    server: &Server,
    kind: &str,
    query: &ChannelsQuery,
    found: &mut BTreeSet<ChannelName>,
) -> Result<(), Failure> {
    let keys = &servers.common.keys;
    let mut cursor = String::from("0");
    loop {
        let mut step = cmd("SCAN");
        step.arg(&cursor).arg("MATCH").arg(keys.scan(kind)).arg("COUNT").arg(STEP);
        let answer = server.command(Lane::Reads, &step).await?;
        let (next, names): (String, Vec<Vec<u8>>) =
            redis::from_redis_value(answer).map_err(|_| Failure::Refused)?;
        for name in names {
            let channel = std::str::from_utf8(&name).ok().and_then(|name| keys.channel(name));
            let Some(channel) = channel.filter(|channel| wanted(channel, query)) else {
                continue;
            };
            found.insert(channel);
            if found.len() > query.limit {
                // Only the first of them are asked for.
                found.pop_last();
            }
        }
        if next == "0" {
            return Ok(());
        }
        cursor = next;
    }
}

fn wanted(channel: &ChannelName, query: &ChannelsQuery) -> bool {
    query.after.as_ref().is_none_or(|after| channel > after)
        && query.pattern.matches(channel.as_str())
}
