//! Publishing: one script, all or nothing.

use crate::call::Argument::{Bytes, Number, Text};
use crate::call::{Call, Failure};
use crate::scripts::Script;
use crate::server::Lane;
use crate::servers::Servers;
use crate::{envelope, origin};
use fanline_core::broker::{BrokerError, Publication, Published};
use fanline_core::position::Epoch;
use fanline_core::{Offset, Position};
use redis::Value;
use std::time::Duration;

/// Publishes an event where its channel lives.
pub(crate) async fn publish(
    servers: &Servers,
    publication: Publication,
) -> Result<Published, BrokerError> {
    let common = &servers.common;
    let keys = &common.keys;
    let event = envelope::encode(&publication);
    let Publication { channel, id, idempotency_key, idempotency_window, retention, ttl, .. } =
        publication;
    let (meta, log) = (keys.meta(&channel), keys.log(&channel));
    // A zero window remembers nothing.
    let key = idempotency_key.filter(|_| !idempotency_window.is_zero());
    let key = key.map(|key| keys.idempotency(&channel, &key)).unwrap_or_default();
    let declared = if retention.size > 0 { vec![meta, log.clone()] } else { vec![meta] };
    let epoch = Epoch::random(&common.random);
    let call = Call {
        script: Script::Publish,
        keys: &declared,
        arguments: &[
            Text(epoch.as_str()),
            Text(&id.to_string()),
            Bytes(&event),
            Number(retention.size as u64),
            Number(millis(ttl.map_or(retention.ttl, |ttl| ttl.min(retention.ttl)))),
            Number(millis(retention.ttl)),
            Number(millis(retention.epoch_ttl)),
            Text(common.pubsub.publish()),
            Text(&keys.live(&channel)),
            Text(&log),
            Text(&key),
            Number(millis(idempotency_window)),
        ],
        lasting: true,
    };
    let answer = servers.call(&channel, Lane::Writes, &call).await?;
    let (published, how) = read(answer).ok_or(Failure::Foreign)?;
    origin::note(how, &channel, &common.outlet.metrics);
    Ok(published)
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
