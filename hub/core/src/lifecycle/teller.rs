//! Telling: each channel that waits has its changes read, told and forgotten, a page at a time.

use super::attend::is_of_connections;
use super::event::{LifecycleEvent, of_connections, of_members};
use super::waiting::{CHANNELS, Outcome, Waiting};
use crate::broker::{BrokerError, Publication};
use crate::channel::ChannelName;
use crate::event::{ContentType, EventBody, Payload};
use crate::hub::Hub;
use crate::ids::EventId;
use crate::refusal::Refusal;
use crate::sync::lock;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Channels that are told of at once. In each, one event follows the other.
const AT_ONCE: usize = 16;
/// For how long what was read may be told: well within the window of idempotency keys, so that what another node told and
/// made forgotten meanwhile is not told anew.
const FRESH: Duration = Duration::from_secs(30);

/// The channels of which this node has something to tell.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    waiting: Mutex<Waiting>,
    news: Notify,
}

impl Teller {
    /// Something is to be told of a channel. False: as many as `most` wait already, and it is none of them.
    pub(super) fn add(&self, channel: &ChannelName, most: usize) -> bool {
        let added = lock(&self.waiting).add(channel, most);
        self.news.notify_one();
        added
    }
}

/// Tells of all channels that wait, for ever.
pub(super) async fn tell(hub: &Hub) {
    let teller = hub.teller();
    let mut telling = FuturesUnordered::new();
    loop {
        let resting_until = {
            let mut waiting = lock(&teller.waiting);
            let resting_until = waiting.wake(Instant::now());
            while telling.len() < AT_ONCE {
                let Some(channel) = waiting.take() else { break };
                telling.push(async {
                    let told = hub.tell_page(&channel).await;
                    (channel, told)
                });
            }
            resting_until
        };
        tokio::select! {
            () = teller.news.notified() => {}
            () = tokio::time::sleep_until(resting_until.unwrap_or_else(Instant::now)),
                if resting_until.is_some() => {}
            Some((channel, told)) = telling.next() => {
                let outcome = told.unwrap_or_else(|refusal| {
                    tracing::debug!(%channel, %refusal, "what happened to members could not be told yet");
                    Outcome::Failed
                });
                lock(&teller.waiting).settle(channel, outcome, Instant::now());
            }
        }
    }
}

impl Hub {
    /// Members of a tracked channel came or went.
    pub(crate) fn members_changed(&self, channel: &ChannelName) {
        if !self.teller().add(channel, CHANNELS) {
            self.metrics().lifecycle_deferred.inc();
        }
    }

    /// Tells a page of the changes of a channel.
    async fn tell_page(&self, channel: &ChannelName) -> Result<Outcome, Refusal> {
        let read_at = self.clock().monotonic();
        let page = self.broker().changes().untold(channel).await?;
        let Some(last) = page.last else { return Ok(Outcome::Told) };
        let namespaces = self.lifecycle_namespaces();
        for change in &page.changes {
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
        self.broker().changes().forget(channel, &last).await?;
        Ok(if page.more { Outcome::More } else { Outcome::Told })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Offset;
    use crate::broker::{Broker, ChannelsQuery, HistoryQuery, Member};
    use crate::connections::Transport;
    use crate::ids::UserId;
    use crate::pattern::Pattern;
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
        assert_eq!(untold.changes, [], "what is told is forgotten");
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
    async fn what_the_broker_could_not_be_told_of_is_told_once_it_is_back() {
        let hub = TestHub::start();
        let ada = hub.enter(&channel("hall:a"), member(&hub, "ada")).await.unwrap();
        assert_eq!(told(&hub, 2).await[1..], ["joined ada"]);
        hub.broker.switch_off();
        let connected =
            hub.attend(hub.connection_id(), Transport::Sse, UserId::new("bob"), None, None);
        ada.end().await;
        // Long enough for some tries of both.
        tokio::time::sleep(Duration::from_secs(60)).await;
        hub.broker.switch_on();
        assert_eq!(hub.metrics().lifecycle_events.get(), 2);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let mut after = told(&hub, 5).await.split_off(2);
        after.sort_unstable();
        assert_eq!(after, ["connected bob", "left ada", "vacated hall:a"]);
        drop(connected);
        assert_eq!(told(&hub, 6).await[5..], ["disconnected bob CLOSED"]);
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
