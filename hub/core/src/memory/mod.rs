//! The broker of one machine: everything in memory, gone with the process.
//!
//! Channels are spread over shards, each behind its own mutex, so that publishers of different channels do not wait
//! for each other. One channel is a `Channel`, which is where the rules are.

mod changes;
mod channel;
mod metrics;
mod nodes;
mod notes;
mod turnstile;

use crate::broker::{
    Answer, Broker, BrokerError, ChangeKind, Changes, ChannelsQuery, HistoryPage, HistoryQuery,
    Member, Nodes, Notes, Notice, NoticeSender, PresenceChange, Publication, Published,
};
use crate::channel::ChannelName;
use crate::clock::Clock;
use crate::hub::as_old_as_the_process;
use crate::ids::{ConnectionId, NodeId};
use crate::position::Epoch;
use crate::random::Random;
use crate::sync::lock;
use channel::Channel;
use metrics::MemoryMetrics;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::coop::consume_budget;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use turnstile::Turnstile;

/// Enough that two cores, or sixteen, rarely meet at the same mutex.
const SHARDS: usize = 64;
/// Between two sweeps for what is expired in channels that nobody touches.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What the broker may hold.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// Channels that have members, events or a remembered epoch. At the bound new ones are refused. Default: 250,000.
    pub channels: usize,
    /// Events in all histories together, in bytes. At the bound a publish pushes out older events of its own channel,
    /// and is refused when there are none. Default: 512 MiB.
    pub history_bytes: usize,
    /// Idempotency keys of one channel. At the bound the oldest are forgotten early, and counted. Default: 100,000.
    pub idempotency_keys: usize,
    /// Notes, such as tickets, that wait to be taken. At the bound new ones are refused. Default: 100,000.
    pub notes: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        MemoryLimits {
            channels: 250_000,
            history_bytes: 512 * 1024 * 1024,
            idempotency_keys: 100_000,
            notes: 100_000,
        }
    }
}

/// The embedded broker. Cheap to clone.
#[derive(Clone)]
pub struct MemoryBroker(Arc<Inner>);

struct Inner {
    shards: Box<[Mutex<HashMap<ChannelName, Channel>>]>,
    hasher: RandomState,
    notices: NoticeSender,
    turnstile: Turnstile,
    node: nodes::Node,
    kept: notes::Kept,
    clock: Arc<dyn Clock>,
    random: Random,
    limits: MemoryLimits,
    metrics: MemoryMetrics,
}

impl MemoryBroker {
    /// Starts the broker, its housekeeping on `tasks`, until `stop`.
    #[must_use]
    pub fn start(
        notices: NoticeSender,
        clock: Arc<dyn Clock>,
        random: Random,
        limits: MemoryLimits,
        registry: &mut Registry,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let broker = MemoryBroker(Arc::new(Inner {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            turnstile: Turnstile::new(notices.clone()),
            notices,
            node: nodes::Node::new(NodeId::random(&random)),
            kept: notes::Kept::new(Epoch::random(&random)),
            clock,
            random,
            limits,
            metrics: MemoryMetrics::register(registry),
        }));
        tasks.spawn(as_old_as_the_process(sweep(broker.clone(), stop.clone()), stop));
        broker
    }

    /// Does something with a channel, which is made if it is new.
    fn with<T>(
        &self,
        name: &ChannelName,
        act: impl FnOnce(&mut Channel, Duration) -> T,
    ) -> Result<T, BrokerError> {
        let inner = &*self.0;
        let now = inner.clock.monotonic();
        let mut shard = lock(inner.shard(name));
        let channel = match shard.entry(name.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                if inner.metrics.channels.get()
                    >= i64::try_from(inner.limits.channels).unwrap_or(i64::MAX)
                {
                    return Err(BrokerError::Full(
                        "the memory broker holds as many channels as it may",
                    ));
                }
                inner.metrics.channels.inc();
                entry.insert(Channel::new(Epoch::random(&inner.random), now))
            }
        };
        channel.expire(now, &inner.metrics);
        Ok(act(channel, now))
    }
}

impl MemoryBroker {
    /// Does something with a channel, if it is known: asking about made-up names fills nothing.
    fn with_known<T: Default>(&self, name: &ChannelName, act: impl FnOnce(&mut Channel) -> T) -> T {
        lock(self.0.shard(name)).get_mut(name).map(act).unwrap_or_default()
    }

    fn count_lost(&self, kept_all: bool) {
        if !kept_all {
            self.0.metrics.changes_lost.inc();
        }
    }
}

impl Inner {
    fn shard(&self, name: &ChannelName) -> &Mutex<HashMap<ChannelName, Channel>> {
        // The remainder is below SHARDS.
        &self.shards[self.hasher.hash_one(name) as usize % SHARDS]
    }
}

impl Broker for MemoryBroker {
    fn publish(&self, publication: Publication) -> Answer<'_, Published> {
        Box::pin(async move {
            let place = self.0.turnstile.place().await?;
            let Inner { limits, metrics, .. } = &*self.0;
            let name = publication.channel.clone();
            let outcome = self.with(&name, |channel, now| {
                let (published, event) = channel.publish(publication, now, limits, metrics)?;
                // Sent under the lock, so that notices keep the order of offsets.
                if let Some(event) = event.filter(|_| channel.subscribed) {
                    place.send(Notice::Event(event));
                }
                Ok(published)
            });
            // Who publishes without a pause lets the hub run now and then, which takes in the notices.
            consume_budget().await;
            outcome?
        })
    }

    fn history<'a>(
        &'a self,
        name: &'a ChannelName,
        query: HistoryQuery,
    ) -> Answer<'a, HistoryPage> {
        Box::pin(async move { self.with(name, |channel, now| channel.read(query, now)) })
    }

    fn subscribe<'a>(&'a self, name: &'a ChannelName) -> Answer<'a, ()> {
        Box::pin(async move { self.with(name, |channel, _| channel.subscribed = true) })
    }

    fn unsubscribe(&self, name: &ChannelName) {
        if let Some(channel) = lock(self.0.shard(name)).get_mut(name) {
            channel.subscribed = false;
            channel.touched = self.0.clock.monotonic();
        }
    }

    fn enter<'a>(&'a self, name: &'a ChannelName, member: Member, tracked: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            let place = self.0.turnstile.place().await?;
            self.with(name, |channel, _| {
                if tracked {
                    channel.untold.track();
                }
                if channel.members.enter(member.clone()) {
                    let members = channel.members.len();
                    self.count_lost(channel.untold.add(&member, ChangeKind::Joined, members));
                }
                if channel.subscribed {
                    let change = PresenceChange { channel: name.clone(), member, joined: true };
                    place.send(Notice::Presence(Arc::new(change)));
                }
            })
        })
    }

    fn leave<'a>(&'a self, name: &'a ChannelName, connection: ConnectionId) -> Answer<'a, ()> {
        Box::pin(async move {
            let place = self.0.turnstile.place().await?;
            self.with_known(name, |channel| {
                let Some(member) = channel.members.leave(connection) else { return };
                let members = channel.members.len();
                self.count_lost(channel.untold.add(&member, ChangeKind::Left, members));
                if channel.subscribed {
                    let change = PresenceChange { channel: name.clone(), member, joined: false };
                    place.send(Notice::Presence(Arc::new(change)));
                }
            });
            Ok(())
        })
    }

    fn members<'a>(&'a self, name: &'a ChannelName) -> Answer<'a, Vec<Member>> {
        Box::pin(async move { Ok(self.with_known(name, |channel| channel.members.list())) })
    }

    fn channels(&self, query: ChannelsQuery) -> Answer<'_, Vec<ChannelName>> {
        Box::pin(async move {
            let now = self.0.clock.monotonic();
            let mut names = Vec::new();
            for shard in &self.0.shards {
                let mut shard = lock(shard);
                let listed = shard.iter_mut().filter_map(|(name, channel)| {
                    channel.expire(now, &self.0.metrics);
                    let wanted =
                        channel.is_live() && query.after.as_ref().is_none_or(|after| name > after);
                    (wanted && query.pattern.matches(name.as_str())).then(|| name.clone())
                });
                names.extend(listed);
            }
            names.sort_unstable();
            names.truncate(query.limit);
            Ok(names)
        })
    }

    fn nodes(&self) -> &dyn Nodes {
        self
    }

    fn notes(&self) -> &dyn Notes {
        self
    }

    fn changes(&self) -> &dyn Changes {
        self
    }
}

/// Lets go of what is expired in channels that nobody touches.
async fn sweep(broker: MemoryBroker, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let Inner { shards, kept, clock, metrics, .. } = &*broker.0;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        kept.expire(clock.monotonic(), clock.wall());
        for shard in shards {
            let now = clock.monotonic();
            lock(shard).retain(|_, channel| {
                channel.expire(now, metrics);
                let keep = !channel.is_forgotten(now);
                if !keep {
                    metrics.channels.dec();
                }
                keep
            });
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::broker::{Broker, Changes, ChangesPage};
    use crate::clock::Timestamp;
    use crate::conformance::{self, Subject};
    use crate::ids::ConnectionId;
    use crate::random::Random;
    use crate::testing::{MemoryFixture, channel};
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn the_memory_broker_keeps_every_promise_of_a_broker() {
        conformance::run(|| async {
            let MemoryFixture { broker, notices, clock } = MemoryFixture::start();
            let time = clock.clone();
            let pass = Box::new(move |by| {
                time.advance(by);
                Box::pin(std::future::ready(())) as _
            });
            Subject { broker: Arc::new(broker), notices, clock: Arc::new(clock), pass }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn asking_who_is_in_channels_that_nobody_knows_makes_none() {
        let MemoryFixture { broker, notices: _notices, .. } = MemoryFixture::start();
        let connection = ConnectionId::new(Timestamp::default(), &Random::seeded(1));
        for number in 0..100 {
            let name = channel(&format!("made:{number}"));
            assert_eq!(broker.members(&name).await, Ok(Vec::new()));
            broker.leave(&name, connection).await.unwrap();
            assert_eq!(broker.untold(&name).await, Ok(ChangesPage::default()));
        }
        assert_eq!(broker.0.metrics.channels.get(), 0);
    }
}
