//! What the tests of this crate build on.

use crate::caller::Caller;
use crate::scope::Scope;
use bytes::Bytes;
use fanline_core::broker::{
    Answer, Broker, BrokerError, Changes, ChannelsQuery, HistoryPage, HistoryQuery, Member, Nodes,
    Notes, Publication, Published,
};
use fanline_core::hub::HubParts;
use fanline_core::ids::ConnectionId;
use fanline_core::memory::MemoryBroker;
use fanline_core::metrics::HubMetrics;
use fanline_core::namespace::{NamespaceOptions, Namespaces};
use fanline_core::pattern::Pattern;
use fanline_core::random::Random;
use fanline_core::spans::NoSpans;
use fanline_core::testing::MemoryFixture;
use fanline_core::{ChannelName, Hub, Limits};
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A caller who may do everything everywhere.
pub(crate) fn anybody() -> Caller {
    Caller::new("anybody".into(), Scope::ALL.to_vec(), vec![Pattern::any()])
}

/// A hub whose broker keeps every publish waiting until the test lets it go. Namespace `a` exists.
pub(crate) struct GatedHub {
    pub(crate) hub: Hub,
    gate: Gate,
    _stop: DropGuard,
}

impl GatedHub {
    pub(crate) fn start() -> Self {
        let MemoryFixture { broker, notices, clock } = MemoryFixture::start();
        let gate = Gate::default();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let parts = HubParts {
            broker: Arc::new(GatedBroker { inner: broker, gate: gate.clone() }),
            notices,
            namespaces: Namespaces::new([("a".into(), NamespaceOptions::default())], false),
            limits: Limits::default(),
            clock: Arc::new(clock),
            random: Random::seeded(3),
            metrics: HubMetrics::register(&mut Registry::default()),
            spans: Arc::new(NoSpans),
        };
        let hub = Hub::start(parts, &tasks, stop.clone());
        GatedHub { hub, gate, _stop: stop.drop_guard() }
    }

    /// The data of the publishes that wait, oldest first.
    pub(crate) fn waiting(&self) -> Vec<Bytes> {
        self.gate.0.lock().unwrap().iter().map(|waiting| waiting.data.clone()).collect()
    }

    /// Lets the publish of some data go on.
    pub(crate) fn let_go(&self, data: &str) {
        self.decide(data, Ok(()));
    }

    /// Fails the publish of some data.
    pub(crate) fn fail(&self, data: &str) {
        self.decide(data, Err(BrokerError::Unavailable));
    }

    fn decide(&self, data: &str, decision: Result<(), BrokerError>) {
        let mut waiting = self.gate.0.lock().unwrap();
        let index = waiting.iter().position(|waiting| waiting.data == data);
        let waiting = waiting.remove(index.expect("it waits"));
        waiting.decision.send(decision).expect("its publish was not given up");
    }
}

#[derive(Clone, Default)]
struct Gate(Arc<Mutex<Vec<Waiting>>>);

struct Waiting {
    data: Bytes,
    decision: oneshot::Sender<Result<(), BrokerError>>,
}

struct GatedBroker {
    inner: MemoryBroker,
    gate: Gate,
}

impl Broker for GatedBroker {
    fn publish(&self, publication: Publication) -> Answer<'_, Published> {
        Box::pin(async move {
            let (decision, decided) = oneshot::channel();
            let data = publication.body.payload.data().clone();
            self.gate.0.lock().unwrap().push(Waiting { data, decision });
            decided.await.unwrap_or(Err(BrokerError::Unavailable))?;
            self.inner.publish(publication).await
        })
    }

    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery,
    ) -> Answer<'a, HistoryPage> {
        self.inner.history(channel, query)
    }

    fn subscribe<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, ()> {
        self.inner.subscribe(channel)
    }

    fn unsubscribe(&self, channel: &ChannelName) {
        self.inner.unsubscribe(channel);
    }

    fn enter<'a>(
        &'a self,
        channel: &'a ChannelName,
        member: Member,
        tracked: bool,
    ) -> Answer<'a, ()> {
        self.inner.enter(channel, member, tracked)
    }

    fn leave<'a>(&'a self, channel: &'a ChannelName, connection: ConnectionId) -> Answer<'a, ()> {
        self.inner.leave(channel, connection)
    }

    fn members<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, Vec<Member>> {
        self.inner.members(channel)
    }

    fn channels(&self, query: ChannelsQuery) -> Answer<'_, Vec<ChannelName>> {
        self.inner.channels(query)
    }

    fn nodes(&self) -> &dyn Nodes {
        self.inner.nodes()
    }

    fn notes(&self) -> &dyn Notes {
        self.inner.notes()
    }

    fn changes(&self) -> &dyn Changes {
        self.inner.changes()
    }
}
