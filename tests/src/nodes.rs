//! Several hub processes that share a Redis and so are one hub.

use fanline_test_redis::{ClusterSetup, RedisServer, SentinelSetup, eventually, until};
use toml::{Table, toml};

use crate::hub::{Hub, HubBuilder};
use crate::raw_http::get;

/// What a hub is told of the Redis that it shares: its `[broker]`.
pub trait Shared {
    /// The section.
    fn broker(&self) -> Table;
}

impl Shared for RedisServer {
    fn broker(&self) -> Table {
        broker("standalone", vec![self.url()])
    }
}

impl Shared for SentinelSetup {
    fn broker(&self) -> Table {
        let mut broker = broker("sentinel", self.urls());
        broker.insert("primary".to_owned(), SentinelSetup::NAME.into());
        broker
    }
}

impl Shared for ClusterSetup {
    fn broker(&self) -> Table {
        broker("cluster", self.urls())
    }
}

/// The section itself, as somebody has changed it.
impl Shared for Table {
    fn broker(&self) -> Table {
        self.clone()
    }
}

impl HubBuilder {
    /// On this Redis.
    #[must_use]
    pub fn on(self, redis: &impl Shared) -> Self {
        self.set("broker", redis.broker())
    }

    /// So many nodes on this Redis, each of them ready.
    pub async fn nodes<const N: usize>(self, redis: &impl Shared) -> [Hub; N] {
        let mut nodes = Vec::with_capacity(N);
        for _ in 0..N {
            nodes.push(self.clone().on(redis).start().await);
        }
        for node in &nodes {
            node.is_ready().await;
        }
        nodes.try_into().expect("as many as were started")
    }
}

impl Hub {
    /// So many nodes with the base configuration on this Redis, each of them ready.
    pub async fn nodes<const N: usize>(redis: &impl Shared) -> [Hub; N] {
        Hub::builder().nodes(redis).await
    }

    /// Waits until `/readyz` is green.
    pub async fn is_ready(&self) {
        until("a node that is ready", async || self.complaint().await.is_none()).await;
    }

    /// Waits until `/readyz` is red, and returns what it says.
    pub async fn is_unready(&self) -> String {
        eventually("a node that is not ready", async || self.complaint().await).await
    }

    /// What `/readyz` complains of.
    async fn complaint(&self) -> Option<String> {
        let answer = get(self.addresses.ops, "/readyz").await;
        (answer.status != 200).then_some(answer.body)
    }
}

fn broker(mode: &str, urls: Vec<String>) -> Table {
    let mut broker = toml! { kind = "redis" };
    broker.insert("mode".to_owned(), mode.into());
    broker.insert("urls".to_owned(), urls.into());
    broker
}
