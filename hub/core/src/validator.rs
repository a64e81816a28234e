//! Whether an event is what its type says: the trait by which the hub asks the event catalog.

use crate::channel::ChannelName;
use crate::event::{EventType, Payload};
use crate::publish::Origin;
use crate::refusal::Refusal;

/// What happens to an event that breaks the rules of its type.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Enforcement {
    /// It is not looked at.
    Off,
    /// It is published, and counted and logged as one that broke them.
    Warn,
    /// It is refused.
    Strict,
}

/// Checks events before they are published, from clients and backends alike.
///
/// It is asked on the way of every publish, so it neither waits nor takes a lock that somebody may hold for long.
pub trait EventValidator: Send + Sync {
    /// Looks at an event.
    fn validate(&self, candidate: &Candidate<'_>) -> Verdict;
}

/// An event that somebody wants to publish.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The channel.
    pub channel: &'a ChannelName,
    /// The type.
    pub event_type: &'a EventType,
    /// The data.
    pub payload: &'a Payload,
    /// Who publishes.
    pub origin: &'a Origin,
    /// What the namespace says. None: whatever the catalog says.
    pub enforcement: Option<Enforcement>,
}

/// What becomes of an event.
#[derive(Debug)]
pub enum Verdict {
    /// It is published as it is.
    Accepted,
    /// It is published with this data, which says the same in the form that clients read.
    Rewritten(Payload),
    /// It breaks the rules, and is published as it is all the same.
    Tolerated(Refusal),
    /// It breaks the rules, and is not published.
    Refused(Refusal),
}

/// A hub without a catalog: every event will do.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCatalog;

impl EventValidator for NoCatalog {
    fn validate(&self, _candidate: &Candidate<'_>) -> Verdict {
        Verdict::Accepted
    }
}
