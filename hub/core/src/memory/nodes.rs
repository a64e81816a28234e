//! The one node of a hub in memory: it only ever speaks to itself.

use super::MemoryBroker;
use crate::broker::nodes::{check_message, check_record};
use crate::broker::{Answer, BrokerError, NodeRecord, Nodes, Notice};
use crate::ids::{NodeId, UserId};
use crate::sync::lock;
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// What the node says of itself.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    record: Mutex<Bytes>,
    /// Bounded by the connections of the node.
    users: Mutex<HashSet<UserId>>,
}

impl Node {
    pub(super) fn new(id: NodeId) -> Self {
        Node { id, record: Mutex::default(), users: Mutex::default() }
    }
}

impl Nodes for MemoryBroker {
    fn id(&self) -> NodeId {
        self.0.node.id
    }

    fn announce(&self, record: Bytes) -> Result<(), BrokerError> {
        check_record(&record)?;
        *lock(&self.0.node.record) = record;
        // Whoever announces knows: a queue that is full is no reason to wait.
        let _full = self.0.notices.try_send(Notice::Nodes);
        Ok(())
    }

    fn list(&self) -> Arc<[NodeRecord]> {
        let record = lock(&self.0.node.record).clone();
        Arc::new([NodeRecord { node: self.0.node.id, record }])
    }

    fn tell(&self, node: NodeId, message: Bytes) -> Answer<'_, bool> {
        Box::pin(async move {
            check_message(&message)?;
            let here = node == self.0.node.id;
            if here {
                self.0.turnstile.place().await?.send(Notice::Control { from: node, message });
            }
            Ok(here)
        })
    }

    fn attach(&self, user: &UserId) {
        lock(&self.0.node.users).insert(user.clone());
    }

    fn detach(&self, user: &UserId) {
        lock(&self.0.node.users).remove(user);
    }

    fn of<'a>(&'a self, user: &'a UserId) -> Answer<'a, Vec<NodeId>> {
        let attached = lock(&self.0.node.users).contains(user);
        Box::pin(std::future::ready(Ok(attached.then_some(self.0.node.id).into_iter().collect())))
    }
}
