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
    /// `fanline_lifecycle_events_total`: published by this node.
    pub lifecycle_events: Counter,
    /// `fanline_lifecycle_deferred_total`: times that more channels had something to tell than may wait.
    pub lifecycle_deferred: Counter,
    /// The counters of commands.
    pub commands: CommandMetrics,
}

/// The counters of commands. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct CommandMetrics {
    /// `fanline_commands_total{result}`: commands that clients of this node asked for, by how they ended.
    pub ended: Family<CommandLabel, Counter>,
    /// `fanline_command_retries_total`: commands that were given to a second backend because the first went away.
    pub retries: Counter,
    /// `fanline_replies_late_total`: replies of this node's backends that nobody waited for.
    pub late_replies: Counter,
    /// `fanline_workers`: backends that are connected to this node to answer commands.
    pub workers: Gauge,
    /// `fanline_commands_outstanding`: commands that those have.
    pub outstanding: Gauge,
    /// `fanline_commands_waiting`: commands that wait for one of those to have room.
    pub waiting: Gauge,
}

/// How a command ended, as a label.
#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct CommandLabel {
    /// How.
    pub result: CommandResult,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CommandResult {
    /// A backend answered.
    Answered,
    /// A backend answered with an error.
    BackendError,
    /// The hub answered with one of its own reasons.
    Refused(Reason),
    /// Its client went away.
    Cancelled,
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
            lifecycle_events: Counter::default(),
            lifecycle_deferred: Counter::default(),
            commands: CommandMetrics::default(),
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
        registry.register(
            "lifecycle_events",
            "Events of members and connections that this node published",
            metrics.lifecycle_events.clone(),
        );
        registry.register(
            "lifecycle_deferred",
            "Changes of members that could not wait to be told",
            metrics.lifecycle_deferred.clone(),
        );
        metrics.commands.register(registry);
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

impl CommandMetrics {
    fn register(&self, registry: &mut Registry) {
        let refused = Reason::ALL.map(CommandResult::Refused);
        let own = [CommandResult::Answered, CommandResult::BackendError, CommandResult::Cancelled];
        for result in own.into_iter().chain(refused) {
            let _starts_at_zero = self.ended.get_or_create(&CommandLabel { result });
        }
        registry.register("commands", "Commands that ended", self.ended.clone());
        registry.register(
            "command_retries",
            "Commands given to a second backend",
            self.retries.clone(),
        );
        registry.register(
            "replies_late",
            "Replies that nobody waited for",
            self.late_replies.clone(),
        );
        registry.register("workers", "Backends connected to answer commands", self.workers.clone());
        registry.register(
            "commands_outstanding",
            "Commands that connected backends have",
            self.outstanding.clone(),
        );
        registry.register(
            "commands_waiting",
            "Commands that wait for a backend with room",
            self.waiting.clone(),
        );
    }

    /// Counts a command that ended.
    pub(crate) fn ended(&self, result: CommandResult) {
        self.ended.get_or_create(&CommandLabel { result }).inc();
    }
}

impl EncodeLabelValue for CommandResult {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            CommandResult::Answered => "answered",
            CommandResult::BackendError => "backend_error",
            CommandResult::Refused(reason) => reason.as_str(),
            CommandResult::Cancelled => "cancelled",
        })
    }
}
