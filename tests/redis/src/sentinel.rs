//! A primary, a replica and three sentinels that watch them.

use crate::port::free_port;
use crate::server::RedisServer;
use crate::wait::until;

/// The servers.
#[derive(Debug)]
pub struct SentinelSetup {
    /// The primary at the start.
    pub primary: RedisServer,
    /// Its replica.
    pub replica: RedisServer,
    sentinels: Vec<RedisServer>,
}

impl SentinelSetup {
    /// The name under which the sentinels watch the primary.
    pub const NAME: &'static str = "main";

    /// Starts them and waits until they know each other. A primary that is silent for a second is replaced.
    pub async fn start() -> Self {
        const NAME: &str = SentinelSetup::NAME;
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

    /// Has the replica take over, as an operator does, and waits until it is the primary.
    pub async fn relieve(&self) {
        // Refused while the sentinels do not yet know how the replica is.
        until("the sentinels begin a failover", async || {
            let begun = self.sentinels[0].try_run::<String>(&["SENTINEL", "FAILOVER", Self::NAME]);
            begun.await.is_ok()
        })
        .await;
        until("the replica is the primary", async || self.replica.is_primary().await).await;
    }

    /// The URLs of the sentinels.
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }
}
