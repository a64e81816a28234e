//! The counters of the Redis broker. All series start at zero; labels are closed enums, never a channel.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write};

/// The counters. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct RedisMetrics {
    /// `fanline_redis_reconnects_total`: connections that were lost.
    pub(crate) reconnects: Counter,
    /// `fanline_redis_epochs_started_total{reason}`: channels whose positions became void.
    pub(crate) epochs: Family<EpochLabel, Counter>,
    /// `fanline_redis_messages_dropped_total`: live messages that found no room, to be read from history.
    pub(crate) messages_dropped: Counter,
    /// `fanline_redis_foreign_values_total`: messages and entries that were not the hub's.
    pub(crate) foreign_values: Counter,
    /// `fanline_redis_channels_behind_total`: times that the periodic check found a channel of which nothing was heard.
    pub(crate) channels_behind: Counter,
    /// `fanline_redis_publishes_refused_total`: publishes that found no place, as too many were without an answer.
    pub(crate) publishes_refused: Counter,
    /// `fanline_redis_members_restored_total`: members who were put back, as Redis had forgotten them.
    pub(crate) members_restored: Counter,
    /// `fanline_redis_changes_lost_total`: changes of members given up untold because too many waited.
    pub(crate) changes_lost: Counter,
}

/// Why an epoch began, as a label.
#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct EpochLabel {
    pub(crate) reason: EpochReason,
}

/// Why an epoch began in a channel that had one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum EpochReason {
    /// Redis may have lost events: it was restarted, or a replica was promoted.
    Fence,
    /// The channel's meta and history do not belong together, or one of them was evicted.
    Damage,
}

impl EncodeLabelValue for EpochReason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            EpochReason::Fence => "fence",
            EpochReason::Damage => "damage",
        })
    }
}

impl RedisMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = RedisMetrics::default();
        for reason in [EpochReason::Fence, EpochReason::Damage] {
            let _starts_at_zero = metrics.epochs.get_or_create(&EpochLabel { reason });
        }
        let registry = registry.sub_registry_with_prefix("fanline_redis");
        registry.register("reconnects", "Connections that were lost", metrics.reconnects.clone());
        registry.register(
            "epochs_started",
            "Channels whose positions became void",
            metrics.epochs.clone(),
        );
        registry.register(
            "messages_dropped",
            "Live messages that found no room, to be read from history",
            metrics.messages_dropped.clone(),
        );
        registry.register(
            "foreign_values",
            "Messages and entries that were not the hub's",
            metrics.foreign_values.clone(),
        );
        registry.register(
            "channels_behind",
            "Times that the periodic check found a channel of which nothing was heard",
            metrics.channels_behind.clone(),
        );
        registry.register(
            "publishes_refused",
            "Publishes that found no place, as too many were without an answer",
            metrics.publishes_refused.clone(),
        );
        registry.register(
            "members_restored",
            "Members who were put back, as Redis had forgotten them",
            metrics.members_restored.clone(),
        );
        registry.register(
            "changes_lost",
            "Changes of members given up before they were told",
            metrics.changes_lost.clone(),
        );
        metrics
    }
}
