//! What the parts of a hub tell the same parts on other nodes.
//!
//! A message has a topic, and each topic has one listener on a node. What it says is the listener's own affair. Messages
//! may be lost ([`Nodes::tell`](crate::broker::Nodes::tell)); see there for what that asks of whoever sends them.

use crate::Refusal;
use crate::broker::NodeRecord;
use crate::hub::Hub;
use crate::ids::NodeId;
use crate::metrics::{HubMetrics, TopicLabel};
use crate::sync::lock;
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};

/// Messages of one topic that may wait for their listener: more is a listener that stands still.
const WAITING: usize = 1024;

/// What a message is about. The numbers are spoken between nodes of different versions: never reuse one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Topic {
    /// Connections: who is there, and what they are to do.
    Connections = 1,
    /// Commands on their way to a backend, and the answers on their way back.
    Commands = 2,
}

impl Topic {
    /// All of them.
    pub const ALL: [Topic; 2] = [Topic::Connections, Topic::Commands];

    /// The word for it in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Topic::Connections => "connections",
            Topic::Commands => "commands",
        }
    }
}

/// A message that another node sent, or this one to itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// The node.
    pub from: NodeId,
    /// What it said.
    pub message: Bytes,
}

/// Sorts what arrives by topic.
#[derive(Debug)]
pub(crate) struct Switchboard {
    lines: [Line; Topic::ALL.len()],
    nodes: watch::Sender<()>,
}

#[derive(Debug)]
struct Line {
    topic: Topic,
    sender: mpsc::Sender<Told>,
    /// Until somebody listens.
    listener: Mutex<Option<mpsc::Receiver<Told>>>,
}

impl Switchboard {
    pub(crate) fn new() -> Self {
        let lines = Topic::ALL.map(|topic| {
            let (sender, listener) = mpsc::channel(WAITING);
            Line { topic, sender, listener: Mutex::new(Some(listener)) }
        });
        Switchboard { lines, nodes: watch::Sender::new(()) }
    }

    /// Hands a message to its listener. One that finds no room is lost, and counted.
    pub(crate) fn deliver(&self, from: NodeId, mut message: Bytes, metrics: &HubMetrics) {
        let number = message.first().copied();
        let Some(line) = self.lines.iter().find(|line| Some(line.topic as u8) == number) else {
            return tracing::debug!(?number, %from, "a message is about something that this node does not know");
        };
        let _topic = message.split_to(1);
        if line.sender.try_send(Told { from, message }).is_err() {
            metrics.control_dropped.get_or_create(&TopicLabel { topic: line.topic }).inc();
        }
    }

    pub(crate) fn nodes_changed(&self) {
        self.nodes.send_replace(());
    }
}

impl Hub {
    /// This node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.broker().nodes().id()
    }

    /// The nodes of the hub, this one included, with what they [announced](Self::announce).
    #[must_use]
    pub fn nodes(&self) -> Arc<[NodeRecord]> {
        self.broker().nodes().list()
    }

    /// Is told whenever [`nodes`](Self::nodes) may give another answer.
    #[must_use]
    pub fn nodes_changes(&self) -> watch::Receiver<()> {
        self.switchboard().nodes.subscribe()
    }

    /// Says something about this node to all nodes. The command router owns the record; it says which methods are
    /// answered here.
    ///
    /// # Errors
    /// A record over [`NODE_RECORD_BYTES`](crate::limits::NODE_RECORD_BYTES).
    pub fn announce(&self, record: Bytes) -> Result<(), Refusal> {
        Ok(self.broker().nodes().announce(record)?)
    }

    /// Sends a message to the listener of a topic on a node. False: no such node, or it does not hear at the moment.
    ///
    /// # Errors
    /// A message over [`CONTROL_MESSAGE_BYTES`](crate::limits::CONTROL_MESSAGE_BYTES), or a broker that is not
    /// available.
    pub async fn tell(&self, node: NodeId, topic: Topic, message: &[u8]) -> Result<bool, Refusal> {
        let mut told = BytesMut::with_capacity(1 + message.len());
        told.put_u8(topic as u8);
        told.put_slice(message);
        Ok(self.broker().nodes().tell(node, told.freeze()).await?)
    }

    /// Listens to a topic. None: somebody does already.
    #[must_use]
    pub fn listen(&self, topic: Topic) -> Option<mpsc::Receiver<Told>> {
        let line = self.switchboard().lines.iter().find(|line| line.topic == topic)?;
        lock(&line.listener).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::testing::TestHub;
    use prometheus_client::registry::Registry;

    #[tokio::test(start_paused = true)]
    async fn a_message_reaches_the_one_listener_of_its_topic() {
        let hub = TestHub::start();
        let mut commands = hub.listen(Topic::Commands).unwrap();
        assert!(hub.listen(Topic::Commands).is_none(), "one listener each");
        assert!(hub.listen(Topic::Connections).is_none(), "which is the hub itself");
        assert!(hub.tell(hub.node(), Topic::Connections, b"go").await.unwrap());
        assert!(hub.tell(hub.node(), Topic::Commands, b"do").await.unwrap());
        let told = Told { from: hub.node(), message: Bytes::from_static(b"do") };
        assert_eq!(commands.recv().await, Some(told));
    }

    #[test]
    fn what_nobody_takes_is_lost_and_counted() {
        let (switchboard, node) = (Switchboard::new(), NodeId::random(&Random::seeded(1)));
        let metrics = HubMetrics::register(&mut Registry::default());
        let dropped = |topic| metrics.control_dropped.get_or_create(&TopicLabel { topic }).get();
        for _ in 0..WAITING + 3 {
            switchboard.deliver(node, Bytes::from_static(b"\x02do"), &metrics);
        }
        switchboard.deliver(node, Bytes::new(), &metrics);
        switchboard.deliver(node, Bytes::from_static(b"\xffdo"), &metrics);
        assert_eq!([Topic::Commands, Topic::Connections].map(dropped), [3, 0]);
    }
}
