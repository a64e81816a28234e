//! A memory broker that can be switched off, made to wait, and asked what it was asked.

use crate::broker::{
    Answer, Broker, BrokerError, Changes, ChangesPage, ChannelsQuery, HistoryPage, HistoryQuery,
    Member, Nodes, Notes, Publication, Published,
};
use crate::channel::ChannelName;
use crate::ids::ConnectionId;
use crate::memory::MemoryBroker;
use crate::sync::lock;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// The broker. Switches act on what a feed asks for, subscribing and reading history, and on what is told of members:
/// entering and the changes that wait.
pub struct SwitchedBroker {
    broker: MemoryBroker,
    power: watch::Sender<Power>,
    reads: AtomicUsize,
    subscribed: Mutex<HashSet<ChannelName>>,
}

/// How a call fares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Power {
    On,
    Off,
    Held,
}

impl SwitchedBroker {
    /// Puts the switch before a broker, on.
    #[must_use]
    pub fn new(broker: MemoryBroker) -> Self {
        SwitchedBroker {
            broker,
            power: watch::Sender::new(Power::On),
            reads: AtomicUsize::new(0),
            subscribed: Mutex::default(),
        }
    }

    /// Calls get their answers, also those that wait.
    pub fn switch_on(&self) {
        self.power.send_replace(Power::On);
    }

    /// Calls fail.
    pub fn switch_off(&self) {
        self.power.send_replace(Power::Off);
    }

    /// Calls wait.
    pub fn hold(&self) {
        self.power.send_replace(Power::Held);
    }

    /// Reads of history so far.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Whether the hub asked for the notices of a channel, and still does.
    pub fn is_subscribed(&self, channel: &ChannelName) -> bool {
        lock(&self.subscribed).contains(channel)
    }

    async fn powered<T>(&self, answer: Answer<'_, T>) -> Result<T, BrokerError> {
        let mut power = self.power.subscribe();
        let settled = power.wait_for(|power| *power != Power::Held).await.map(|power| *power);
        match settled {
            Ok(Power::On) => answer.await,
            Ok(Power::Off | Power::Held) | Err(_) => Err(BrokerError::Unavailable),
        }
    }
}

impl Broker for SwitchedBroker {
    fn publish(&self, publication: Publication) -> Answer<'_, Published> {
        self.broker.publish(publication)
    }

    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery,
    ) -> Answer<'a, HistoryPage> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Box::pin(self.powered(self.broker.history(channel, query)))
    }

    fn subscribe<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, ()> {
        Box::pin(async move {
            self.powered(self.broker.subscribe(channel)).await?;
            lock(&self.subscribed).insert(channel.clone());
            Ok(())
        })
    }

    fn unsubscribe(&self, channel: &ChannelName) {
        lock(&self.subscribed).remove(channel);
        self.broker.unsubscribe(channel);
    }

    fn enter<'a>(
        &'a self,
        channel: &'a ChannelName,
        member: Member,
        tracked: bool,
    ) -> Answer<'a, ()> {
        Box::pin(self.powered(self.broker.enter(channel, member, tracked)))
    }

    fn leave<'a>(&'a self, channel: &'a ChannelName, connection: ConnectionId) -> Answer<'a, ()> {
        self.broker.leave(channel, connection)
    }

    fn members<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, Vec<Member>> {
        self.broker.members(channel)
    }

    fn channels(&self, query: ChannelsQuery) -> Answer<'_, Vec<ChannelName>> {
        self.broker.channels(query)
    }

    fn nodes(&self) -> &dyn Nodes {
        self.broker.nodes()
    }

    fn notes(&self) -> &dyn Notes {
        self.broker.notes()
    }

    fn changes(&self) -> &dyn Changes {
        self
    }
}

impl Changes for SwitchedBroker {
    fn untold<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, ChangesPage> {
        Box::pin(self.powered(self.broker.changes().untold(channel)))
    }

    fn forget<'a>(&'a self, channel: &'a ChannelName, last: &'a str) -> Answer<'a, ()> {
        self.broker.changes().forget(channel, last)
    }

    fn tracked(&self, query: ChannelsQuery) -> Answer<'_, Vec<ChannelName>> {
        self.broker.changes().tracked(query)
    }
}
