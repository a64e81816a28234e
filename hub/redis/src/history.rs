//! Reading history: a page, and where the channel stands at the same moment.

use crate::call::Argument::{Number, Text};
use crate::call::{Call, Failure};
use crate::publish::millis;
use crate::scripts::Script;
use crate::server::Lane;
use crate::servers::Servers;
use crate::{envelope, origin};
use fanline_core::broker::{BrokerError, ChannelState, HistoryPage, HistoryQuery, HistoryRange};
use fanline_core::channel::ChannelName;
use fanline_core::namespace::Retention;
use fanline_core::position::Epoch;
use fanline_core::{Offset, Position};
use redis::Value;
use std::sync::Arc;

/// Most events of one answer of Redis, whatever was asked for: it answers nobody else meanwhile.
const PAGE: usize = 10_000;

/// Reads a page.
pub(crate) async fn read(
    servers: &Servers,
    channel: &ChannelName,
    query: HistoryQuery,
) -> Result<HistoryPage, BrokerError> {
    let common = &servers.common;
    let epoch = Epoch::random(&common.random);
    // An entry's id is `<offset>-0`. A bound of zero would be none to Redis.
    let (way, bound) = match query.range {
        HistoryRange::After(offset) => ("after", format!("{}-0", offset.next())),
        HistoryRange::Before(offset) => ("before", format!("({}-0", offset.max(Offset::new(1)))),
    };
    let call = Call {
        script: Script::History,
        keys: &[common.keys.meta(channel), common.keys.log(channel)],
        arguments: &[
            Text(epoch.as_str()),
            // Nobody has published yet, so that nobody has said how long an epoch lives here.
            Number(millis(Retention::default().epoch_ttl)),
            Text(way),
            Text(&bound),
            Number(query.limit.min(PAGE) as u64),
            Number(query.bytes as u64),
        ],
        lasting: false,
    };
    let answer = servers.call(channel, Lane::Reads, &call).await?;
    let page = Page::read(answer).ok_or(Failure::Foreign)?;
    origin::note(page.origin, channel, &common.outlet.metrics);
    let mut events = Vec::with_capacity(page.entries.len());
    for (offset, bytes) in page.entries {
        let position = page.state.top.at(Offset::new(offset));
        match envelope::decode(channel, position, &bytes.into(), 0) {
            Some(event) => events.push(Arc::new(event)),
            None => {
                // Readers are told that it is missing, as if its time had run out.
                common.outlet.metrics.foreign_values.inc();
                tracing::warn!(%channel, %position, "an entry of history is not the hub's, or of a newer version");
            }
        }
    }
    Ok(HistoryPage { state: page.state, events, more: page.more })
}

struct Page {
    state: ChannelState,
    more: bool,
    origin: u8,
    entries: Vec<(u64, Vec<u8>)>,
}

impl Page {
    fn read(answer: Value) -> Option<Self> {
        type Answer = (String, u64, u64, bool, u8, Vec<(u64, Vec<u8>)>);
        let (epoch, top, oldest, more, origin, entries): Answer =
            redis::from_redis_value(answer).ok()?;
        let top = Position::new(epoch.parse().ok()?, Offset::new(top));
        let state = ChannelState { top, oldest: Offset::new(oldest) };
        Some(Page { state, more, origin, entries })
    }
}
