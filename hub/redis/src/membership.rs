//! The scripts by which a connection enters a channel and leaves it: what they are given, and what they answer.

use crate::call::Argument::{Bytes, Number, Text};
use crate::call::{Argument, Call, Failure};
use crate::member;
use crate::presence::LEASE;
use crate::publish::millis;
use crate::scripts::Script;
use crate::server::Common;
use fanline_core::broker::Member;
use fanline_core::channel::ChannelName;
use fanline_core::ids::ConnectionId;
use redis::Value;

/// An entrance, written as its script takes it.
#[derive(Debug)]
pub(crate) struct Entrance {
    keys: [String; 2],
    live: String,
    connection: String,
    member: Vec<u8>,
    tracked: bool,
}

/// What an entrance did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entered {
    /// The node had no lease in the channel: Redis has none of its members there but this one.
    pub(crate) is_first: bool,
    /// The member was not there as it is now.
    pub(crate) is_news: bool,
}

impl Entrance {
    pub(crate) fn new(
        common: &Common,
        channel: &ChannelName,
        member: &Member,
        tracked: bool,
    ) -> Self {
        Entrance {
            keys: keys(common, channel),
            live: common.keys.live(channel),
            connection: member.connection.to_string(),
            member: member::encode(member),
            tracked,
        }
    }

    pub(crate) fn arguments<'a>(&'a self, common: &'a Common) -> [Argument<'a>; 7] {
        [
            Text(&common.node),
            Number(millis(LEASE)),
            Text(&self.connection),
            Bytes(&self.member),
            Text(common.pubsub.publish()),
            Text(&self.live),
            Text(if self.tracked { "tracked" } else { "" }),
        ]
    }

    pub(crate) fn call<'a>(&'a self, arguments: &'a [Argument<'a>]) -> Call<'a> {
        Call { script: Script::Enter, keys: &self.keys, arguments, lasting: false }
    }
}

impl Entered {
    /// Reads the answer, and counts the changes that were given up.
    pub(crate) fn read(common: &Common, answer: Value) -> Result<Self, Failure> {
        let (lost, is_first, is_news): (u64, bool, bool) =
            redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
        common.outlet.metrics.changes_lost.inc_by(lost);
        Ok(Entered { is_first, is_news })
    }
}

/// A departure, written as its script takes it.
#[derive(Debug)]
pub(crate) struct Departure {
    keys: [String; 2],
    live: String,
    connection: String,
}

impl Departure {
    pub(crate) fn new(common: &Common, channel: &ChannelName, connection: ConnectionId) -> Self {
        Departure {
            keys: keys(common, channel),
            live: common.keys.live(channel),
            connection: connection.to_string(),
        }
    }

    pub(crate) fn arguments<'a>(&'a self, common: &'a Common) -> [Argument<'a>; 3] {
        [Text(&self.connection), Text(common.pubsub.publish()), Text(&self.live)]
    }

    pub(crate) fn call<'a>(&'a self, arguments: &'a [Argument<'a>]) -> Call<'a> {
        Call { script: Script::Leave, keys: &self.keys, arguments, lasting: false }
    }

    /// Reads the answer: counts the changes that were given up.
    pub(crate) fn read(common: &Common, answer: Value) -> Result<(), Failure> {
        let lost: u64 = redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
        common.outlet.metrics.changes_lost.inc_by(lost);
        Ok(())
    }
}

fn keys(common: &Common, channel: &ChannelName) -> [String; 2] {
    [common.keys.members(channel), common.keys.changes(channel)]
}
