//! Who tells: each node of what it did itself, and one of them of what another left untold.

use super::attend::is_of_connections;
use super::event::{LifecycleEvent, of_connections, of_members};
use crate::broker::{BrokerError, ChannelsQuery, Publication};
use crate::channel::ChannelName;
use crate::event::{ContentType, EventBody, Payload};
use crate::hub::Hub;
use crate::ids::EventId;
use crate::limits::{CHANGES_PAGE, CHANNELS_PAGE};
use crate::pattern::Pattern;
use crate::refusal::Refusal;
use crate::sync::lock;
use futures_util::future;
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Channels that may wait to be told of on one node. More are found by the next look.
const WAITING: usize = 100_000;
/// Channels that are told of at once. In each, one event follows the other.
const AT_ONCE: usize = 16;
/// After a try that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// For how long what was read may be told: well within the window of idempotency keys, so that what another node told and
/// made forgotten meanwhile is not told anew.
const FRESH: Duration = Duration::from_secs(30);
/// Between two looks for what is untold, since a node came or went, for as long as its leases last and some more.
const LOOK_OFTEN: Duration = Duration::from_secs(3);
const WATCHFUL: Duration = Duration::from_secs(45);
/// Between two looks at other times: what a node could not tell in time waits so long.
const LOOK: Duration = Duration::from_secs(30);

/// The channels of which this node has something to tell.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    waiting: Mutex<BTreeSet<ChannelName>>,
    news: Notify,
}

impl Hub {
    /// Members of a tracked channel came or went.
    pub(crate) fn members_changed(&self, channel: &ChannelName) {
        let teller = self.teller();
        let mut waiting = lock(&teller.waiting);
        if waiting.len() < WAITING {
            waiting.insert(channel.clone());
        } else {
            self.metrics().lifecycle_deferred.inc();
        }
        drop(waiting);
        teller.news.notify_one();
    }

    /// Looks for channels with something untold, if that is this node's affair: that of the one with the least id.
    async fn look_for_changes(&self) -> Result<(), Refusal> {
        let least = self.nodes().iter().map(|record| record.node).min();
        if !self.tells_lifecycle() || least.is_some_and(|least| least != self.node()) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let query = ChannelsQuery { pattern: Pattern::any(), after, limit: CHANNELS_PAGE };
            let channels = self.broker().changes().tracked(query).await?;
            channels.iter().for_each(|channel| self.members_changed(channel));
            if channels.len() < CHANNELS_PAGE {
                return Ok(());
            }
            after = channels.last().cloned();
        }
    }

    /// Tells of all channels that wait.
    async fn tell_changes(&self) {
        let waiting = std::mem::take(&mut *lock(&self.teller().waiting));
        let telling = stream::iter(waiting).map(|channel| async move {
            let told = self.tell_page(&channel).await;
            told.err().map(|refusal| (channel, refusal))
        });
        let failed: Vec<_> =
            telling.buffer_unordered(AT_ONCE).filter_map(future::ready).collect().await;
        if !failed.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
        for (channel, refusal) in failed {
            tracing::debug!(%channel, %refusal, "what happened to members could not be told yet");
            self.members_changed(&channel);
        }
    }

    /// Tells a page of the changes of a channel.
    async fn tell_page(&self, channel: &ChannelName) -> Result<(), Refusal> {
        let read_at = self.clock().monotonic();
        let changes = self.broker().changes().untold(channel).await?;
        let Some(last) = changes.last() else { return Ok(()) };
        let namespaces = self.lifecycle_namespaces();
        for change in &changes {
            let events = match is_of_connections(channel) {
                true => of_connections(channel, change, &namespaces),
                // A namespace that asks no longer has nothing told, and what was written down is forgotten.
                false if self.options(channel).is_ok_and(|options| options.lifecycle) => {
                    of_members(channel, change)
                }
                false => Vec::new(),
            };
            for event in events {
                if self.clock().monotonic() > read_at + FRESH {
                    return Err(BrokerError::Unavailable.into());
                }
                self.publish_own(event).await?;
            }
        }
        self.broker().changes().forget(channel, &last.id).await?;
        if changes.len() == CHANGES_PAGE {
            self.members_changed(channel);
        }
        Ok(())
    }

    async fn publish_own(&self, event: LifecycleEvent) -> Result<(), Refusal> {
        let LifecycleEvent { channel, event_type, data, idempotency_key } = event;
        let (now, limits) = (self.clock().wall(), self.limits());
        let publication = Publication {
            id: EventId::new(now, self.random()),
            time: now,
            body: EventBody {
                event_type: event_type.parse()?,
                payload: Payload::new(ContentType::default(), data.into())?,
                headers: Box::default(),
                user: None,
                exclude: Box::default(),
            },
            idempotency_key: Some(idempotency_key.into()),
            idempotency_window: limits.idempotency_window,
            retention: self.options(&channel)?.retention,
            ttl: None,
            channel,
        };
        let publishing = self.broker().publish(publication);
        let published = tokio::time::timeout(limits.publish_timeout, publishing).await;
        if !published.unwrap_or(Err(BrokerError::Unavailable))?.duplicate {
            self.metrics().lifecycle_events.inc();
        }
        Ok(())
    }
}

/// Tells, until `stop`.
pub(crate) async fn run(hub: Hub, stop: CancellationToken) {
    let mut nodes = hub.nodes_changes();
    let telling = async {
        let mut watchful_until = Instant::now() + WATCHFUL;
        let mut next_look = Instant::now() + LOOK_OFTEN;
        loop {
            tokio::select! {
                () = hub.teller().news.notified() => {}
                Ok(()) = nodes.changed() => {
                    let now = Instant::now();
                    (watchful_until, next_look) = (now + WATCHFUL, next_look.min(now + LOOK_OFTEN));
                }
                () = tokio::time::sleep_until(next_look) => {
                    if let Err(refusal) = hub.look_for_changes().await {
                        tracing::debug!(%refusal, "what is untold could not be looked for now");
                    }
                    let now = Instant::now();
                    next_look = now + if now < watchful_until { LOOK_OFTEN } else { LOOK };
                }
            }
            hub.tell_changes().await;
        }
    };
    stop.run_until_cancelled(telling).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Offset;
    use crate::broker::{Broker, HistoryQuery, Member};
    use crate::connections::Transport;
    use crate::ids::UserId;
    use crate::publish::{Draft, Origin};
    use crate::reason::Reason;
    use crate::testing::{TestHub, channel};

    /// What was told: the types, with the users or channels that they are about.
    async fn told(hub: &TestHub, count: usize) -> Vec<String> {
        let name = channel("$lifecycle:hall");
        loop {
            let page =
                hub.broker.history(&name, HistoryQuery::after(Offset::ZERO, 100, 1 << 20)).await;
            let events = page.unwrap().events;
            if events.len() < count {
                tokio::task::yield_now().await;
                continue;
            }
            let brief = events.iter().map(|event| {
                let data = event.body.payload.data();
                let data: serde_json::Value = serde_json::from_slice(data).unwrap();
                let about = data["user"].as_str().or(data["channel"].as_str()).unwrap();
                let reason = data["reason"].as_str().unwrap_or_default();
                format!("{} {about} {reason}", event.body.event_type).trim_end().to_owned()
            });
            return brief.collect();
        }
    }

    fn member(hub: &TestHub, user: &str) -> Member {
        let (connection, joined_at) = (hub.connection_id(), hub.clock().wall());
        Member { connection, user: UserId::new(user), info: None, joined_at }
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_and_goes_is_told_in_its_order() {
        let hub = TestHub::start();
        let hall = channel("hall:a");
        let ada = hub.enter(&hall, member(&hub, "ada")).await.unwrap();
        let bob = hub.enter(&hall, member(&hub, "bob")).await.unwrap();
        ada.end().await;
        drop(bob);
        let expected = [
            "occupied hall:a",
            "joined ada",
            "joined bob",
            "left ada",
            "left bob",
            "vacated hall:a",
        ];
        assert_eq!(told(&hub, 6).await, expected);
        let untold = hub.broker.changes().untold(&hall).await.unwrap();
        assert_eq!(untold, [], "what is told is forgotten");
        assert_eq!(hub.metrics().lifecycle_events.get(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_told_of_with_the_reason_of_its_end() {
        let hub = TestHub::start();
        let attend = |user: &str| {
            hub.attend(hub.connection_id(), Transport::Sse, UserId::new(user), None, None)
        };
        let ada = attend("ada");
        assert_eq!(told(&hub, 1).await, ["connected ada"]);
        ada.part(Reason::Draining);
        drop(ada);
        assert_eq!(told(&hub, 2).await[1..], ["disconnected ada DRAINING"]);
        drop(attend("bob"));
        assert_eq!(told(&hub, 4).await[2..], ["connected bob", "disconnected bob CLOSED"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_ask_costs_nothing_and_nobody_else_publishes_there() {
        let hub = TestHub::start();
        let room = channel("room:a");
        hub.enter(&room, member(&hub, "ada")).await.unwrap().end().await;
        let query = ChannelsQuery { pattern: Pattern::any(), after: None, limit: 10 };
        assert_eq!(hub.broker.changes().tracked(query).await.unwrap(), []);
        let refusal = hub
            .publish(Draft {
                channel: channel("$lifecycle:hall"),
                event_type: "joined".parse().unwrap(),
                payload: Payload::new(ContentType::default(), "{}".into()).unwrap(),
                headers: Vec::new(),
                origin: Origin::Backend,
                idempotency_key: None,
                exclude: Vec::new(),
                ttl: None,
            })
            .await
            .unwrap_err();
        assert_eq!(refusal.reason(), Reason::PermissionDenied);
    }
}
