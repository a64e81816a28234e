//! What the memory broker holds, in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The gauges are the broker's own accounts: its bounds are held against them.
#[derive(Debug, Default)]
pub(super) struct MemoryMetrics {
    /// `fanline_memory_channels`.
    pub(super) channels: Gauge,
    /// `fanline_memory_history_bytes`.
    pub(super) history_bytes: Gauge,
    /// `fanline_memory_idempotency_keys_evicted_total`: forgotten before their window was over.
    pub(super) keys_evicted: Counter,
    /// `fanline_memory_changes_lost_total`: changes of members given up untold because too many waited.
    pub(super) changes_lost: Counter,
}

impl MemoryMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = MemoryMetrics::default();
        let registry = registry.sub_registry_with_prefix("fanline_memory");
        registry.register(
            "channels",
            "Channels that the memory broker holds",
            metrics.channels.clone(),
        );
        registry.register(
            "history_bytes",
            "Events in all histories, in bytes",
            metrics.history_bytes.clone(),
        );
        registry.register(
            "idempotency_keys_evicted",
            "Idempotency keys forgotten before their window was over",
            metrics.keys_evicted.clone(),
        );
        registry.register(
            "changes_lost",
            "Changes of members given up before they were told",
            metrics.changes_lost.clone(),
        );
        metrics
    }
}
