//! The nodes of the hub, as the core asks for them: the registry, the directory of users, and directed messages.

use crate::call::Argument::{Bytes as Binary, Text};
use crate::call::{Call, Failure};
use crate::directory::Directory;
use crate::registry::{self, Registry};
use crate::scripts::Script;
use crate::server::Lane;
use crate::servers::Servers;
use bytes::Bytes;
use fanline_core::broker::nodes::{check_message, check_record};
use fanline_core::broker::{Answer, BrokerError, NodeRecord, Nodes};
use fanline_core::ids::{NodeId, UserId};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The nodes.
#[derive(Debug)]
pub(crate) struct RedisNodes {
    servers: Arc<Servers>,
    registry: Arc<Registry>,
    directory: Arc<Directory>,
}

impl RedisNodes {
    /// Starts to take part in the registry, until `stop`.
    pub(crate) fn start(servers: &Arc<Servers>, stop: &CancellationToken) -> Self {
        let nodes = RedisNodes {
            servers: Arc::clone(servers),
            registry: Arc::new(Registry::new(servers)),
            directory: Arc::default(),
        };
        let tasks = &servers.common.tasks;
        tasks.start(registry::hear(Arc::clone(servers), stop.clone()));
        let registry = Arc::clone(&nodes.registry);
        let directory = Arc::clone(&nodes.directory);
        tasks.start(registry.run(Arc::clone(servers), directory, stop.clone()));
        tasks.start(Arc::clone(&nodes.directory).run(Arc::clone(servers), stop.clone()));
        nodes
    }
}

impl Nodes for RedisNodes {
    fn id(&self) -> NodeId {
        self.servers.common.id
    }

    fn announce(&self, record: Bytes) -> Result<(), BrokerError> {
        check_record(&record)?;
        self.registry.announce(&self.servers, record);
        Ok(())
    }

    fn list(&self) -> Arc<[NodeRecord]> {
        self.registry.list()
    }

    fn tell(&self, node: NodeId, message: Bytes) -> Answer<'_, bool> {
        Box::pin(async move {
            check_message(&message)?;
            let common = &self.servers.common;
            let channel = common.keys.node_channel(node);
            let told = [b"C", common.node.as_bytes(), &message].concat();
            let call = Call {
                script: Script::Tell,
                keys: &[common.keys.live(&channel)],
                arguments: &[Text(common.pubsub.publish()), Binary(&told)],
                lasting: false,
            };
            let answer = self.servers.call(&channel, Lane::Writes, &call).await?;
            let hearers: u64 = redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
            Ok(hearers > 0)
        })
    }

    fn attach(&self, user: &UserId) {
        self.directory.attach(user);
    }

    fn detach(&self, user: &UserId) {
        self.directory.detach(user);
    }

    fn of<'a>(&'a self, user: &'a UserId) -> Answer<'a, Vec<NodeId>> {
        Box::pin(Directory::nodes_of(&self.servers, user))
    }
}
