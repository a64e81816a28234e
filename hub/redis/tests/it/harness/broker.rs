//! A broker of one node, with its end of the notices.

use super::until;
use fanline_core::broker::{NoticeReceiver, notices};
use fanline_core::random::Random;
use fanline_redis::{RedisBroker, RedisParts, RedisSettings};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A node.
pub(crate) struct Node {
    pub(crate) broker: RedisBroker,
    pub(crate) notices: NoticeReceiver,
    pub(crate) registry: Registry,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: DropGuard,
}

impl Node {
    /// Starts a node and waits until it is ready.
    pub(crate) async fn start(settings: RedisSettings) -> Self {
        let node = Self::unready(settings);
        is_ready(&node.broker).await;
        node
    }

    /// Starts a node.
    pub(crate) fn unready(settings: RedisSettings) -> Self {
        let (sender, notices) = notices();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut registry = Registry::default();
        let random = Random::from_system().expect("randomness");
        let settings = settings.check().expect("good settings");
        let parts = RedisParts { settings, notices: sender, random };
        let broker = RedisBroker::start(parts, &mut registry, &tasks, &stop);
        Node { broker, notices, registry, tasks, stop: stop.drop_guard() }
    }
}

/// Waits until a node is ready.
pub(crate) async fn is_ready(broker: &RedisBroker) {
    let readiness = broker.readiness();
    until("the node is ready", async || readiness.complaint().is_none()).await;
}

/// Waits until a node is not ready.
pub(crate) async fn is_unready(broker: &RedisBroker) {
    let readiness = broker.readiness();
    until("the node is not ready", async || readiness.complaint().is_some()).await;
}

/// The value of a series.
pub(crate) fn metric(registry: &Registry, series: &str) -> u64 {
    let mut text = String::new();
    encode(&mut text, registry).expect("text");
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{series} in {text}"))
}
