//! Looking for what other nodes left untold: one node does it for all.

use super::waiting::CHANNELS;
use crate::broker::ChannelsQuery;
use crate::channel::ChannelName;
use crate::hub::Hub;
use crate::pattern::Pattern;
use crate::refusal::Refusal;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks, since a node came or went, for as long as its leases last and some more, and while there are more
/// channels than one look takes in.
const OFTEN: Duration = Duration::from_secs(3);
const WATCHFUL: Duration = Duration::from_secs(45);
/// Between two looks at other times: what a node could not tell in time waits so long.
const SELDOM: Duration = Duration::from_secs(30);
/// Channels of one look. They leave room for what this node has to tell itself, which waits some seconds behind them. Not
/// fewer, as a broker may have to go through all it holds to list any of them.
const LOOKED: usize = CHANNELS / 4;

/// Looks for channels with something untold, for ever.
pub(super) async fn look(hub: &Hub) {
    let mut nodes = hub.nodes_changes();
    let mut watchful_until = Instant::now() + WATCHFUL;
    let mut next = Instant::now() + OFTEN;
    let mut after = None;
    loop {
        tokio::select! {
            Ok(()) = nodes.changed() => {
                let now = Instant::now();
                (watchful_until, next) = (now + WATCHFUL, next.min(now + OFTEN));
            }
            () = tokio::time::sleep_until(next) => {
                match hub.look_for_changes(after.clone()).await {
                    Ok(rest) => after = rest,
                    Err(refusal) => {
                        tracing::debug!(%refusal, "what is untold could not be looked for now");
                    }
                }
                let now = Instant::now();
                let often = after.is_some() || now < watchful_until;
                next = now + if often { OFTEN } else { SELDOM };
            }
        }
    }
}

impl Hub {
    /// Has the tracked channels after this one told of, if that is this node's affair: that of the one with the least id.
    /// Says after which the next look goes on, if there are more than one look takes in.
    async fn look_for_changes(
        &self,
        after: Option<ChannelName>,
    ) -> Result<Option<ChannelName>, Refusal> {
        let least = self.nodes().iter().map(|record| record.node).min();
        if !self.tells_lifecycle() || least.is_some_and(|least| least != self.node()) {
            return Ok(None);
        }
        let query = ChannelsQuery { pattern: Pattern::any(), after: after.clone(), limit: LOOKED };
        let channels = self.broker().changes().tracked(query).await?;
        let are_the_last = channels.len() < LOOKED;
        let mut reached = after;
        for channel in channels {
            if !self.teller().add(&channel, LOOKED) {
                return Ok(reached);
            }
            reached = Some(channel);
        }
        Ok(reached.filter(|_| !are_the_last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Broker, Member};
    use crate::testing::{TestHub, channel};

    /// With a member in three channels, of which nobody was told.
    async fn hub() -> TestHub {
        let hub = TestHub::start();
        for name in ["hall:a", "hall:b", "hall:c"] {
            let (connection, joined_at) = (hub.connection_id(), hub.clock().wall());
            let member = Member { connection, user: None, info: None, joined_at };
            hub.broker.enter(&channel(name), member, true).await.unwrap();
        }
        hub
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_stops_where_no_more_can_wait_and_the_next_goes_on_from_there() {
        let hub = hub().await;
        let others = (0..LOOKED - 2).map(|number| channel(&format!("other:{number}")));
        others.for_each(|other| assert!(hub.teller().add(&other, LOOKED)));
        let reached = hub.look_for_changes(None).await.unwrap();
        assert_eq!(reached, Some(channel("hall:b")));
        let third = channel("hall:c");
        assert!(!hub.teller().add(&third, LOOKED));
        assert!(hub.teller().add(&third, CHANNELS), "this node's own news find room");

        let hub = self::hub().await;
        assert_eq!(hub.look_for_changes(reached).await.unwrap(), None);
        let untold =
            async |name| hub.broker.changes().untold(&channel(name)).await.unwrap().changes;
        while !untold("hall:c").await.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(untold("hall:b").await.len(), 1);
    }
}
