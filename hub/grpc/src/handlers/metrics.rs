//! The counters of handlers. All series start at zero; labels are closed enums.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write};

/// The counters of handlers. Clones share them.
#[derive(Clone, Debug)]
pub struct HandlerMetrics {
    /// `fanline_handler_commands_total{outcome}`: commands that handlers had, retries not counted.
    commands: Family<OutcomeLabel, Counter>,
    /// `fanline_handler_retries_total`: further tries.
    pub(super) retries: Counter,
    /// `fanline_handler_stalls_total`: times that a handler took no further order, because as much as it may have was
    /// under way, replies included whose events were still being published.
    pub(super) stalls: Counter,
    /// `fanline_handlers_paused`: handlers that are not asked because they failed too often.
    pub(super) paused: Gauge,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OutcomeLabel {
    outcome: Outcome,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Outcome {
    /// A reply.
    Answered,
    /// The handler's own error.
    Error,
    /// A reply that could not be used.
    Unusable,
    /// No answer in time.
    TimedOut,
    /// No connection.
    Unreachable,
    /// The connection broke.
    Lost,
    /// The handler is given a pause.
    Paused,
    /// Nobody waits any more.
    Cancelled,
}

impl HandlerMetrics {
    /// Registers every series, each at zero.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = HandlerMetrics {
            commands: Family::default(),
            retries: Counter::default(),
            stalls: Counter::default(),
            paused: Gauge::default(),
        };
        for outcome in Outcome::ALL {
            let _starts_at_zero = metrics.commands.get_or_create(&OutcomeLabel { outcome });
        }
        let registry = registry.sub_registry_with_prefix("fanline");
        registry.register(
            "handler_commands",
            "Commands that configured handlers had, by what became of them",
            metrics.commands.clone(),
        );
        registry.register(
            "handler_retries",
            "Further tries of commands at configured handlers",
            metrics.retries.clone(),
        );
        registry.register(
            "handler_stalls",
            "Times that a configured handler took no order because too much was under way",
            metrics.stalls.clone(),
        );
        registry.register(
            "handlers_paused",
            "Configured handlers that are not asked because they failed too often",
            metrics.paused.clone(),
        );
        metrics
    }

    /// Counts a command that a handler had.
    pub(super) fn ended(&self, outcome: Outcome) {
        self.commands.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

impl Outcome {
    const ALL: [Outcome; 8] = [
        Outcome::Answered,
        Outcome::Error,
        Outcome::Unusable,
        Outcome::TimedOut,
        Outcome::Unreachable,
        Outcome::Lost,
        Outcome::Paused,
        Outcome::Cancelled,
    ];
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Outcome::Answered => "answered",
            Outcome::Error => "error",
            Outcome::Unusable => "unusable",
            Outcome::TimedOut => "timed_out",
            Outcome::Unreachable => "unreachable",
            Outcome::Lost => "lost",
            Outcome::Paused => "paused",
            Outcome::Cancelled => "cancelled",
        })
    }
}
