//! The rounds that a node makes through its channels: those it hears, and those in which it has members.
//!
//! A message that pub/sub lost leaves no trace when no other follows it. So each round compares where channels stand
//! with what was noticed; the same call keeps their meta alive, renews the node's lease on their members, and takes out
//! those of dead nodes. Calls go in batches, a round trip for each. Nothing else holds up a round: a lease that is not
//! renewed in time costs the node its members.

use crate::call::Argument::{Number, Text};
use crate::call::{Call, Failure};
use crate::origin;
use crate::presence::{LEASE, Presence};
use crate::publish::millis;
use crate::scripts::Script;
use crate::server::{Lane, Server};
use crate::servers::Servers;
use fanline_core::channel::ChannelName;
use fanline_core::namespace::Retention;
use fanline_core::position::Epoch;
use fanline_core::{Offset, Position};
use redis::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two rounds, before jitter.
const ROUND: Duration = Duration::from_secs(4);
/// Channels of one round trip.
const BATCH: usize = 128;
/// What a message may be on its way when the channel is already seen to stand after it.
const GRACE: Duration = Duration::from_millis(300);

/// Makes rounds, until `stop`.
pub(crate) async fn run(servers: Arc<Servers>, presence: Arc<Presence>, stop: CancellationToken) {
    let rounds = async {
        loop {
            tokio::time::sleep(servers.common.random.around(ROUND, 0.25)).await;
            let tops = go_round(&servers, &presence).await;
            tokio::time::sleep(GRACE).await;
            compare(&servers, tops);
        }
    };
    stop.run_until_cancelled(rounds).await;
}

/// Where the channels of a server stand.
type Tops = (Arc<Server>, Vec<(ChannelName, Position)>);

async fn go_round(servers: &Servers, presence: &Presence) -> Vec<Tops> {
    let (map, mut tops) = (servers.map(), Vec::new());
    let mut homes: HashMap<usize, HashMap<ChannelName, bool>> = HashMap::new();
    let home = |channel: &ChannelName| map.placing.server(&servers.common.keys.tag(channel));
    for (index, server) in map.servers.iter().enumerate() {
        let heard = server.ear.subscriptions.heard().into_iter().map(|channel| (channel, false));
        // What nodes tell each other has no history to compare with.
        let heard = heard.filter(|(channel, _)| !servers.common.own.contains(channel));
        homes.entry(index).or_default().extend(heard);
    }
    for channel in presence.channels() {
        if let Some(index) = home(&channel) {
            homes.entry(index).or_default().insert(channel, true);
        }
    }
    for (index, channels) in homes {
        let Some(server) = map.servers.get(index) else { continue };
        let channels: Vec<_> = channels.into_iter().collect();
        let mut seen = Vec::with_capacity(channels.len());
        for batch in channels.chunks(BATCH) {
            if let Err(failure) = check(servers, presence, server, batch, &mut seen).await {
                tracing::debug!(?failure, "channels could not be looked after now");
                break;
            }
        }
        tops.push((Arc::clone(server), seen));
    }
    tops
}

/// Suspects the channels of which less was noticed than they hold.
fn compare(servers: &Servers, tops: Vec<Tops>) {
    for (server, tops) in tops {
        for (channel, top) in tops {
            if server.ear.subscriptions.compare(&servers.live(&channel), top) {
                servers.common.outlet.metrics.channels_behind.inc();
            }
        }
    }
}

/// Looks after some channels of one server; `true`: this node has members there. Says where they stand.
async fn check(
    servers: &Servers,
    presence: &Presence,
    server: &Server,
    batch: &[(ChannelName, bool)],
    tops: &mut Vec<(ChannelName, Position)>,
) -> Result<(), Failure> {
    let common = &servers.common;
    let keys = &common.keys;
    let named: Vec<_> = batch
        .iter()
        .map(|(channel, present)| {
            let declared = [
                keys.meta(channel),
                keys.log(channel),
                keys.members(channel),
                keys.changes(channel),
            ];
            (declared, keys.live(channel), Epoch::random(&common.random), *present)
        })
        .collect();
    let arguments: Vec<_> = named
        .iter()
        .map(|(_, live, epoch, present)| {
            [
                Text(epoch.as_str()),
                Number(millis(Retention::default().epoch_ttl)),
                Text(common.pubsub.publish()),
                Text(live),
                Text(if *present { &common.node } else { "" }),
                Number(millis(LEASE)),
            ]
        })
        .collect();
    let calls: Vec<_> = named
        .iter()
        .zip(&arguments)
        .map(|((declared, ..), arguments)| Call {
            script: Script::Check,
            keys: declared,
            arguments,
            lasting: false,
        })
        .collect();
    let answers = server.run_each(Lane::Reads, Script::Check, &calls).await?;
    for ((channel, _), answer) in batch.iter().zip(answers) {
        // One that moved, or is damaged, is met again in the next round.
        let Some((top, origin, renewed, changes_lost)) = answer.ok().and_then(read) else {
            common.stale.notify_one();
            continue;
        };
        origin::note(origin, channel, &common.outlet.metrics);
        common.outlet.metrics.changes_lost.inc_by(changes_lost);
        tops.push((channel.clone(), top));
        if !renewed {
            presence.doubt(channel);
        }
    }
    Ok(())
}

fn read(answer: Value) -> Option<(Position, u8, bool, u64)> {
    let (epoch, offset, origin, renewed, changes_lost): (String, u64, u8, bool, u64) =
        redis::from_redis_value(answer).ok()?;
    let top = Position::new(epoch.parse().ok()?, Offset::new(offset));
    Some((top, origin, renewed, changes_lost))
}
