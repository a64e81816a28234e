//! The registry of nodes: each renews its lease, and learns of the others in the same call.
//!
//! A change is announced to all nodes by a live message, so that they look at once; a round each second finds what such a
//! message failed to tell.

use crate::call::Argument::{Bytes as Binary, Number, Text};
use crate::call::{Call, Failure};
use crate::directory::Directory;
use crate::publish::millis;
use crate::scripts::Script;
use crate::server::Lane;
use crate::servers::{CALL, Servers};
use bytes::Bytes;
use fanline_core::broker::{NODE_LEASE, NodeRecord, Notice};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two rounds, before jitter: some ten of them within a lease.
const ROUND: Duration = Duration::from_secs(1);

/// What this node says, and what it knows of the others.
#[derive(Debug)]
pub(crate) struct Registry {
    record: Mutex<Bytes>,
    nodes: Mutex<Arc<[NodeRecord]>>,
}

impl Registry {
    pub(crate) fn new(servers: &Servers) -> Self {
        let alone = NodeRecord { node: servers.common.id, record: Bytes::new() };
        Registry { record: Mutex::default(), nodes: Mutex::new(Arc::new([alone])) }
    }

    /// Says something else of this node, from the next round on, which comes at once.
    pub(crate) fn announce(&self, servers: &Servers, record: Bytes) {
        *self.record.lock().unwrap_or_else(PoisonError::into_inner) = record;
        servers.common.outlet.registry.notify_one();
    }

    /// The nodes as last heard.
    pub(crate) fn list(&self) -> Arc<[NodeRecord]> {
        Arc::clone(&self.nodes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes rounds, until `stop`.
    pub(crate) async fn run(
        self: Arc<Self>,
        servers: Arc<Servers>,
        directory: Arc<Directory>,
        stop: CancellationToken,
    ) {
        let rounds = async {
            let mut known = String::new();
            loop {
                match self.renew(&servers, &known).await {
                    Ok(Renewed { unknown, version, nodes }) => {
                        if unknown {
                            // Redis has lost us: what else it knew of this node may be lost, too.
                            directory.say_all_again();
                        }
                        if version != known {
                            known = version;
                            *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
                            if servers.common.outlet.notices.send(Notice::Nodes).await.is_err() {
                                return;
                            }
                        }
                    }
                    Err(failure) => {
                        tracing::debug!(?failure, "the lease of this node could not be renewed now")
                    }
                }
                let pause = servers.common.random.around(ROUND, 0.25);
                let changed = servers.common.outlet.registry.notified();
                let _either_way = tokio::time::timeout(pause, changed).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn renew(&self, servers: &Servers, known: &str) -> Result<Renewed, Failure> {
        let common = &servers.common;
        let hub = &common.own[0];
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let call = Call {
            script: Script::Announce,
            keys: &[common.keys.nodes()],
            arguments: &[
                Text(&common.node),
                Number(millis(NODE_LEASE)),
                Binary(&record),
                Text(known),
                Text(common.pubsub.publish()),
                Text(&common.keys.live(hub)),
            ],
            lasting: false,
        };
        let answer = servers.call(hub, Lane::Writes, &call).await?;
        let (unknown, version, listed): (bool, String, Vec<(String, Vec<u8>)>) =
            redis::from_redis_value(answer).map_err(|_| Failure::Foreign)?;
        let nodes = listed.into_iter().filter_map(|(node, record)| {
            Some(NodeRecord { node: node.parse().ok()?, record: record.into() })
        });
        Ok(Renewed { unknown, version, nodes: nodes.collect() })
    }
}

struct Renewed {
    unknown: bool,
    version: String,
    /// Nothing if the version is the known one.
    nodes: Arc<[NodeRecord]>,
}

/// Hears what other nodes tell this one, and all: asks for it until that is granted.
pub(crate) async fn hear(servers: Arc<Servers>, stop: CancellationToken) {
    let asking = async {
        for channel in &servers.common.own {
            loop {
                let asked = match servers.want(channel) {
                    Ok(wanted) => wanted.confirmed,
                    Err(_not_yet) => {
                        tokio::time::sleep(ROUND / 10).await;
                        continue;
                    }
                };
                // Once wanted it stays so, whatever becomes of the connection. In a cluster the channel may meanwhile
                // turn out to live elsewhere: then it is asked for there.
                match tokio::time::timeout(CALL, asked).await {
                    Ok(Ok(())) => break,
                    Ok(Err(_)) | Err(_) => tokio::time::sleep(ROUND / 10).await,
                }
            }
        }
    };
    stop.run_until_cancelled(asking).await;
}
