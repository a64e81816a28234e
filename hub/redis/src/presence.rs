//! Who is present in which channel, on all nodes: state that a node leases.
//!
//! A member stands in the hash of its channel together with its node; a node's lease on a channel is one field of that
//! hash, however many members it has there. The [checks](crate::checks) renew it. A node that dies lets it run out, and
//! the next node that looks after the channel takes its members out and tells of it, once for all.
//!
//! What a node holds itself is a plain table; [mending](crate::mending) makes Redis agree with it where that may not do so.

use crate::call::{Call, Failure};
use crate::member;
use crate::membership::{Departure, Entered, Entrance};
use crate::scripts::Script;
use crate::server::Lane;
use crate::servers::Servers;
use fanline_core::broker::{BrokerError, Member};
use fanline_core::channel::ChannelName;
use fanline_core::clock::Timestamp;
use fanline_core::ids::ConnectionId;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long members outlive their node: three renewals, so that one may be lost.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// The members of this node.
#[derive(Debug)]
pub(crate) struct Presence {
    servers: Arc<Servers>,
    table: Mutex<Table>,
    doubted: Notify,
}

/// A membership: of a connection in a channel.
pub(crate) type Membership = (ChannelName, ConnectionId);

#[derive(Debug, Default)]
struct Table {
    held: HashMap<ChannelName, HashMap<ConnectionId, Held>>,
    /// Those of which Redis may not know what is so. Each is held.
    unsure: HashSet<Membership>,
    /// Channels of which all who are present are such. Each is held.
    forgotten: HashSet<ChannelName>,
}

#[derive(Debug)]
enum Held {
    /// Redis has not yet said that it knows: whoever asked it to is still there.
    Entering,
    Present {
        member: Member,
        tracked: bool,
    },
    /// Redis has not yet said that it left.
    Leaving,
}

/// What is to be told of a membership.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    Entered { member: Member, tracked: bool },
    Left,
}

impl Presence {
    pub(crate) fn new(servers: Arc<Servers>) -> Self {
        Presence { servers, table: Mutex::default(), doubted: Notify::new() }
    }

    /// Makes a connection a member.
    pub(crate) async fn enter(
        &self,
        channel: &ChannelName,
        member: Member,
        tracked: bool,
    ) -> Result<(), BrokerError> {
        let common = &self.servers.common;
        let connection = member.connection;
        self.lock().hold(channel, connection, Held::Entering);
        let entrance = Entrance::new(common, channel, &member, tracked);
        let arguments = entrance.arguments(common);
        let answer = self.servers.call(channel, Lane::Writes, &entrance.call(&arguments)).await;
        let entered = answer.and_then(|answer| Entered::read(common, answer));
        if entered.as_ref().map_or_else(|failure| *failure == Failure::Away, |done| done.is_first) {
            // The others of this node may be lost, and the check finds the lease that this one has just made.
            self.doubt_others(channel, connection);
        }
        entered?;
        self.lock().entered(channel, member, tracked);
        Ok(())
    }

    /// Ends a membership.
    pub(crate) async fn leave(
        &self,
        channel: &ChannelName,
        connection: ConnectionId,
    ) -> Result<(), BrokerError> {
        let common = &self.servers.common;
        self.lock().hold(channel, connection, Held::Leaving);
        let departure = Departure::new(common, channel, connection);
        let arguments = departure.arguments(common);
        let answer = self.servers.call(channel, Lane::Writes, &departure.call(&arguments)).await?;
        Departure::read(common, answer)?;
        self.settle(&(channel.clone(), connection), &Word::Left, true);
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
        self.lock().held.keys().cloned().collect()
    }

    /// Redis may have lost the members of this node in a channel.
    pub(crate) fn doubt(&self, channel: &ChannelName) {
        self.doubt_where(channel, |_| true);
    }

    /// The same, but for one connection.
    pub(crate) fn doubt_others(&self, channel: &ChannelName, connection: ConnectionId) {
        self.doubt_where(channel, |other| *other != connection);
    }

    fn doubt_where(&self, channel: &ChannelName, is_so: impl Fn(&ConnectionId) -> bool) {
        let mut table = self.lock();
        let mut held = table.held.get(channel).into_iter().flatten();
        let has_any = held.any(|(connection, held)| held.is_present() && is_so(connection));
        if has_any && table.forgotten.insert(channel.clone()) {
            self.doubted.notify_one();
        }
    }

    /// Waits until something was [doubted](Self::doubt).
    pub(crate) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// Takes those of which Redis may not know what is so: first those who left, then in the order of joining.
    pub(crate) fn take_unsure(&self) -> Vec<Membership> {
        let mut table = self.lock();
        let forgotten = std::mem::take(&mut table.forgotten);
        let Table { held, unsure, .. } = &mut *table;
        for channel in forgotten {
            let present =
                held.get(&channel).into_iter().flatten().filter(|(_, it)| it.is_present());
            unsure.extend(present.map(|(connection, _)| (channel.clone(), *connection)));
        }
        let mut taken: Vec<_> = std::mem::take(unsure).into_iter().collect();
        taken.sort_by_cached_key(|membership| match table.find(membership) {
            Some(Held::Present { member, .. }) => member.joined_at,
            Some(Held::Entering | Held::Leaving) | None => Timestamp::default(),
        });
        taken
    }

    /// What is so, if Redis is to be told of it now.
    pub(crate) fn word(&self, membership: &Membership) -> Option<Word> {
        let mut table = self.lock();
        match table.find(membership)? {
            Held::Present { member, tracked } => {
                Some(Word::Entered { member: member.clone(), tracked: *tracked })
            }
            Held::Leaving => Some(Word::Left),
            Held::Entering => {
                // Looked at again when whoever asks has an answer.
                table.unsure.insert(membership.clone());
                None
            }
        }
    }

    /// Redis was told something, and has answered or not. What became otherwise meanwhile it may have heard of before
    /// that, so that it is to be told again.
    pub(crate) fn settle(&self, membership: &Membership, told: &Word, has_answered: bool) {
        let (channel, connection) = membership;
        let mut table = self.lock();
        match (table.find(membership), told) {
            (Some(Held::Present { member, .. }), Word::Entered { member: told, .. })
                if has_answered && member == told =>
            {
                table.unsure.remove(membership);
            }
            (Some(Held::Leaving), Word::Left) if has_answered => {
                table.release(channel, *connection);
            }
            (None, Word::Left) => {}
            (None, Word::Entered { .. }) => table.hold(channel, *connection, Held::Leaving),
            (Some(_), Word::Entered { .. } | Word::Left) => {
                table.unsure.insert(membership.clone());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, (channel, connection): &Membership) -> Option<&Held> {
        self.held.get(channel)?.get(connection)
    }

    fn hold(&mut self, channel: &ChannelName, connection: ConnectionId, held: Held) {
        if matches!(held, Held::Leaving) {
            // Until Redis has answered, also if whoever asks gives up.
            self.unsure.insert((channel.clone(), connection));
        }
        self.held.entry(channel.clone()).or_default().insert(connection, held);
    }

    /// Redis knows of a member, unless it left meanwhile.
    fn entered(&mut self, channel: &ChannelName, member: Member, tracked: bool) {
        let held = self.held.get_mut(channel).and_then(|held| held.get_mut(&member.connection));
        if let Some(held) = held.filter(|held| matches!(held, Held::Entering)) {
            *held = Held::Present { member, tracked };
        }
    }

    fn release(&mut self, channel: &ChannelName, connection: ConnectionId) {
        self.unsure.remove(&(channel.clone(), connection));
        let Some(held) = self.held.get_mut(channel) else { return };
        held.remove(&connection);
        if held.is_empty() {
            self.held.remove(channel);
            self.forgotten.remove(channel);
        }
    }
}

impl Held {
    fn is_present(&self) -> bool {
        matches!(self, Held::Present { .. })
    }
}
