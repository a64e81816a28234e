//! Which users have connections on this node, as the other nodes find it in Redis.
//!
//! A table of what is so, and a set of those of whom Redis has yet to be told; one worker tells, many in a round trip, so
//! that the last state of a user wins. What Redis knows is leased and is told again long before the lease is over, in
//! small portions.

use crate::call::Argument::{Number, Text};
use crate::call::{Call, Failure};
use crate::publish::millis;
use crate::scripts::Script;
use crate::server::{Lane, Server};
use crate::servers::Servers;
use fanline_core::broker::BrokerError;
use fanline_core::ids::{NodeId, UserId};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long Redis believes that a user is on a node which says no more of it.
const LEASE: Duration = Duration::from_secs(15 * 60);
/// In this time each user is told of again: twice and a half within a lease.
const RENEWAL: Duration = Duration::from_secs(6 * 60);
/// Between two portions of that.
const PORTION: Duration = Duration::from_secs(1);
/// Users of one round trip.
const BATCH: usize = 128;
/// After a round trip that failed.
const PAUSE: Duration = Duration::from_millis(200);
/// Users who went away while Redis could not be told. More are left to their lease.
const ABSENT: usize = 100_000;

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Bounded by the connections of the node.
    here: HashSet<UserId>,
    /// Of these Redis has yet to be told, whether they are here or not.
    untold: HashSet<UserId>,
}

/// A user, and whether it is here.
type Told = (UserId, bool);

impl Directory {
    pub(crate) fn attach(&self, user: &UserId) {
        let mut state = self.lock();
        state.here.insert(user.clone());
        state.untold.insert(user.clone());
        self.changed.notify_one();
    }

    pub(crate) fn detach(&self, user: &UserId) {
        let mut state = self.lock();
        state.here.remove(user);
        if state.untold.len() < state.here.len() + ABSENT {
            state.untold.insert(user.clone());
            self.changed.notify_one();
        }
    }

    /// Redis may have forgotten.
    pub(crate) fn say_all_again(&self) {
        let mut state = self.lock();
        let State { here, untold } = &mut *state;
        untold.extend(here.iter().cloned());
        self.changed.notify_one();
    }

    /// The nodes on which a user has connections.
    pub(crate) async fn nodes_of(
        servers: &Servers,
        user: &UserId,
    ) -> Result<Vec<NodeId>, BrokerError> {
        let keys = &servers.common.keys;
        let call = Call {
            script: Script::NodesOf,
            keys: &[keys.user(user)],
            arguments: &[],
            lasting: false,
        };
        let answer = servers.call_at(&keys.user_tag(user), Lane::Reads, &call).await?;
        let nodes: Vec<String> = redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
        Ok(nodes.iter().filter_map(|node| node.parse().ok()).collect())
    }

    /// Tells Redis, until `stop`.
    pub(crate) async fn run(self: Arc<Self>, servers: Arc<Servers>, stop: CancellationToken) {
        let telling = async {
            let mut renewals = Vec::new();
            let mut portion = 0;
            let mut next_portion = Instant::now() + PORTION;
            loop {
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = servers.common.forgot.notified() => self.say_all_again(),
                    () = tokio::time::sleep_until(next_portion) => {
                        next_portion = Instant::now() + PORTION;
                        if renewals.is_empty() {
                            renewals = self.lock().here.iter().cloned().collect();
                            portion = renewals.len() / RENEWAL.as_secs() as usize + 1;
                        }
                        let rest = renewals.len().saturating_sub(portion);
                        self.lock().untold.extend(renewals.drain(rest..));
                    }
                }
                self.tell_all(&servers).await;
            }
        };
        stop.run_until_cancelled(telling).await;
    }

    async fn tell_all(&self, servers: &Servers) {
        loop {
            let batch = self.next_batch();
            if batch.is_empty() {
                return;
            }
            let mut failed = false;
            let tag = |(user, _): &Told| servers.common.keys.user_tag(user);
            for (server, users) in servers.by_home(batch, tag) {
                let told = match server {
                    Some(server) => tell(servers, &server, &users).await,
                    None => vec![false; users.len()],
                };
                let untold = users.into_iter().zip(told).filter(|(_, told)| !told);
                let mut state = self.lock();
                for ((user, _), _) in untold {
                    failed = true;
                    state.untold.insert(user);
                }
            }
            if failed {
                servers.common.stale.notify_one();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Some users with what is so, no longer among the untold: whoever changes meanwhile is told of again.
    fn next_batch(&self) -> Vec<Told> {
        let mut state = self.lock();
        let State { here, untold } = &mut *state;
        let users: Vec<UserId> = untold.iter().take(BATCH).cloned().collect();
        let told = users.into_iter().map(|user| {
            untold.remove(&user);
            let is_here = here.contains(&user);
            (user, is_here)
        });
        told.collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells one server, in one round trip; says of whom it was told.
async fn tell(servers: &Servers, server: &Server, users: &[Told]) -> Vec<bool> {
    let common = &servers.common;
    let named: Vec<_> = users.iter().map(|(user, _)| [common.keys.user(user)]).collect();
    let arguments: Vec<_> = users
        .iter()
        .map(|(_, is_here)| {
            [Text(&common.node), Number(millis(LEASE)), Number(u64::from(*is_here))]
        })
        .collect();
    let calls: Vec<_> = named
        .iter()
        .zip(&arguments)
        .map(|(keys, arguments)| Call { script: Script::Attach, keys, arguments, lasting: false })
        .collect();
    match server.run_each(Lane::Writes, Script::Attach, &calls).await {
        Ok(answers) => answers.iter().map(Result::is_ok).collect(),
        Err(_failure) => vec![false; users.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> UserId {
        UserId::new(&number.to_string()).unwrap()
    }

    #[test]
    fn the_last_state_of_a_user_is_told_and_the_absent_are_bounded() {
        let directory = Directory::default();
        directory.attach(&user(1));
        directory.detach(&user(1));
        directory.attach(&user(1));
        assert_eq!(directory.next_batch(), [(user(1), true)]);
        assert_eq!(directory.next_batch(), []);
        for number in 0..ABSENT + 10 {
            directory.detach(&user(number + 2));
        }
        assert_eq!(directory.lock().untold.len(), ABSENT + 1);
        directory.say_all_again();
        assert!(directory.lock().untold.contains(&user(1)));
    }
}
