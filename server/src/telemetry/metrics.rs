//! The counters of spans on their way to the collector.

use std::fmt::{self, Write};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The counters of spans. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct SpanMetrics {
    /// `fanline_spans_exported_total`: taken by the collector.
    pub(super) exported: Counter,
    /// `fanline_spans_dropped_total{reason}`.
    dropped: Family<LossLabel, Counter>,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct LossLabel {
    reason: Loss,
}

/// Why a span never came to the collector.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Loss {
    /// More spans ended than the collector takes, and the queue was full.
    QueueFull,
    /// The collector could not be reached, or refused them.
    NotTaken,
}

impl SpanMetrics {
    /// Registers every series, each at zero.
    pub(super) fn register(&self, registry: &mut Registry) {
        for reason in [Loss::QueueFull, Loss::NotTaken] {
            let _starts_at_zero = self.dropped.get_or_create(&LossLabel { reason });
        }
        let registry = registry.sub_registry_with_prefix("fanline");
        registry.register("spans_exported", "Spans that the collector took", self.exported.clone());
        registry.register(
            "spans_dropped",
            "Spans that never came to the collector",
            self.dropped.clone(),
        );
    }

    /// Counts spans that are lost.
    pub(super) fn lost(&self, reason: Loss, spans: usize) {
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        self.dropped.get_or_create(&LossLabel { reason }).inc_by(spans);
    }
}

impl EncodeLabelValue for Loss {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Loss::QueueFull => "queue_full",
            Loss::NotTaken => "not_taken",
        })
    }
}
