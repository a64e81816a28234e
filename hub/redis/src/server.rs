//! One server as a node sees it: three links for calls, and the ear that listens to its channels.
//!
//! Publishes have a link of their own, whose order is theirs. Presence and what nodes tell each other take another, and
//! reading the third, so that a page of history, or a wait for replicas, delays nobody else's answer.

use crate::backoff::Backoff;
use crate::ear::{Ear, EarParts};
use crate::keys::Keys;
use crate::link::Link;
use crate::place::Place;
use crate::reader::Outlet;
use crate::tasks::Tasks;
use crate::trouble::Trouble;
use fanline_core::channel::ChannelName;
use fanline_core::ids::NodeId;
use fanline_core::random::Random;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Which of the links a call takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lane {
    Publishes,
    Writes,
    Reads,
}

/// The commands of publish and subscribe: in a cluster the sharded ones, which stay on the servers of their slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PubSub {
    Plain,
    Sharded,
}

impl PubSub {
    pub(crate) fn publish(self) -> &'static str {
        match self {
            PubSub::Plain => "PUBLISH",
            PubSub::Sharded => "SPUBLISH",
        }
    }
}

/// What all servers of a broker share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) keys: Keys,
    /// The pseudo channels that this node hears: what concerns all nodes, and what is told to it alone.
    pub(crate) own: [ChannelName; 2],
    pub(crate) id: NodeId,
    /// The same, in 32 hexadecimal digits.
    pub(crate) node: Arc<str>,
    pub(crate) pubsub: PubSub,
    pub(crate) outlet: Outlet,
    /// Says what only an operator can mend.
    pub(crate) trouble: Arc<Trouble>,
    /// Told when channels seem to live elsewhere than we think.
    pub(crate) stale: Arc<Notify>,
    /// Told when a server came back with another history, in which it may have forgotten something.
    pub(crate) forgot: Arc<Notify>,
    pub(crate) random: Random,
    pub(crate) tasks: Tasks,
}

/// A server. Its connections end with `stop`.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) ear: Ear,
    pub(crate) stop: CancellationToken,
    /// The pub/sub channel of its probes.
    pub(crate) probe: String,
    publishes: Link,
    writes: Link,
    reads: Link,
}

impl Server {
    /// Starts to connect. `probe` is the pub/sub channel of its probes.
    pub(crate) fn start(
        place: Place,
        common: &Common,
        probe: String,
        stop: CancellationToken,
    ) -> Self {
        let backoff = || Backoff::new(common.random.clone());
        let metrics = &common.outlet.metrics;
        let link = || {
            let (link, keeping) = Link::new(
                place.clone(),
                backoff(),
                metrics.clone(),
                Arc::clone(&common.forgot),
                stop.clone(),
            );
            common.tasks.start(keeping);
            link
        };
        let (publishes, writes, reads) = (link(), link(), link());
        let parts = EarParts {
            place: place.clone(),
            probes: publishes.clone(),
            probe: probe.clone(),
            pubsub: common.pubsub,
            outlet: common.outlet.clone(),
            stale: Arc::clone(&common.stale),
            backoff: backoff(),
        };
        let (ear, listening) = Ear::new(parts, stop.clone());
        common.tasks.start(listening);
        Server { place, ear, stop, probe, publishes, writes, reads }
    }

    pub(crate) fn link(&self, lane: Lane) -> &Link {
        match lane {
            Lane::Publishes => &self.publishes,
            Lane::Writes => &self.writes,
            Lane::Reads => &self.reads,
        }
    }

    /// What is wrong with it, if anything.
    pub(crate) fn complaint(&self) -> Option<&'static str> {
        let links = [&self.publishes, &self.writes, &self.reads];
        if let Some(complaint) = links.into_iter().find_map(Link::complaint) {
            Some(complaint)
        } else if !self.ear.hears() {
            Some("live messages of a Redis server do not arrive")
        } else {
            None
        }
    }
}
