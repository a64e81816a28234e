//! Follows a Redis Cluster: which server has which slots, and the channels that move with them.
//!
//! The nodes of the cluster are asked anew when a call or a subscription went to the wrong one, and from time to time.
//! A server that is no longer named ends; what this node heard there is heard where it lives now, and looked for in
//! history, as messages in between went unheard.

use crate::address::Address;
use crate::advice;
use crate::dial::{CONNECT, Dialer};
use crate::keys::{SLOTS, slot};
use crate::place::{Finder, Place};
use crate::placing::Placing;
use crate::server::Server;
use crate::servers::{Map, Servers};
use crate::settings::CheckedSettings;
use fanline_core::channel::ChannelName;
use redis::{ErrorKind, RedisResult, Value, cmd};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks when nothing seems to have changed, and when something does.
const INTERVAL: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(200);

/// The primaries and their slots.
type Layout = BTreeMap<Address, Vec<RangeInclusive<u16>>>;

/// Keeps the map of the servers true, until `stop`.
pub(crate) async fn follow(
    servers: Arc<Servers>,
    checked: CheckedSettings,
    stop: CancellationToken,
) {
    let following = async {
        let mut first = 0;
        loop {
            match ask_any(&servers, &checked, first).await {
                Ok(layout) => adopt(&servers, &checked, layout, &stop),
                Err(error) if servers.blame(advice::on(&error)) => {
                    let advice = servers.unknown();
                    tracing::warn!(%error, advice, "no node of the cluster tells its layout; asking again");
                }
                Err(error) => tracing::debug!(%error, "no node of the cluster tells its layout"),
            }
            // Another one is asked first each time: one that is cut off from the rest does not mislead us for long.
            first += 1;
            tokio::time::sleep(RETRY).await;
            let _either = tokio::time::timeout(INTERVAL, servers.common.stale.notified()).await;
        }
    };
    stop.run_until_cancelled(following).await;
}

async fn ask_any(
    servers: &Servers,
    checked: &CheckedSettings,
    first: usize,
) -> RedisResult<Layout> {
    let map = servers.map();
    let known = map.servers.iter().filter_map(|server| server.place.fixed());
    let mut addresses: Vec<&Address> = known.chain(&checked.addresses).collect();
    let turn = first % addresses.len();
    addresses.rotate_left(turn);
    let mut failure = (ErrorKind::ClusterConnectionNotFound, "no node is named").into();
    for address in addresses {
        match tokio::time::timeout(2 * CONNECT, ask(&checked.dialers[0], address)).await {
            Ok(Ok(layout)) => return Ok(layout),
            Ok(Err(error)) => failure = error,
            Err(_elapsed) => failure = (ErrorKind::Io, "the node does not answer").into(),
        }
    }
    Err(failure)
}

async fn ask(dialer: &Dialer, address: &Address) -> RedisResult<Layout> {
    let mut connection = dialer.dial(address, |_| {}).await?;
    let answer = connection.send_packed_command(cmd("CLUSTER").arg("SLOTS")).await?;
    let Value::Array(ranges) = answer.extract_error()? else {
        return Err((ErrorKind::UnexpectedReturnType, "no layout").into());
    };
    let mut layout = Layout::new();
    for range in ranges {
        let (slots, primary) = read_range(range, address)
            .ok_or((ErrorKind::UnexpectedReturnType, "a range of slots is not one"))?;
        layout.entry(primary).or_default().push(slots);
    }
    if layout.is_empty() {
        return Err((ErrorKind::ClusterConnectionNotFound, "no slot is served").into());
    }
    Ok(layout)
}

/// Reads first slot, last slot, and of the servers the first, which is the primary.
fn read_range(range: Value, asked: &Address) -> Option<(RangeInclusive<u16>, Address)> {
    let Value::Array(parts) = range else { return None };
    let mut parts = parts.into_iter();
    let (from, to) = (read_slot(parts.next()?)?, read_slot(parts.next()?)?);
    let Value::Array(primary) = parts.next()? else { return None };
    let mut primary = primary.into_iter();
    // A node that does not know its own name leaves it out: it is then the one that we asked.
    let host: Option<String> = redis::from_redis_value(primary.next()?).ok()?;
    let port: u16 = redis::from_redis_value(primary.next()?).ok()?;
    let host =
        host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| asked.host.clone());
    Some((from..=to, Address { host, port }))
}

fn read_slot(value: Value) -> Option<u16> {
    redis::from_redis_value(value).ok().filter(|slot| *slot < SLOTS)
}

/// Makes a map of a layout, keeping the servers that are known, and moves what is heard to where it lives.
fn adopt(servers: &Servers, checked: &CheckedSettings, layout: Layout, stop: &CancellationToken) {
    let old = servers.map();
    let mut slots = vec![None; usize::from(SLOTS)];
    let mut members = Vec::with_capacity(layout.len());
    for (index, (address, ranges)) in layout.into_iter().enumerate() {
        for range in &ranges {
            let held = usize::from(*range.start())..=usize::from(*range.end());
            slots[held].fill(u16::try_from(index).ok());
        }
        let probe = probe(servers, &ranges);
        // A server whose slots changed so much that its probes would go elsewhere starts over.
        let known = old
            .servers
            .iter()
            .find(|server| server.place.fixed() == Some(&address) && server.probe == probe);
        members.push(known.cloned().unwrap_or_else(|| {
            let place = Place {
                dialer: checked.dialers[0].clone(),
                finder: Finder::Fixed(address),
                durability: checked.durability,
                clustered: true,
            };
            Arc::new(Server::start(place, &servers.common, probe, stop.child_token()))
        }));
    }
    let new = Arc::new(Map { servers: members, placing: Placing::Slots(slots.into()) });
    // Who follows the map has work only when it changes. What was asked of the wrong server just before a change still
    // moves in the next round.
    let _held = servers.hold_wishes();
    if !new.says_the_same_as(&old) {
        servers.replace(Arc::clone(&new));
    }
    for server in &old.servers {
        let stays = new.servers.iter().any(|member| Arc::ptr_eq(member, server));
        move_out(servers, &new, server, stays);
        if !stays {
            tracing::info!(server = %server.place, "a server of the cluster has no slots any more");
            server.stop.cancel();
        }
    }
}

fn move_out(servers: &Servers, new: &Map, server: &Arc<Server>, stays: bool) {
    let home = |channel: &ChannelName| new.home(&servers.common.keys.tag(channel));
    let moved = server.ear.subscriptions.take_out(|channel| match home(channel) {
        Some(home) => Arc::ptr_eq(&home, server),
        // Nobody has the slot: what is heard stays where it was, as long as there is somebody.
        None => stays,
    });
    for moved in moved {
        if let Some(home) = home(&moved.channel) {
            home.ear.subscriptions.take_in(moved);
        } else if stays {
            server.ear.subscriptions.take_in(moved);
        } else if let Some(any) = new.servers.first() {
            // It waits there, and moves again when somebody takes the slot.
            any.ear.subscriptions.take_in(moved);
        }
    }
}

/// A pub/sub channel in one of the slots.
fn probe(servers: &Servers, ranges: &[RangeInclusive<u16>]) -> String {
    let common = &servers.common;
    let fits = |number: &u16| {
        let slot = slot(&common.keys.probe_tag(&common.node, *number));
        ranges.iter().any(|range| range.contains(&slot))
    };
    // Numbers are tried until one hashes into the slots. None does only if the server has next to no slots: its
    // probes are then refused, and it counts as deaf, until it has more.
    let number = (0..u16::MAX).find(fits).unwrap_or(0);
    common.keys.probe(&common.node, number)
}
