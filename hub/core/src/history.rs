//! Asking the hub: pages of history, channels, numbers.

use crate::broker::{ChannelState, ChannelsQuery, HistoryQuery, HistoryRange};
use crate::catchup::{LossReason, Recovery, Resumption, Start, resume};
use crate::channel::ChannelName;
use crate::event::Event;
use crate::hub::Hub;
use crate::{Offset, Position, Refusal};
use std::collections::HashSet;
use std::sync::Arc;

/// Which page of history.
#[derive(Clone, Copy, Debug)]
pub struct HistoryRequest {
    /// Forward: where to start. Backward: what stands before this position, or the newest for anything else.
    pub start: Start,
    /// Most events. 0, or more than the limit allows: as many as that.
    pub limit: usize,
    /// Most bytes of them, as they cost in memory. One event is given even if it is larger.
    pub bytes: usize,
    /// Newest first.
    pub reverse: bool,
}

/// A page of history.
#[derive(Clone, Debug)]
pub struct History {
    /// The events, in the order asked for.
    pub events: Vec<Arc<Event>>,
    /// The newest position of the channel.
    pub top: Position,
    /// Whether there are more in that direction: ask again from the position of the last event.
    pub more: bool,
    /// Present when a position was asked for.
    pub recovery: Option<Recovery>,
}

/// A channel in numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stats {
    /// Connections in it.
    pub members: usize,
    /// Different users among them.
    pub users: usize,
    /// The newest position.
    pub top: Position,
}

impl Hub {
    /// Reads a page of history.
    ///
    /// # Errors
    /// An unknown namespace, or a broker that is not available.
    pub async fn history(
        &self,
        channel: &ChannelName,
        request: HistoryRequest,
    ) -> Result<History, Refusal> {
        let options = self.options(channel)?;
        let page_max = self.limits().history_page;
        let limit = if request.limit == 0 { page_max } else { request.limit.min(page_max) };
        let mut state = self.state(channel).await?;
        loop {
            let asked = resume(request.start, &state, &options.retention);
            let range = range(request, asked, &state);
            let query = HistoryQuery { range, limit, bytes: request.bytes };
            let page = self.broker().history(channel, query).await?;
            let found = resume(request.start, &page.state, &options.retention);
            if found.recovery == asked.recovery && page.state.top.epoch == state.top.epoch {
                let (events, top, more) = (page.events, page.state.top, page.more);
                return Ok(History { events, top, more, recovery: found.recovery });
            }
            // Between the two reads the channel lost what was asked for: what is answered must be true of the page.
            state = page.state;
        }
    }

    /// A channel in numbers.
    ///
    /// # Errors
    /// An unknown namespace, or a broker that is not available.
    pub async fn stats(&self, channel: &ChannelName) -> Result<Stats, Refusal> {
        let members = self.members(channel).await?;
        let users: HashSet<_> = members.iter().filter_map(|member| member.user.as_ref()).collect();
        Ok(Stats {
            members: members.len(),
            users: users.len(),
            top: self.state(channel).await?.top,
        })
    }

    /// Channels that have members or events, sorted by name.
    ///
    /// # Errors
    /// A broker that is not available.
    pub async fn channels(&self, query: ChannelsQuery) -> Result<Vec<ChannelName>, Refusal> {
        Ok(self.broker().channels(query).await?)
    }
}

fn range(request: HistoryRequest, asked: Resumption, state: &ChannelState) -> HistoryRange {
    if !request.reverse {
        return HistoryRange::After(asked.position.offset);
    }
    match (asked.recovery, request.start) {
        // A position that was never given away has nothing before it either.
        (Some(Recovery::Lost(LossReason::Future | LossReason::Invalid)), _) => {
            HistoryRange::Before(Offset::ZERO)
        }
        (_, Start::After(position)) if position.epoch == state.top.epoch => {
            HistoryRange::Before(position.offset)
        }
        _ => HistoryRange::Before(state.top.offset.next()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventType, Payload};
    use crate::publish::{Draft, Origin};
    use crate::testing::{TestHub, channel};

    /// The offsets of a backward page of a channel that holds 1 to 5.
    async fn backward(start: impl FnOnce(Position) -> Start) -> Vec<u64> {
        let (hub, name) = (TestHub::start(), channel("a:b"));
        for _ in 0..5 {
            let draft = Draft {
                channel: name.clone(),
                event_type: EventType::message(),
                payload: Payload::new("text/plain".parse().unwrap(), "x".into()).unwrap(),
                headers: Vec::new(),
                origin: Origin::Backend,
                idempotency_key: None,
                exclude: Vec::new(),
                ttl: None,
            };
            hub.publish(draft).await.unwrap();
        }
        let start = start(hub.state(&name).await.unwrap().top);
        let request = HistoryRequest { start, limit: 2, bytes: usize::MAX, reverse: true };
        let page = hub.history(&name, request).await.unwrap();
        page.events.iter().map(|event| event.position.offset.get()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn backward_pages_begin_before_the_position_or_at_the_newest() {
        assert_eq!(backward(|_| Start::Earliest).await, [5, 4]);
        assert_eq!(backward(|top| Start::After(top.at(Offset::new(4)))).await, [3, 2]);
        assert_eq!(backward(|top| Start::After(top.at(Offset::new(1)))).await, [0; 0]);
        assert_eq!(backward(|top| Start::After(top.at(Offset::new(9)))).await, [0; 0]);
        assert_eq!(backward(|_| Start::Invalid).await, [0; 0]);
    }
}
