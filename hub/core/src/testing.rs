//! What the tests of this crate and of broker crates build on.

mod switched;

pub use switched::SwitchedBroker;

use crate::broker::{NoticeReceiver, notices};
use crate::channel::ChannelName;
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::event::{ContentType, Event, EventBody, EventType, Payload};
use crate::hub::{Hub, HubParts};
use crate::ids::EventId;
use crate::limits::Limits;
use crate::memory::{MemoryBroker, MemoryLimits};
use crate::metrics::HubMetrics;
use crate::namespace::{LagPolicy, NamespaceOptions, Namespaces, Retention};
use crate::position::{Epoch, Position};
use crate::random::Random;
use crate::spans::NoSpans;
use bytes::Bytes;
use prometheus_client::registry::Registry;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// An epoch by name.
///
/// # Panics
/// On a name that is no epoch.
#[must_use]
pub fn epoch(name: &str) -> Epoch {
    name.parse().expect("a test names its epochs well")
}

/// The body of an event whose data is a JSON number.
///
/// # Panics
/// Never: a number is JSON.
#[must_use]
pub fn body(number: u64) -> EventBody {
    let data = Bytes::from(number.to_string());
    EventBody {
        event_type: EventType::message(),
        payload: Payload::new(ContentType::default(), data).expect("a number is JSON"),
        headers: Box::new([]),
        user: None,
        exclude: Box::new([]),
    }
}

/// An event in its place; its data is its offset.
///
/// # Panics
/// On a name that is no channel.
#[must_use]
pub fn event(channel: &str, position: Position) -> Arc<Event> {
    let channel = channel.parse().expect("a test names its channels well");
    let id = EventId::new(Timestamp::default(), &Random::seeded(position.offset.get()));
    Arc::new(Event::new(channel, position, id, Timestamp::default(), body(position.offset.get())))
}

/// A hub on the memory broker, with a clock that stands still. Namespace `a` keeps 10 events for a minute, `none`
/// keeps nothing, `room` has presence, in `ticker` only the latest event counts, and of `hall` it is told who comes and
/// goes.
pub struct TestHub {
    /// The memory broker, behind a switch.
    pub broker: Arc<SwitchedBroker>,
    /// Moves the time of hub and broker.
    pub clock: ManualClock,
    hub: Hub,
    _stop: tokio_util::sync::DropGuard,
}

/// What [`TestHub`]'s namespace `a` keeps.
pub const KEEPS_10: Retention =
    Retention { size: 10, ttl: Duration::from_secs(60), epoch_ttl: Duration::from_secs(3600) };

impl TestHub {
    /// Starts it with the default limits.
    #[must_use]
    pub fn start() -> Self {
        Self::with_limits(Limits::default())
    }

    /// Starts it with other limits.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        let fixture = MemoryFixture::start();
        let keeps_10 = NamespaceOptions { retention: KEEPS_10, ..NamespaceOptions::default() };
        let keeps_none = NamespaceOptions {
            retention: Retention { size: 0, ..KEEPS_10 },
            ..NamespaceOptions::default()
        };
        let room = NamespaceOptions { presence: true, ..keeps_10.clone() };
        let ticker = NamespaceOptions { lag: LagPolicy::Latest, ..keeps_10.clone() };
        let hall = NamespaceOptions { lifecycle: true, ..keeps_10.clone() };
        let declared = [
            ("a", keeps_10),
            ("none", keeps_none),
            ("room", room),
            ("ticker", ticker),
            ("hall", hall),
        ];
        let namespaces =
            Namespaces::new(declared.map(|(name, options)| (name.to_owned(), options)), false);
        let stop = CancellationToken::new();
        let broker = Arc::new(SwitchedBroker::new(fixture.broker));
        let parts = HubParts {
            broker: Arc::clone(&broker) as _,
            notices: fixture.notices,
            namespaces,
            limits,
            clock: Arc::new(fixture.clock.clone()),
            random: Random::seeded(2),
            metrics: HubMetrics::register(&mut Registry::default()),
            spans: Arc::new(NoSpans),
        };
        let hub = Hub::start(parts, &TaskTracker::new(), stop.clone());
        TestHub { broker, clock: fixture.clock, hub, _stop: stop.drop_guard() }
    }
}

impl Deref for TestHub {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.hub
    }
}

/// A memory broker with the other end of its notices.
pub struct MemoryFixture {
    /// The broker.
    pub broker: MemoryBroker,
    /// What it notices.
    pub notices: NoticeReceiver,
    /// Its time.
    pub clock: ManualClock,
}

impl MemoryFixture {
    /// Starts one with little room.
    #[must_use]
    pub fn start() -> Self {
        let (sender, notices) = notices();
        let clock = ManualClock::default();
        let limits = MemoryLimits {
            channels: 1000,
            history_bytes: 16 * 1024 * 1024,
            idempotency_keys: 100,
            notes: 100,
        };
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let random = Random::seeded(1);
        let broker = MemoryBroker::start(
            sender,
            shared,
            random,
            limits,
            &mut Registry::default(),
            &tasks,
            stop,
        );
        MemoryFixture { broker, notices, clock }
    }
}

/// A channel by name.
///
/// # Panics
/// On a name that is no channel.
#[must_use]
pub fn channel(name: &str) -> ChannelName {
    name.parse().expect("a test names its channels well")
}
