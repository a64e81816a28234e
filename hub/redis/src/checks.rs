//! The rounds that a node makes through its channels: those it hears, and those in which it has members.
//!
//! A message that pub/sub lost leaves no trace when no other follows it. So each round compares where channels stand
//! with what was noticed; the same call keeps their meta alive, renews the node's lease on their members, and takes out
//! those of dead nodes. Calls go in batches, a round trip for each.

use crate::call::Argument::{Number, Text};
use crate::call::{Call, Failure};
use crate::origin;
use crate::presence::{LEASE, Presence};
use crate::publish::millis;
use crate::scripts::Script;
use crate::server::{Lane, Server};
use crate::servers::{CALL, Servers};
use crate::session::Session;
use fanline_core::channel::ChannelName;
use fanline_core::namespace::Retention;
use fanline_core::position::Epoch;
use fanline_core::{Offset, Position};
use redis::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
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
            let jitter = 0.75 + 0.5 * servers.common.random.fraction();
            tokio::time::sleep(ROUND.mul_f64(jitter)).await;
            let present = presence.channels();
            for channel in &present {
                presence.catch_up(channel).await;
            }
            go_round(&servers, &presence, &present).await;
        }
    };
    stop.run_until_cancelled(rounds).await;
}

async fn go_round(servers: &Servers, presence: &Presence, present: &[ChannelName]) {
    let map = servers.map();
    let mut homes: HashMap<usize, HashMap<ChannelName, bool>> = HashMap::new();
    let home = |channel: &ChannelName| map.placing.server(&servers.common.keys.tag(channel));
    for (index, server) in map.servers.iter().enumerate() {
        let heard = server.ear.subscriptions.heard().into_iter().map(|channel| (channel, false));
        // What nodes tell each other has no history to compare with.
        let heard = heard.filter(|(channel, _)| !servers.common.own.contains(channel));
        homes.entry(index).or_default().extend(heard);
    }
    for channel in present {
        if let Some(index) = home(channel) {
            homes.entry(index).or_default().insert(channel.clone(), true);
        }
    }
    for (index, channels) in homes {
        let Some(server) = map.servers.get(index) else { continue };
        let channels: Vec<_> = channels.into_iter().collect();
        for batch in channels.chunks(BATCH) {
            match check(servers, server, batch).await {
                Ok(outcome) => settle(servers, presence, server, outcome).await,
                Err(failure) => {
                    tracing::debug!(?failure, "channels could not be looked after now");
                    break;
                }
            }
        }
    }
}

/// What a batch told.
#[derive(Debug, Default)]
struct Outcome {
    tops: Vec<(ChannelName, Position)>,
    /// Channels of which Redis does not know that this node has members there.
    lost: HashSet<ChannelName>,
}

/// Looks after some channels of one server; `true`: this node has members there.
async fn check(
    servers: &Servers,
    server: &Server,
    batch: &[(ChannelName, bool)],
) -> Result<Outcome, Failure> {
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
    let deadline = Instant::now() + CALL;
    let answers = server
        .attempt(Lane::Reads, deadline, async |session: &Session| {
            session.run_each(Script::Check, &calls).await
        })
        .await?;
    let mut outcome = Outcome::default();
    for ((channel, _), answer) in batch.iter().zip(answers) {
        // One that moved, or is damaged, is met again in the next round.
        let Some((top, origin, renewed, changes_lost)) = answer.ok().and_then(read) else {
            common.stale.notify_one();
            continue;
        };
        origin::note(origin, channel, &common.outlet.metrics);
        common.outlet.metrics.changes_lost.inc_by(changes_lost);
        outcome.tops.push((channel.clone(), top));
        if !renewed {
            outcome.lost.insert(channel.clone());
        }
    }
    Ok(outcome)
}

fn read(answer: Value) -> Option<(Position, u8, bool, u64)> {
    let (epoch, offset, origin, renewed, changes_lost): (String, u64, u8, bool, u64) =
        redis::from_redis_value(answer).ok()?;
    let top = Position::new(epoch.parse().ok()?, Offset::new(offset));
    Some((top, origin, renewed, changes_lost))
}

async fn settle(servers: &Servers, presence: &Presence, server: &Server, outcome: Outcome) {
    tokio::time::sleep(GRACE).await;
    for (channel, top) in outcome.tops {
        if server.ear.subscriptions.compare(&servers.live(&channel), top) {
            servers.common.outlet.metrics.channels_behind.inc();
        }
    }
    for channel in outcome.lost {
        presence.restore(&channel).await;
    }
}
