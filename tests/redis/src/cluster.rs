//! A cluster of three primaries with a replica each.

use crate::port::free_port;
use crate::server::RedisServer;
use crate::wait::until;
use std::process::{Command, Stdio};
use tokio::sync::Semaphore;

/// The six servers.
#[derive(Debug)]
pub struct ClusterSetup {
    /// Primaries and replicas.
    pub servers: Vec<RedisServer>,
    /// For one slot to move at a time: two servers that move keys to each other wait for each other in vain.
    moving: Semaphore,
}

impl ClusterSetup {
    /// How many servers share the slots; each has a replica besides.
    pub const PRIMARIES: usize = 3;

    /// Starts them and waits until the cluster is whole. A primary that is silent for a second and a half is replaced.
    pub async fn start() -> Self {
        let mut servers = Vec::new();
        for _ in 0..2 * Self::PRIMARIES {
            let bus = free_port().to_string();
            let settings = [
                "--cluster-enabled",
                "yes",
                "--cluster-node-timeout",
                "1500",
                "--cluster-port",
                &bus,
            ];
            servers.push(RedisServer::with(&settings).await);
        }
        let addresses = servers.iter().map(|server| format!("127.0.0.1:{}", server.port));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(addresses)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("redis-cli is installed").success());
        let setup = ClusterSetup { servers, moving: Semaphore::new(1) };
        until("the cluster is whole, and each primary has its replica", async || {
            let mut replicas = 0;
            for server in &setup.servers {
                let info: String = server.run(&["CLUSTER", "INFO"]).await;
                if !info.contains("cluster_state:ok") {
                    return false;
                }
                let info: String = server.run(&["INFO", "replication"]).await;
                replicas += usize::from(info.contains("master_link_status:up"));
            }
            replicas == Self::PRIMARIES
        })
        .await;
        setup
    }

    /// The URLs of two of them: the others are to be found.
    pub fn urls(&self) -> Vec<String> {
        self.servers[..2].iter().map(RedisServer::url).collect()
    }

    /// The indices of the primaries other than this one.
    pub async fn other_primaries(&self, home: usize) -> Vec<usize> {
        let mut others = Vec::new();
        for (index, server) in self.servers.iter().enumerate() {
            if index != home && server.is_primary().await {
                others.push(index);
            }
        }
        others
    }

    /// Has the replica of a primary take over, as an operator does, and waits until it has its slots.
    pub async fn relieve(&self, home: usize) {
        let id = self.servers[home].id().await;
        let replicas: Vec<String> = self.servers[home].run(&["CLUSTER", "REPLICAS", &id]).await;
        let is_named = |server: &&RedisServer| {
            replicas.iter().any(|replica| replica.contains(&format!(":{}@", server.port)))
        };
        let replica = self.servers.iter().find(is_named).expect("each primary has a replica");
        replica.run::<String>(&["CLUSTER", "FAILOVER"]).await;
        until("the replica is the primary", async || replica.is_primary().await).await;
    }

    /// The index of the primary that has the slot of a key.
    pub async fn home(&self, key: &str) -> usize {
        let slot: u64 = self.servers[0].run(&["CLUSTER", "KEYSLOT", key]).await;
        for (index, server) in self.servers.iter().enumerate() {
            let nodes: String = server.try_run(&["CLUSTER", "NODES"]).await.unwrap_or_default();
            let me = nodes.lines().find(|line| line.contains("myself,master"));
            let ranges = me.into_iter().flat_map(|line| line.split(' ').skip(8));
            let mut ranges = ranges.filter(|range| !range.starts_with('['));
            if ranges.any(|range| {
                let (from, to) = range.split_once('-').unwrap_or((range, range));
                (from.parse().expect("a slot")..=to.parse().expect("a slot")).contains(&slot)
            }) {
                return index;
            }
        }
        panic!("nobody has the slot of {key}");
    }

    /// Moves the slot of a key, with all that is in it, from one primary to another, as a resharding does.
    pub async fn migrate(&self, key: &str, from: usize, to: usize) {
        let _permit = self.moving.acquire().await.expect("it is never closed");
        let slot: u64 = self.servers[0].run(&["CLUSTER", "KEYSLOT", key]).await;
        let slot = slot.to_string();
        let (source, target) = (&self.servers[from], &self.servers[to]);
        let (source_id, target_id) = (source.id().await, target.id().await);
        target.run::<String>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]).await;
        source.run::<String>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]).await;
        let port = target.port.to_string();
        loop {
            let keys: Vec<String> = source.run(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).await;
            if keys.is_empty() {
                break;
            }
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            migrate.extend(keys.iter().map(String::as_str));
            source.run::<String>(&migrate).await;
        }
        for server in [target, source] {
            server.run::<String>(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]).await;
        }
    }
}
