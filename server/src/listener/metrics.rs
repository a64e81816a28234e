//! The counters of the listeners.

use std::fmt::{self, Write};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Which of the listeners.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum ListenerName {
    Public,
    Grpc,
    Ops,
}

impl ListenerName {
    const ALL: [ListenerName; 3] = [ListenerName::Public, ListenerName::Grpc, ListenerName::Ops];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            ListenerName::Public => "public",
            ListenerName::Grpc => "grpc",
            ListenerName::Ops => "ops",
        }
    }
}

impl EncodeLabelValue for ListenerName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.as_str())
    }
}

/// Why a connection came to nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Failure {
    /// The operating system gave none: no more file descriptors, say.
    Accept,
    /// There were as many as the listener takes.
    Full,
    /// The TLS handshake failed or took too long.
    Tls,
    /// No request came in time.
    Silent,
}

impl Failure {
    const ALL: [Failure; 4] = [Failure::Accept, Failure::Full, Failure::Tls, Failure::Silent];
}

impl EncodeLabelValue for Failure {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Failure::Accept => "accept",
            Failure::Full => "full",
            Failure::Tls => "tls",
            Failure::Silent => "silent",
        })
    }
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ListenerLabel {
    listener: ListenerName,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct FailureLabel {
    listener: ListenerName,
    reason: Failure,
}

/// The counters of all listeners. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct ListenerMetrics {
    open: Family<ListenerLabel, Gauge>,
    accepted: Family<ListenerLabel, Counter>,
    failed: Family<FailureLabel, Counter>,
}

impl ListenerMetrics {
    /// New counters, in the registry, all series at zero.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = ListenerMetrics {
            open: Family::default(),
            accepted: Family::default(),
            failed: Family::default(),
        };
        for listener in ListenerName::ALL {
            let label = ListenerLabel { listener };
            drop(metrics.open.get_or_create(&label));
            drop(metrics.accepted.get_or_create(&label));
            for reason in Failure::ALL {
                drop(metrics.failed.get_or_create(&FailureLabel { listener, reason }));
            }
        }
        registry.register(
            "fanline_listener_connections",
            "HTTP connections that are open; those that an upgrade made a WebSocket are not among them",
            metrics.open.clone(),
        );
        registry.register(
            "fanline_listener_accepted",
            "Connections accepted",
            metrics.accepted.clone(),
        );
        registry.register(
            "fanline_listener_failures",
            "Connections that came to nothing, by reason",
            metrics.failed.clone(),
        );
        metrics
    }

    /// The counters of one listener.
    pub(super) fn of(&self, listener: ListenerName) -> OneListener {
        let label = ListenerLabel { listener };
        OneListener {
            listener,
            open: self.open.get_or_create_owned(&label),
            accepted: self.accepted.get_or_create_owned(&label),
            failed: self.failed.clone(),
        }
    }
}

/// The counters of one listener.
#[derive(Clone, Debug)]
pub(super) struct OneListener {
    listener: ListenerName,
    pub(super) open: Gauge,
    pub(super) accepted: Counter,
    failed: Family<FailureLabel, Counter>,
}

impl OneListener {
    pub(super) fn fail(&self, reason: Failure) {
        self.failed.get_or_create(&FailureLabel { listener: self.listener, reason }).inc();
    }
}
