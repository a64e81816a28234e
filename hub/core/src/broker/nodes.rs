//! The nodes of a hub, and how one speaks to another: a registry, a directory of users, and directed messages.
//!
//! What the messages say is not known here; the hub sorts them by topic (see [`control`](crate::control)).

use super::{Answer, BrokerError};
use crate::ids::{NodeId, UserId};
use crate::limits::{CONTROL_MESSAGE_BYTES, NODE_RECORD_BYTES};
use bytes::Bytes;
use std::sync::Arc;

/// Knows the nodes of the hub. Asked for by [`Broker::nodes`](super::Broker::nodes).
///
/// Nothing here waits for what is not needed at once: what a node says of itself ([`announce`](Self::announce),
/// [`attach`](Self::attach)) is kept by its own broker, told to the others as soon as it can be, and told again when
/// they may have forgotten.
pub trait Nodes: Send + Sync {
    /// This node. Each start of a process is a node of its own.
    fn id(&self) -> NodeId;

    /// Says something about this node, which all nodes see in [`list`](Self::list), in place of what it said before.
    ///
    /// A node is listed from its start, with an empty record. It is leased: a node that dies is gone from the lists
    /// of the others after [`NODE_LEASE`](super::NODE_LEASE).
    ///
    /// # Errors
    /// A record over [`NODE_RECORD_BYTES`].
    fn announce(&self, record: Bytes) -> Result<(), BrokerError>;

    /// The nodes, this one included, as last heard: about a second old at most while the broker is available, and its
    /// last state while it is not. A [`Notice::Nodes`](super::Notice::Nodes) says that the list is another.
    fn list(&self) -> Arc<[NodeRecord]>;

    /// Sends a message to a node, this one or another, where it arrives as
    /// [`Notice::Control`](super::Notice::Control). False: there is no such node, or it does not hear at the moment.
    ///
    /// At most once, and in no order that could be relied on: a message may be lost on its way, for instance when the
    /// queue of notices there is full. Whoever needs an answer asks for it, and asks again.
    ///
    /// # Errors
    /// A message over [`CONTROL_MESSAGE_BYTES`], or a broker that is not available.
    fn tell(&self, node: NodeId, message: Bytes) -> Answer<'_, bool>;

    /// Says that a user has connections on this node; saying it twice is saying it once. Like [`detach`](Self::detach) it
    /// is called with the table of connections locked, and calls nothing that may look there.
    fn attach(&self, user: &UserId);

    /// Says that it has none any more. The calls of one user take effect in their order.
    fn detach(&self, user: &UserId);

    /// The nodes on which a user has connections.
    ///
    /// # Errors
    /// A broker that is not available.
    fn of<'a>(&'a self, user: &'a UserId) -> Answer<'a, Vec<NodeId>>;
}

/// A node and what it says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeRecord {
    /// The node.
    pub node: NodeId,
    /// What it [announced](Nodes::announce).
    pub record: Bytes,
}

/// Whether a record may be announced: for implementations.
///
/// # Errors
/// It is too large.
pub fn check_record(record: &[u8]) -> Result<(), BrokerError> {
    if record.len() > NODE_RECORD_BYTES {
        return Err(BrokerError::Full("the record of a node is too large"));
    }
    Ok(())
}

/// Whether a message may be sent: for implementations.
///
/// # Errors
/// It is too large.
pub fn check_message(message: &[u8]) -> Result<(), BrokerError> {
    if message.len() > CONTROL_MESSAGE_BYTES {
        return Err(BrokerError::Full("the message to another node is too large"));
    }
    Ok(())
}
