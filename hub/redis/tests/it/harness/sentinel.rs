//! A primary, a replica and three sentinels that watch them.

use super::server::{RedisServer, free_port};
use super::until;
use fanline_redis::{Mode, RedisSettings};

/// The name under which the sentinels watch the primary.
const NAME: &str = "main";

/// The servers.
pub(crate) struct SentinelSetup {
    pub(crate) primary: RedisServer,
    pub(crate) replica: RedisServer,
    sentinels: Vec<RedisServer>,
}

impl SentinelSetup {
    pub(crate) async fn start() -> Self {
        let primary = RedisServer::start().await;
        let port = primary.port.to_string();
        let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]).await;
        let watch = format!(
            "sentinel monitor {NAME} 127.0.0.1 {port} 2\nsentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 5000\n"
        );
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(RedisServer::sentinel(free_port(), &watch).await);
        }
        let setup = SentinelSetup { primary, replica, sentinels };
        until("the sentinels know each other and the replica", async || {
            for sentinel in &setup.sentinels {
                let known: Vec<String> = sentinel.run(&["SENTINEL", "MASTER", NAME]).await;
                let number = |name: &str| {
                    let at = known.iter().position(|field| field == name).expect("a field");
                    known[at + 1].parse::<u64>().expect("a number")
                };
                if number("num-slaves") < 1 || number("num-other-sentinels") < 2 {
                    return false;
                }
            }
            true
        })
        .await;
        setup
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        RedisSettings {
            mode: Mode::Sentinel,
            urls: self.sentinels.iter().map(RedisServer::url).collect(),
            primary: NAME.into(),
            ..RedisSettings::standalone("")
        }
    }
}
