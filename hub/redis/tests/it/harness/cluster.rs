//! A cluster of three primaries with a replica each.

use super::server::{RedisServer, free_port};
use super::until;
use fanline_redis::{Mode, RedisSettings};
use std::process::{Command, Stdio};

/// The six servers.
pub(crate) struct ClusterSetup {
    pub(crate) servers: Vec<RedisServer>,
}

impl ClusterSetup {
    pub(crate) async fn start() -> Self {
        let mut servers = Vec::new();
        for _ in 0..6 {
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
        let setup = ClusterSetup { servers };
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
            replicas == 3
        })
        .await;
        setup
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        RedisSettings {
            mode: Mode::Cluster,
            urls: self.servers[..2].iter().map(RedisServer::url).collect(),
            ..RedisSettings::standalone("")
        }
    }

    /// The index of the primary that has the slot of a key.
    pub(crate) async fn home(&self, key: &str) -> usize {
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
    pub(crate) async fn migrate(&self, key: &str, from: usize, to: usize) {
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
