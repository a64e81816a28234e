//! Makes Redis agree with what this node knows of its members: takes out those of whose leaving it could not be told, and
//! puts back those that it lost.
//!
//! Apart from the [checks](crate::checks), which must not wait for it: a node that puts back a hundred thousand members
//! goes on renewing its leases. Calls go in batches, a round trip for each.

use crate::call::Failure;
use crate::membership::{Departure, Entered, Entrance};
use crate::presence::{Membership, Presence, Word};
use crate::scripts::Script;
use crate::server::{Lane, Server};
use crate::servers::Servers;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two tries to tell Redis what it could not be told.
const RETRY: Duration = Duration::from_secs(2);
/// Memberships of one round trip.
const BATCH: usize = 128;

/// Mends, until `stop`.
pub(crate) async fn run(servers: Arc<Servers>, presence: Arc<Presence>, stop: CancellationToken) {
    let mending = async {
        loop {
            let retry = servers.common.random.around(RETRY, 0.25);
            let _either_way = tokio::time::timeout(retry, presence.doubted()).await;
            for batch in presence.take_unsure().chunks(BATCH) {
                tell(&servers, &presence, batch).await;
            }
        }
    };
    stop.run_until_cancelled(mending).await;
}

async fn tell(servers: &Servers, presence: &Presence, batch: &[Membership]) {
    let words = batch.iter().filter_map(|membership| {
        let word = presence.word(membership)?;
        Some((membership.clone(), word))
    });
    let tag = |((channel, _), _): &(Membership, Word)| servers.common.keys.tag(channel);
    for (server, words) in servers.by_home(words, tag) {
        let Some(server) = server else {
            words.iter().for_each(|(membership, word)| presence.settle(membership, word, false));
            continue;
        };
        let (left, entered): (Vec<_>, Vec<_>) =
            words.into_iter().partition(|(_, word)| matches!(word, Word::Left));
        tell_departures(servers, presence, &server, left).await;
        tell_entrances(servers, presence, &server, entered).await;
    }
}

async fn tell_departures(
    servers: &Servers,
    presence: &Presence,
    server: &Server,
    left: Vec<(Membership, Word)>,
) {
    let common = &servers.common;
    let written = left.iter().map(|((channel, id), _)| Departure::new(common, channel, *id));
    let written: Vec<_> = written.collect();
    let arguments: Vec<_> = written.iter().map(|one| one.arguments(common)).collect();
    let calls = written.iter().zip(&arguments).map(|(one, arguments)| one.call(arguments));
    let calls: Vec<_> = calls.collect();
    let answers = server.run_each(Lane::Writes, Script::Leave, &calls).await;
    let answers = answers.unwrap_or_else(|failure| vec![Err(failure); calls.len()]);
    for ((membership, word), answer) in left.iter().zip(answers) {
        let done = answer.and_then(|answer| Departure::read(common, answer));
        settle(servers, presence, membership, word, &done);
    }
}

async fn tell_entrances(
    servers: &Servers,
    presence: &Presence,
    server: &Server,
    entered: Vec<(Membership, Word)>,
) {
    let common = &servers.common;
    let written = entered.iter().filter_map(|((channel, _), word)| match word {
        Word::Entered { member, tracked } => Some(Entrance::new(common, channel, member, *tracked)),
        Word::Left => None,
    });
    let written: Vec<_> = written.collect();
    let arguments: Vec<_> = written.iter().map(|one| one.arguments(common)).collect();
    let calls = written.iter().zip(&arguments).map(|(one, arguments)| one.call(arguments));
    let calls: Vec<_> = calls.collect();
    let answers = server.run_each(Lane::Writes, Script::Enter, &calls).await;
    let answers = answers.unwrap_or_else(|failure| vec![Err(failure); calls.len()]);
    for ((membership, word), answer) in entered.iter().zip(answers) {
        let done = answer.and_then(|answer| Entered::read(common, answer));
        settle(servers, presence, membership, word, &done);
        let Ok(Entered { is_first, is_news }) = done else { continue };
        common.outlet.metrics.members_restored.inc_by(u64::from(is_news));
        if is_first {
            // Those who were put back before it may have been lost once more.
            presence.doubt_others(&membership.0, membership.1);
        }
    }
}

fn settle<T>(
    servers: &Servers,
    presence: &Presence,
    membership: &Membership,
    told: &Word,
    done: &Result<T, Failure>,
) {
    if let Err(failure) = done {
        tracing::debug!(channel = %membership.0, ?failure, "a membership could not be put right yet");
        // In a cluster the map may be to blame.
        servers.common.stale.notify_one();
    }
    presence.settle(membership, told, done.is_ok());
}
