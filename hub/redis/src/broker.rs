//! The broker: what it is made of, and the trait that the hub sees.

use crate::changes::RedisChanges;
use crate::checks;
use crate::cluster;
use crate::keys::Keys;
use crate::metrics::RedisMetrics;
use crate::nodes::RedisNodes;
use crate::notes::RedisNotes;
use crate::presence::Presence;
use crate::publisher::Publisher;
use crate::reader::Outlet;
use crate::readiness::RedisReadiness;
use crate::server::{Common, PubSub};
use crate::servers::{CALL, Servers, Wanted};
use crate::suspects::Suspects;
use crate::tasks::Tasks;
use crate::{CheckedSettings, Mode, channels, history, mending};
use fanline_core::broker::{
    Answer, Broker, BrokerError, Changes, ChannelsQuery, HistoryPage, HistoryQuery, Member, Nodes,
    Notes, NoticeSender, Publication, Published,
};
use fanline_core::channel::ChannelName;
use fanline_core::ids::{ConnectionId, NodeId};
use fanline_core::random::Random;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the broker is made of.
pub struct RedisParts {
    /// What the operator chose.
    pub settings: CheckedSettings,
    /// Where it tells the hub what happened.
    pub notices: NoticeSender,
    /// The randomness: epochs, jitter, the name of this node.
    pub random: Random,
}

/// The broker on Redis. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RedisBroker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    servers: Arc<Servers>,
    publisher: Publisher,
    presence: Arc<Presence>,
    nodes: RedisNodes,
    notes: RedisNotes,
    changes: RedisChanges,
}

impl RedisBroker {
    /// Starts the broker, its work on `tasks`, until `stop`. It connects in the background, and a Redis that is away is
    /// no error: see [`readiness`](Self::readiness).
    #[must_use]
    pub fn start(
        parts: RedisParts,
        registry: &mut Registry,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let RedisParts { settings: checked, notices, random } = parts;
        let metrics = RedisMetrics::register(registry);
        let suspects = Suspects::default();
        let tasks = Tasks { tracker: tasks.clone(), stop: stop.clone() };
        tasks.start(suspects.clone().tell(notices.clone(), stop.clone()));
        let cluster = checked.mode == Mode::Cluster;
        let (keys, id) = (Keys::new(&checked.prefix), NodeId::random(&random));
        let common = Common {
            own: [keys.hub_channel(), keys.node_channel(id)],
            keys,
            id,
            node: id.to_string().into(),
            pubsub: if cluster { PubSub::Sharded } else { PubSub::Plain },
            outlet: Outlet { notices, suspects, metrics, registry: Arc::default() },
            trouble: Arc::default(),
            stale: Arc::default(),
            forgot: Arc::default(),
            random,
            tasks: tasks.clone(),
        };
        let servers = Arc::new(Servers::start(&checked, common, stop));
        if cluster {
            tasks.start(cluster::follow(Arc::clone(&servers), checked, stop.clone()));
        }
        let publisher = Publisher::start(&servers, stop);
        let presence = Arc::new(Presence::new(Arc::clone(&servers)));
        tasks.start(checks::run(Arc::clone(&servers), Arc::clone(&presence), stop.clone()));
        tasks.start(mending::run(Arc::clone(&servers), Arc::clone(&presence), stop.clone()));
        let nodes = RedisNodes::start(&servers, stop);
        let notes = RedisNotes::new(Arc::clone(&servers));
        let changes = RedisChanges { servers: Arc::clone(&servers) };
        RedisBroker(Arc::new(Inner { servers, publisher, presence, nodes, notes, changes }))
    }

    /// Answers whether the broker can be relied on.
    #[must_use]
    pub fn readiness(&self) -> RedisReadiness {
        RedisReadiness::new(Arc::clone(&self.0.servers))
    }
}

impl Broker for RedisBroker {
    fn publish(&self, publication: Publication) -> Answer<'_, Published> {
        Box::pin(self.0.publisher.publish(publication))
    }

    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery,
    ) -> Answer<'a, HistoryPage> {
        Box::pin(history::read(&self.0.servers, channel, query))
    }

    fn subscribe<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, ()> {
        Box::pin(async move {
            let Wanted { server, confirmed } = self.0.servers.want(channel)?;
            // Looked at after the wish: whoever goes away now also drops it.
            if server.ear.is_away() {
                return Err(BrokerError::Unavailable);
            }
            match tokio::time::timeout(CALL, confirmed).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_went_away)) => Err(BrokerError::Unavailable),
                Err(_elapsed) => Err(BrokerError::Unavailable),
            }
        })
    }

    fn unsubscribe(&self, channel: &ChannelName) {
        self.0.servers.forget(channel);
    }

    fn enter<'a>(
        &'a self,
        channel: &'a ChannelName,
        member: Member,
        tracked: bool,
    ) -> Answer<'a, ()> {
        Box::pin(self.0.presence.enter(channel, member, tracked))
    }

    fn leave<'a>(&'a self, channel: &'a ChannelName, connection: ConnectionId) -> Answer<'a, ()> {
        Box::pin(self.0.presence.leave(channel, connection))
    }

    fn members<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, Vec<Member>> {
        Box::pin(self.0.presence.members(channel))
    }

    fn channels(&self, query: ChannelsQuery) -> Answer<'_, Vec<ChannelName>> {
        Box::pin(channels::list(&self.0.servers, query))
    }

    fn nodes(&self) -> &dyn Nodes {
        &self.0.nodes
    }

    fn notes(&self) -> &dyn Notes {
        &self.0.notes
    }

    fn changes(&self) -> &dyn Changes {
        &self.0.changes
    }
}

impl fmt::Debug for RedisParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisParts").field("settings", &self.settings).finish_non_exhaustive()
    }
}
