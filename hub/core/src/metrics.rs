//! The counters of the hub. All series start at zero; labels are closed enums, never a channel or a user.

use crate::catchup::{Gap, LossReason, Recovery};
use crate::control::Topic;
use crate::reason::Reason;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write};

/// The counters of the hub. Clones share them.
#[derive(Clone, Debug)]
pub struct HubMetrics {
    /// `fanline_events_published_total`: accepted, duplicates not counted.
    pub published: Counter,
    /// `fanline_events_duplicate_total`: publishes answered from their idempotency key.
    pub duplicates: Counter,
    /// `fanline_publish_refusals_total{reason}`.
    pub publish_refusals: Family<ReasonLabel, Counter>,
    /// `fanline_schema_violations_total{outcome}`: events that broke the rules of the catalog.
    pub schema_violations: Family<OutcomeLabel, Counter>,
    /// `fanline_events_transcoded_total`: events published in another form than clients read.
    pub transcoded: Counter,
    /// `fanline_gaps_total{reason}`: gaps told to subscribers.
    pub gaps: Family<LossLabel, Counter>,
    /// `fanline_events_skipped_total{reason}`: events inside those gaps, where they can be counted.
    pub skipped: Family<LossLabel, Counter>,
    /// `fanline_subscriptions_resumed_total{recovered}`: joins that asked for a position.
    pub resumed: Family<RecoveredLabel, Counter>,
    /// `fanline_subscriptions_lagged_total`: times that a subscription fell off its channel log and read history.
    pub lagged: Counter,
    /// `fanline_log_repairs_total`: times that a channel log caught up with history because something was missing.
    pub repairs: Counter,
    /// `fanline_channel_logs`: channels that have subscriptions on this node.
    pub logs: Gauge,
    /// `fanline_control_messages_dropped_total{topic}`: messages of other nodes that found no room.
    pub control_dropped: Family<TopicLabel, Counter>,
}

/// A reason as a label.
#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct ReasonLabel {
    /// The reason.
    pub reason: Reason,
}

/// What became of an event that broke the rules of the catalog, as a label.
#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct OutcomeLabel {
    /// What became of it.
    pub outcome: SchemaOutcome,
}

/// What became of an event that broke the rules of the catalog.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SchemaOutcome {
    /// It was not published.
    Refused,
    /// It was published all the same.
    Tolerated,
}

/// A loss as a label.
#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct LossLabel {
    /// The reason.
    pub reason: LossReason,
}

/// A topic as a label.
#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct TopicLabel {
    /// The topic.
    pub topic: Topic,
}

/// How a resume went, as a label.
#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct RecoveredLabel {
    /// Whether everything after the position followed.
    pub recovered: Recovered,
}

/// A yes or no that reads well in a label.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Recovered {
    /// Everything followed.
    True,
    /// Something was lost.
    False,
}

impl EncodeLabelValue for Reason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.as_str())
    }
}

impl EncodeLabelValue for SchemaOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            SchemaOutcome::Refused => "refused",
            SchemaOutcome::Tolerated => "tolerated",
        })
    }
}

impl EncodeLabelValue for LossReason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.as_str())
    }
}

impl EncodeLabelValue for Topic {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.as_str())
    }
}

impl EncodeLabelValue for Recovered {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Recovered::True => "true",
            Recovered::False => "false",
        })
    }
}

impl HubMetrics {
    /// Registers every series, each at zero.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = HubMetrics {
            published: Counter::default(),
            duplicates: Counter::default(),
            publish_refusals: Family::default(),
            schema_violations: Family::default(),
            transcoded: Counter::default(),
            gaps: Family::default(),
            skipped: Family::default(),
            resumed: Family::default(),
            lagged: Counter::default(),
            repairs: Counter::default(),
            logs: Gauge::default(),
            control_dropped: Family::default(),
        };
        for topic in Topic::ALL {
            let _starts_at_zero = metrics.control_dropped.get_or_create(&TopicLabel { topic });
        }
        for reason in Reason::ALL {
            let _starts_at_zero = metrics.publish_refusals.get_or_create(&ReasonLabel { reason });
        }
        for outcome in [SchemaOutcome::Refused, SchemaOutcome::Tolerated] {
            let _starts_at_zero =
                metrics.schema_violations.get_or_create(&OutcomeLabel { outcome });
        }
        for reason in LossReason::ALL {
            let _starts_at_zero = metrics.gaps.get_or_create(&LossLabel { reason });
            let _starts_at_zero = metrics.skipped.get_or_create(&LossLabel { reason });
        }
        for recovered in [Recovered::True, Recovered::False] {
            let _starts_at_zero = metrics.resumed.get_or_create(&RecoveredLabel { recovered });
        }
        let registry = registry.sub_registry_with_prefix("fanline");
        registry.register("events_published", "Events accepted", metrics.published.clone());
        registry.register(
            "events_duplicate",
            "Publishes answered from their idempotency key",
            metrics.duplicates.clone(),
        );
        registry.register(
            "publish_refusals",
            "Publishes refused",
            metrics.publish_refusals.clone(),
        );
        registry.register(
            "schema_violations",
            "Events that broke the rules of the catalog",
            metrics.schema_violations.clone(),
        );
        registry.register(
            "events_transcoded",
            "Events published in another form than clients read",
            metrics.transcoded.clone(),
        );
        registry.register("gaps", "Gaps told to subscribers", metrics.gaps.clone());
        registry.register("events_skipped", "Events inside gaps", metrics.skipped.clone());
        registry.register(
            "subscriptions_resumed",
            "Subscriptions from a position",
            metrics.resumed.clone(),
        );
        registry.register(
            "subscriptions_lagged",
            "Subscriptions that fell off their log",
            metrics.lagged.clone(),
        );
        registry.register(
            "log_repairs",
            "Channel logs that caught up with history",
            metrics.repairs.clone(),
        );
        registry.register(
            "channel_logs",
            "Channels with subscriptions on this node",
            metrics.logs.clone(),
        );
        registry.register(
            "control_messages_dropped",
            "Messages of other nodes that found no room",
            metrics.control_dropped.clone(),
        );
        metrics
    }

    /// Counts a gap that a subscriber is told of.
    pub(crate) fn skipped(&self, gap: Gap) {
        let label = LossLabel { reason: gap.reason };
        self.gaps.get_or_create(&label).inc();
        if gap.from.epoch == gap.to.epoch {
            let events = gap.to.offset.get().saturating_sub(gap.from.offset.get());
            self.skipped.get_or_create(&label).inc_by(events);
        }
    }

    /// Counts a join that asked for a position.
    pub(crate) fn resumed(&self, recovery: Option<Recovery>) {
        let recovered = match recovery {
            None => return,
            Some(Recovery::Recovered) => Recovered::True,
            Some(Recovery::Lost(_)) => Recovered::False,
        };
        self.resumed.get_or_create(&RecoveredLabel { recovered }).inc();
    }
}
