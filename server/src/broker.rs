//! Starts the broker that the configuration names.

use std::sync::Arc;

use fanline_core::broker::{Broker, NoticeSender};
use fanline_core::clock::Clock;
use fanline_core::memory::{MemoryBroker, MemoryLimits};
use fanline_core::random::Random;
use fanline_redis::{RedisBroker, RedisParts};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::BrokerSettings;
use crate::ops::Readiness;

/// What any broker is made of.
pub(crate) struct BrokerParts<'a> {
    pub(crate) notices: NoticeSender,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    pub(crate) registry: &'a mut Registry,
    pub(crate) tasks: &'a TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// Starts it; what it depends on becomes a check of the node's readiness.
pub(crate) fn start(
    settings: BrokerSettings,
    parts: BrokerParts<'_>,
    readiness: Readiness,
) -> (Arc<dyn Broker>, Readiness) {
    let BrokerParts { notices, clock, random, registry, tasks, stop } = parts;
    match settings {
        BrokerSettings::Memory => {
            let limits = MemoryLimits::default();
            let broker = MemoryBroker::start(notices, clock, random, limits, registry, tasks, stop);
            (Arc::new(broker), readiness)
        }
        BrokerSettings::Redis(settings) => {
            let parts = RedisParts { settings: *settings, notices, random };
            let broker = RedisBroker::start(parts, registry, tasks, &stop);
            let redis = broker.readiness();
            (Arc::new(broker), readiness.with("broker", move || redis.complaint()))
        }
    }
}
