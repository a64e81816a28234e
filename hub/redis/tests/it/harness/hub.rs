//! A whole hub on a Redis broker, as one node runs it, and a publisher that counts.

use super::broker::metric;
use super::{DEADLINE, Node, Observer};
use fanline_core::broker::{ChannelsQuery, Member, Published};
use fanline_core::catchup::Start;
use fanline_core::channel::ChannelName;
use fanline_core::clock::{SystemClock, Timestamp};
use fanline_core::event::{ContentType, EventType, Payload};
use fanline_core::hub::{Hub, HubParts};
use fanline_core::ids::{ConnectionId, UserId};
use fanline_core::limits::Limits;
use fanline_core::metrics::HubMetrics;
use fanline_core::namespace::{NamespaceOptions, Namespaces, Retention};
use fanline_core::pattern::Pattern;
use fanline_core::presence::Membership;
use fanline_core::publish::{Draft, Origin};
use fanline_core::random::Random;
use fanline_core::spans::NoSpans;
use fanline_core::{Feed, Reason, Refusal};
use fanline_redis::{RedisBroker, RedisSettings};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

/// A hub. Namespace `a` keeps 1000 events, `short` 10, and `room` has presence.
pub(crate) struct TestHub {
    pub(crate) hub: Hub,
    pub(crate) broker: RedisBroker,
    pub(crate) registry: Registry,
    tasks: TaskTracker,
    _stop: DropGuard,
}

impl TestHub {
    pub(crate) async fn start(settings: RedisSettings) -> Self {
        Self::on(Node::start(settings).await)
    }

    fn on(node: Node) -> Self {
        let Node { broker, notices, mut registry, tasks, stop } = node;
        let keeps = |size| NamespaceOptions {
            retention: Retention { size, ..Retention::default() },
            presence: true,
            ..NamespaceOptions::default()
        };
        let declared = [("a", keeps(1000)), ("short", keeps(10)), ("room", keeps(100))];
        let declared = declared.map(|(name, options)| (name.to_owned(), options));
        let parts = HubParts {
            broker: Arc::new(broker.clone()),
            notices,
            namespaces: Namespaces::new(declared, false),
            limits: Limits::default(),
            clock: Arc::new(SystemClock::start()),
            random: Random::from_system().expect("randomness"),
            metrics: HubMetrics::register(&mut registry),
            spans: Arc::new(NoSpans),
        };
        let token = stop.disarm();
        let hub = Hub::start(parts, &tasks, token.clone());
        TestHub { hub, broker, registry, tasks, _stop: token.drop_guard() }
    }

    /// Publishes a number.
    pub(crate) async fn publish(&self, channel: &str, number: u64) -> Result<Published, Refusal> {
        self.hub.publish(draft(channel, number)).await
    }

    /// Publishes a number with an idempotency key, which is the same for the same number.
    pub(crate) async fn publish_with_key(
        &self,
        channel: &str,
        number: u64,
    ) -> Result<Published, Refusal> {
        let idempotency_key = Some(format!("n{number}"));
        self.hub.publish(Draft { idempotency_key, ..draft(channel, number) }).await
    }

    /// Publishes a number with an idempotency key until it is acknowledged, as a careful client does. Gives the first
    /// answer, and how often the outcome was unknown.
    pub(crate) async fn publish_surely(&self, channel: &str, number: u64) -> (Published, u64) {
        let mut unknown = 0;
        let publishing = async {
            loop {
                match self.publish_with_key(channel, number).await {
                    Ok(published) => return published,
                    Err(refusal) if refusal.reason() == Reason::BrokerUnavailable => unknown += 1,
                    Err(refusal) => panic!("{refusal}"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let published = tokio::time::timeout(2 * DEADLINE, publishing).await;
        (published.expect("acknowledged in time"), unknown)
    }

    /// Makes somebody a member of a room, for as long as the answer lives.
    pub(crate) async fn enter(&self, channel: &str, user: &str) -> Membership {
        let channel = channel.parse().expect("a channel");
        self.hub.enter(&channel, member(user)).await.expect("entered")
    }

    /// The live channels.
    pub(crate) async fn channels(&self) -> Vec<String> {
        let query = ChannelsQuery { pattern: Pattern::any(), after: None, limit: 100 };
        let names = self.hub.channels(query).await.expect("names");
        names.iter().map(ChannelName::to_string).collect()
    }

    /// The value of a series.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        metric(&self.registry, series)
    }

    /// Connections to Redis that were lost.
    pub(crate) fn connections_lost(&self) -> u64 {
        self.metric("fanline_redis_reconnects_total")
    }

    /// Epochs that began because Redis may have lost something.
    pub(crate) fn epochs_fenced(&self) -> u64 {
        self.metric("fanline_redis_epochs_started_total{reason=\"fence\"}")
    }

    /// A member of a channel that writes down all it gets.
    pub(crate) async fn observe(&self, channel: &str) -> Observer {
        let mut feed = Feed::new(self.hub.clone(), None);
        let channel: ChannelName = channel.parse().expect("a channel");
        let joined = feed.join(&channel, Start::Live).await.expect("joined");
        Observer::start(feed, joined.position, &self.tasks)
    }
}

/// Publishes numbers into a channel, one after the other, each until it is acknowledged.
pub(crate) struct Publisher {
    task: JoinHandle<Vec<Published>>,
    stop: Arc<AtomicU64>,
    acknowledged: watch::Receiver<u64>,
}

impl Publisher {
    /// Publishes one number after each pause.
    pub(crate) fn start(hub: Arc<TestHub>, channel: &'static str, pause: Duration) -> Self {
        let stop = Arc::new(AtomicU64::new(u64::MAX));
        let last = Arc::clone(&stop);
        let (count, counted) = watch::channel(0);
        let tasks = hub.tasks.clone();
        let task = tasks.spawn(async move {
            let mut acknowledged = Vec::new();
            let mut number = 1;
            while number <= last.load(Ordering::Relaxed) {
                acknowledged.push(hub.publish_surely(channel, number).await.0);
                count.send_replace(number);
                number += 1;
                tokio::time::sleep(pause).await;
            }
            acknowledged
        });
        Publisher { task, stop, acknowledged: counted }
    }

    /// Waits until so many more were acknowledged.
    pub(crate) async fn publishes(&mut self, more: u64) {
        let enough = *self.acknowledged.borrow() + more;
        let reached = self.acknowledged.wait_for(|count| *count >= enough);
        let reached = tokio::time::timeout(2 * DEADLINE, reached).await;
        reached.expect("published in time").expect("the publisher goes on");
    }

    /// Stops; gives what was acknowledged.
    pub(crate) async fn stop(self) -> Vec<Published> {
        self.stop.store(0, Ordering::Relaxed);
        self.task.await.expect("the publisher ended well")
    }
}

/// A connection of a user that may enter a channel.
pub(crate) fn member(user: &str) -> Member {
    let random = Random::from_system().expect("randomness");
    Member {
        connection: ConnectionId::new(Timestamp::from_millis(1), &random),
        user: UserId::new(user),
        info: None,
        joined_at: Timestamp::from_millis(1),
    }
}

fn draft(channel: &str, number: u64) -> Draft {
    let data = number.to_string().into();
    Draft {
        channel: channel.parse().expect("a channel"),
        event_type: EventType::message(),
        payload: Payload::new(ContentType::default(), data).expect("a number is JSON"),
        headers: Vec::new(),
        origin: Origin::Backend,
        idempotency_key: None,
        exclude: Vec::new(),
        ttl: None,
    }
}
