//! The script that publishes: what it is given, and what it answers. All or nothing happens.

use crate::call::Argument::{Bytes, Number, Text};
use crate::call::{Argument, Call, Failure};
use crate::scripts::Script;
use crate::server::Common;
use crate::{envelope, origin};
use fanline_core::broker::{Publication, Published};
use fanline_core::channel::ChannelName;
use fanline_core::namespace::Retention;
use fanline_core::position::Epoch;
use fanline_core::{Offset, Position};
use redis::Value;
use std::time::Duration;

/// An event, written as the script takes it.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) channel: ChannelName,
    /// The meta, and the log if there is history.
    declared: Vec<String>,
    log: String,
    live: String,
    /// The key of the idempotency key; none: empty.
    idempotency: String,
    idempotency_window: Duration,
    /// The epoch that begins if there is none.
    epoch: Epoch,
    id: String,
    event: Vec<u8>,
    retention: Retention,
    event_life: Duration,
    publish: &'static str,
}

/// What the script is given beside keys and fence.
pub(crate) type Arguments<'a> = [Argument<'a>; 12];

impl Written {
    pub(crate) fn new(common: &Common, publication: Publication) -> Self {
        let keys = &common.keys;
        let event = envelope::encode(&publication);
        let Publication {
            channel, id, idempotency_key, idempotency_window, retention, ttl, ..
        } = publication;
        let (meta, log) = (keys.meta(&channel), keys.log(&channel));
        // A zero window remembers nothing.
        let key = idempotency_key.filter(|_| !idempotency_window.is_zero());
        Written {
            declared: if retention.size > 0 { vec![meta, log.clone()] } else { vec![meta] },
            log,
            live: keys.live(&channel),
            idempotency: key.map(|key| keys.idempotency(&channel, &key)).unwrap_or_default(),
            idempotency_window,
            epoch: Epoch::random(&common.random),
            id: id.to_string(),
            event,
            retention,
            event_life: ttl.map_or(retention.ttl, |ttl| ttl.min(retention.ttl)),
            publish: common.pubsub.publish(),
            channel,
        }
    }

    /// Its size, to within the names.
    pub(crate) fn bytes(&self) -> usize {
        self.event.len()
    }

    pub(crate) fn arguments(&self) -> Arguments<'_> {
        [
            Text(self.epoch.as_str()),
            Text(&self.id),
            Bytes(&self.event),
            Number(self.retention.size as u64),
            Number(millis(self.event_life)),
            Number(millis(self.retention.ttl)),
            Number(millis(self.retention.epoch_ttl)),
            Text(self.publish),
            Text(&self.live),
            Text(&self.log),
            Text(&self.idempotency),
            Number(millis(self.idempotency_window)),
        ]
    }

    pub(crate) fn call<'a>(&'a self, arguments: &'a Arguments<'a>) -> Call<'a> {
        Call { script: Script::Publish, keys: &self.declared, arguments, lasting: true }
    }

    /// Reads the answer, and counts the epoch that it tells of.
    pub(crate) fn read(&self, common: &Common, answer: Value) -> Result<Published, Failure> {
        let (published, how) = read(answer).ok_or(Failure::Foreign)?;
        origin::note(how, &self.channel, &common.outlet.metrics);
        Ok(published)
    }
}

fn read(answer: Value) -> Option<(Published, u8)> {
    let (id, epoch, offset, duplicate, origin): (String, String, u64, bool, u8) =
        redis::from_redis_value(answer).ok()?;
    let position = Position::new(epoch.parse().ok()?, Offset::new(offset));
    Some((Published { id: id.parse().ok()?, position, duplicate }, origin))
}

/// As Redis counts lives: whole milliseconds, and at least one.
pub(crate) fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1)
}
