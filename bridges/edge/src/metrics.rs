//! What this crate counts.
//!
//! | Metric | Kind | Labels |
//! |---|---|---|
//! | `fanline_connections` | gauge | `transport` |
//! | `fanline_connections_opened_total` | counter | `transport` |
//! | `fanline_joins_total` | counter | |
//! | `fanline_deliveries_total` | counter | |
//! | `fanline_refusals_total` | counter | `reason` |
//! | `fanline_panics_total` | counter | |
//! | `fanline_callers` | gauge | |
//! | `fanline_tickets_total` | counter | `outcome` |
//! | `fanline_jwks_fetches_total` | counter | `outcome` |
//! | `fanline_jwks_early_fetches_total` | counter | `outcome` |
//! | `fanline_jwks_keys` | gauge | |
//! | `fanline_jwks_fetched_timestamp_seconds` | gauge | |

use fanline_core::Reason;
use fanline_core::clock::Timestamp;
use fanline_core::metrics::ReasonLabel;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write};

/// How a client is connected.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// A WebSocket room.
    WebSocket,
    /// An SSE stream.
    Sse,
    /// A long-poll, as long as it waits.
    Poll,
}

/// What became of a ticket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum TicketUse {
    /// A token was exchanged for it.
    Issued,
    /// It let a request in.
    Redeemed,
    /// It was none, or none any more, or the broker did not say.
    Refused,
}

/// How a fetch of a key set went.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum FetchOutcome {
    /// It brought keys.
    Fetched,
    /// There was no answer, or one that is no document.
    Unreachable,
    /// The document has no key that can be used.
    Unusable,
}

/// What became of the wish of a token whose key is not known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum EarlyFetch {
    /// The key set is fetched.
    Begun,
    /// It was fetched for such a token not long ago.
    TooSoon,
}

/// The metrics of the keys that an issuer publishes. Clones share their values.
#[derive(Clone, Debug, Default)]
pub struct KeySetMetrics {
    fetches: Family<FetchLabel, Counter>,
    early: Family<EarlyFetchLabel, Counter>,
    keys: Gauge,
    fetched_at: Gauge,
}

/// The metrics of all bridges. Clones share their values.
#[derive(Clone, Debug)]
pub struct EdgeMetrics {
    connections: Family<TransportLabel, Gauge>,
    opened: Family<TransportLabel, Counter>,
    joins: Counter,
    deliveries: Counter,
    refusals: Family<ReasonLabel, Counter>,
    panics: Counter,
    callers: Gauge,
    tickets: Family<TicketLabel, Counter>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
#[must_use = "a connection is counted as long as this is held"]
pub struct CountedConnection(Gauge);

impl EdgeMetrics {
    /// Registers every series, each at zero: a rate over a series that is not there yet cannot be told from none.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = EdgeMetrics {
            connections: Family::default(),
            opened: Family::default(),
            joins: Counter::default(),
            deliveries: Counter::default(),
            refusals: Family::default(),
            panics: Counter::default(),
            callers: Gauge::default(),
            tickets: Family::default(),
        };
        for transport in Transport::ALL {
            let _starts_at_zero = metrics.connections.get_or_create(&TransportLabel { transport });
            let _starts_at_zero = metrics.opened.get_or_create(&TransportLabel { transport });
        }
        for outcome in TicketUse::ALL {
            let _starts_at_zero = metrics.tickets.get_or_create(&TicketLabel { outcome });
        }
        for reason in Reason::ALL {
            let _starts_at_zero = metrics.refusals.get_or_create(&ReasonLabel { reason });
        }
        let registry = registry.sub_registry_with_prefix("fanline");
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register("connections_opened", "Connections opened", metrics.opened.clone());
        registry.register("joins", "Channels joined", metrics.joins.clone());
        registry.register("deliveries", "Events handed to connections", metrics.deliveries.clone());
        registry.register(
            "callers",
            "Tokens of plain HTTP requests that are remembered",
            metrics.callers.clone(),
        );
        registry.register("tickets", "Tickets by what became of them", metrics.tickets.clone());
        registry.register("panics", "Connections ended by a defect", metrics.panics.clone());
        registry.register("refusals", "Requests and operations refused", metrics.refusals.clone());
        metrics
    }

    /// Counts a connection.
    pub fn connected(&self, transport: Transport) -> CountedConnection {
        self.opened.get_or_create(&TransportLabel { transport }).inc();
        let open = self.connections.get_or_create_owned(&TransportLabel { transport });
        open.inc();
        CountedConnection(open)
    }

    /// Counts a channel that a connection joined.
    pub fn joined(&self) {
        self.joins.inc();
    }

    /// Counts events that were handed to a connection.
    pub fn delivered(&self, events: u64) {
        if events > 0 {
            self.deliveries.inc_by(events);
        }
    }

    /// Counts a connection that a defect of ours ended.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Says how many tokens of plain HTTP requests are remembered.
    pub(crate) fn callers(&self, count: usize) {
        self.callers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts what became of a ticket.
    pub(crate) fn ticket(&self, outcome: TicketUse) {
        self.tickets.get_or_create(&TicketLabel { outcome }).inc();
    }

    /// Counts a refusal.
    pub fn refused(&self, reason: Reason) {
        self.refusals.get_or_create(&ReasonLabel { reason }).inc();
    }
}

impl KeySetMetrics {
    /// Registers every series, each at zero.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = KeySetMetrics::default();
        for outcome in FetchOutcome::ALL {
            let _starts_at_zero = metrics.fetches.get_or_create(&FetchLabel { outcome });
        }
        for outcome in EarlyFetch::ALL {
            let _starts_at_zero = metrics.early.get_or_create(&EarlyFetchLabel { outcome });
        }
        let registry = registry.sub_registry_with_prefix("fanline_jwks");
        registry.register("fetches", "Fetches of the issuer's key set", metrics.fetches.clone());
        registry.register(
            "early_fetches",
            "Tokens with an unknown key that asked for a fetch",
            metrics.early.clone(),
        );
        registry.register("keys", "Keys of the issuer that are in use", metrics.keys.clone());
        registry.register(
            "fetched_timestamp_seconds",
            "When the issuer's keys were last fetched, in seconds since 1970; 0 for never",
            metrics.fetched_at.clone(),
        );
        metrics
    }

    /// Counts a fetch.
    pub(crate) fn fetched(&self, outcome: FetchOutcome) {
        self.fetches.get_or_create(&FetchLabel { outcome }).inc();
    }

    /// Counts a token that asked for a fetch.
    pub(crate) fn asked(&self, outcome: EarlyFetch) {
        self.early.get_or_create(&EarlyFetchLabel { outcome }).inc();
    }

    /// Says how many keys there are.
    pub(crate) fn hold(&self, keys: usize) {
        self.keys.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// Says when they were last fetched.
    pub(crate) fn fetched_at(&self, now: Timestamp) {
        self.fetched_at.set(i64::try_from(now.seconds()).unwrap_or(i64::MAX));
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Transport {
    const ALL: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Poll];
}

impl EncodeLabelValue for Transport {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Transport::WebSocket => "websocket",
            Transport::Sse => "sse",
            Transport::Poll => "poll",
        })
    }
}

impl TicketUse {
    const ALL: [TicketUse; 3] = [TicketUse::Issued, TicketUse::Redeemed, TicketUse::Refused];
}

impl EncodeLabelValue for TicketUse {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            TicketUse::Issued => "issued",
            TicketUse::Redeemed => "redeemed",
            TicketUse::Refused => "refused",
        })
    }
}

impl FetchOutcome {
    const ALL: [FetchOutcome; 3] =
        [FetchOutcome::Fetched, FetchOutcome::Unreachable, FetchOutcome::Unusable];
}

impl EncodeLabelValue for FetchOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            FetchOutcome::Fetched => "fetched",
            FetchOutcome::Unreachable => "unreachable",
            FetchOutcome::Unusable => "unusable",
        })
    }
}

impl EarlyFetch {
    const ALL: [EarlyFetch; 2] = [EarlyFetch::Begun, EarlyFetch::TooSoon];
}

impl EncodeLabelValue for EarlyFetch {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            EarlyFetch::Begun => "begun",
            EarlyFetch::TooSoon => "too_soon",
        })
    }
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct FetchLabel {
    outcome: FetchOutcome,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct EarlyFetchLabel {
    outcome: EarlyFetch,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct TicketLabel {
    outcome: TicketUse,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct TransportLabel {
    transport: Transport,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(registry: &Registry, line: &str) {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
    }

    #[test]
    fn every_series_is_there_from_the_start() {
        let mut registry = Registry::default();
        let _metrics = EdgeMetrics::register(&mut registry);
        for reason in Reason::ALL {
            shows(&registry, &format!("fanline_refusals_total{{reason=\"{reason}\"}} 0"));
        }
        shows(&registry, "fanline_connections{transport=\"websocket\"} 0");
        shows(&registry, "fanline_connections_opened_total{transport=\"websocket\"} 0");
    }

    #[test]
    fn a_connection_is_counted_as_long_as_it_is_held() {
        let mut registry = Registry::default();
        let metrics = EdgeMetrics::register(&mut registry);
        let connection = metrics.connected(Transport::WebSocket);
        shows(&registry, "fanline_connections{transport=\"websocket\"} 1");
        drop(connection);
        shows(&registry, "fanline_connections{transport=\"websocket\"} 0");
        shows(&registry, "fanline_connections_opened_total{transport=\"websocket\"} 1");
    }

    #[test]
    fn a_refusal_is_counted_by_its_reason() {
        let mut registry = Registry::default();
        let metrics = EdgeMetrics::register(&mut registry);
        metrics.refused(Reason::RateLimited);
        shows(&registry, "fanline_refusals_total{reason=\"RATE_LIMITED\"} 1");
        shows(&registry, "fanline_refusals_total{reason=\"INTERNAL\"} 0");
    }
}
