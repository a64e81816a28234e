//! Who is present in which channel, on all nodes: state that a node leases.
//!
//! A member stands in the hash of its channel together with its node; a node's lease on a channel is one field of that
//! hash, however many members it has there. The [checks](crate::checks) renew it. A node that dies lets it run out, and
//! the next node that looks after the channel takes its members out and tells of it, once for all.

use crate::call::Argument::{Bytes, Number, Text};
use crate::call::{Call, Failure};
use crate::member;
use crate::publish::millis;
use crate::scripts::Script;
use crate::server::Lane;
use crate::servers::Servers;
use fanline_core::broker::{BrokerError, Member};
use fanline_core::channel::ChannelName;
use fanline_core::ids::ConnectionId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long members outlive their node: three renewals, so that one may be lost.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// The members of this node, by which Redis can be put right.
#[derive(Debug)]
pub(crate) struct Presence {
    servers: Arc<Servers>,
    held: Mutex<HashMap<ChannelName, HashMap<ConnectionId, Held>>>,
}

#[derive(Debug)]
enum Held {
    /// Redis has not yet said that it knows: whoever asked it to is still there.
    Entering,
    Present {
        member: Member,
        tracked: bool,
    },
    /// Redis could not be told that it left.
    Leaving,
}

impl Presence {
    pub(crate) fn new(servers: Arc<Servers>) -> Self {
        Presence { servers, held: Mutex::default() }
    }

    /// Makes a connection a member.
    pub(crate) async fn enter(
        &self,
        channel: &ChannelName,
        member: Member,
        tracked: bool,
    ) -> Result<(), BrokerError> {
        self.hold(channel, member.connection, Held::Entering);
        self.tell_entered(channel, &member, tracked).await?;
        let mut held = self.lock();
        let place = held.get_mut(channel).and_then(|held| held.get_mut(&member.connection));
        // Unless it left meanwhile.
        if let Some(place) = place.filter(|place| matches!(place, Held::Entering)) {
            *place = Held::Present { member, tracked };
        }
        Ok(())
    }

    /// Ends a membership.
    pub(crate) async fn leave(
        &self,
        channel: &ChannelName,
        connection: ConnectionId,
    ) -> Result<(), BrokerError> {
        self.hold(channel, connection, Held::Leaving);
        self.tell_left(channel, connection).await?;
        self.release(channel, connection);
        Ok(())
    }

    /// The members on all nodes, in the order of their joining.
    pub(crate) async fn members(&self, channel: &ChannelName) -> Result<Vec<Member>, BrokerError> {
        let call = Call {
            script: Script::Members,
            keys: &[self.servers.common.keys.members(channel)],
            arguments: &[],
            lasting: false,
        };
        let answer = self.servers.call(channel, Lane::Reads, &call).await?;
        let mut listed: Vec<(u64, Vec<u8>)> =
            redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
        listed.sort_unstable_by_key(|(order, _)| *order);
        Ok(listed.iter().filter_map(|(_, member)| member::decode(member)).collect())
    }

    /// The channels in which this node has, or had, members.
    pub(crate) fn channels(&self) -> Vec<ChannelName> {
        self.lock().keys().cloned().collect()
    }

    /// Redis has lost the lease of this node on a channel, and with it the members: puts them back.
    pub(crate) async fn restore(&self, channel: &ChannelName) {
        let present: Vec<(Member, bool)> = {
            let held = self.lock();
            let held = held.get(channel).into_iter().flat_map(HashMap::values);
            let present = held.filter_map(|held| match held {
                Held::Present { member, tracked } => Some((member.clone(), *tracked)),
                Held::Entering | Held::Leaving => None,
            });
            present.collect()
        };
        for (member, tracked) in present {
            if let Err(failure) = self.tell_entered(channel, &member, tracked).await {
                return tracing::debug!(%channel, ?failure, "members could not be put back yet");
            }
            self.servers.common.outlet.metrics.members_restored.inc();
            // It may have left while it was put back.
            let left =
                !self.lock().get(channel).is_some_and(|held| held.contains_key(&member.connection));
            if left {
                let _the_next_round_tries_again = self.leave(channel, member.connection).await;
            }
        }
    }

    /// Tells Redis of those who left while it was away.
    pub(crate) async fn catch_up(&self, channel: &ChannelName) {
        let leaving: Vec<ConnectionId> = {
            let held = self.lock();
            let held = held.get(channel).into_iter().flatten();
            held.filter(|(_, held)| matches!(held, Held::Leaving)).map(|(id, _)| *id).collect()
        };
        for connection in leaving {
            if self.tell_left(channel, connection).await.is_ok() {
                self.release(channel, connection);
            }
        }
    }

    async fn tell_entered(
        &self,
        channel: &ChannelName,
        member: &Member,
        tracked: bool,
    ) -> Result<(), Failure> {
        let common = &self.servers.common;
        let call = Call {
            script: Script::Enter,
            keys: &[common.keys.members(channel), common.keys.changes(channel)],
            arguments: &[
                Text(&common.node),
                Number(millis(LEASE)),
                Text(&member.connection.to_string()),
                Bytes(&member::encode(member)),
                Text(common.pubsub.publish()),
                Text(&common.keys.live(channel)),
                Text(if tracked { "tracked" } else { "" }),
            ],
            lasting: false,
        };
        self.change(channel, &call).await
    }

    async fn tell_left(
        &self,
        channel: &ChannelName,
        connection: ConnectionId,
    ) -> Result<(), Failure> {
        let common = &self.servers.common;
        let call = Call {
            script: Script::Leave,
            keys: &[common.keys.members(channel), common.keys.changes(channel)],
            arguments: &[
                Text(&connection.to_string()),
                Text(common.pubsub.publish()),
                Text(&common.keys.live(channel)),
            ],
            lasting: false,
        };
        self.change(channel, &call).await
    }

    /// Calls a script that says how many changes were given up to write one down.
    async fn change(&self, channel: &ChannelName, call: &Call<'_>) -> Result<(), Failure> {
        let answer = self.servers.call(channel, Lane::Writes, call).await?;
        let lost: u64 = redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
        self.servers.common.outlet.metrics.changes_lost.inc_by(lost);
        Ok(())
    }

    fn hold(&self, channel: &ChannelName, connection: ConnectionId, held: Held) {
        self.lock().entry(channel.clone()).or_default().insert(connection, held);
    }

    fn release(&self, channel: &ChannelName, connection: ConnectionId) {
        let mut held = self.lock();
        if let Some(connections) = held.get_mut(channel) {
            // A member who came back meanwhile stays.
            if matches!(connections.get(&connection), Some(Held::Leaving)) {
                connections.remove(&connection);
            }
            if connections.is_empty() {
                held.remove(channel);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelName, HashMap<ConnectionId, Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
