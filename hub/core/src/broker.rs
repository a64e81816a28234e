//! What carries events between nodes and keeps history: the trait, and what passes through it.
//!
//! A broker answers calls ([`Broker`]) and tells the node what happened in the channels it subscribed to
//! ([`Notice`]s, through a bounded queue). Notices are hints with a payload: the hub detects what was dropped, doubled
//! or reordered and repairs it from history, so a broker owes order and completeness only to [`Broker::history`].
//! What nodes have to know of each other is asked for apart: [`Nodes`], what they keep together: [`Notes`], and what
//! happened to members: [`Changes`].

pub mod changes;
pub mod nodes;
pub mod notes;

pub use changes::{Change, ChangeKind, Changes, ChangesPage};
pub use nodes::{NodeRecord, Nodes};
pub use notes::{Notes, Revocation, RevocationPage, Subject};

use crate::channel::ChannelName;
use crate::clock::Timestamp;
use crate::event::{Event, EventBody};
use crate::ids::{ConnectionId, EventId, NodeId, UserId};
use crate::namespace::Retention;
use crate::pattern::Pattern;
use crate::{Offset, Position, Reason, Refusal};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Notices that may wait for the hub. Enough for a burst, little enough to be no history of its own.
const NOTICES: usize = 4096;

/// How long a node that died is still believed to live: several of its renewals, so that one may be late.
pub const NODE_LEASE: Duration = Duration::from_secs(10);

/// The answer of a broker, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, BrokerError>> + Send + 'a>>;

/// Carries events between nodes and keeps history. Every implementation passes the suite `conformance` (feature
/// `conformance`).
pub trait Broker: Send + Sync + 'static {
    /// Gives the event the next offset of its channel, keeps it, and sends it to every node that subscribed.
    ///
    /// The answer comes only after all of that happened, atomically. With an idempotency key seen within its window
    /// nothing is published and the first answer is given again.
    ///
    /// Within a channel, those publishes of one node that succeed take their places in the order in which their futures
    /// were first polled. So a caller may have many of them under way and still decides about their order.
    ///
    /// # Cancel safety
    /// Dropped before it answers, it may or may not publish.
    fn publish(&self, publication: Publication) -> Answer<'_, Published>;

    /// Reads what is kept, with the state of the channel at the same moment.
    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery,
    ) -> Answer<'a, HistoryPage>;

    /// Asks for the notices of a channel. Once answered, every later publish is noticed or history shows it.
    fn subscribe<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, ()>;

    /// No longer asks for them. Takes effect in the order of the calls, before a later [`subscribe`](Self::subscribe).
    fn unsubscribe(&self, channel: &ChannelName);

    /// Makes a connection a member of a channel; members elsewhere are told. If it is `tracked`, what happens to the
    /// members of the channel from now on is kept as [`changes`](Self::changes).
    fn enter<'a>(
        &'a self,
        channel: &'a ChannelName,
        member: Member,
        tracked: bool,
    ) -> Answer<'a, ()>;

    /// Ends a membership; members elsewhere are told.
    fn leave<'a>(&'a self, channel: &'a ChannelName, connection: ConnectionId) -> Answer<'a, ()>;

    /// The members of a channel on all nodes, in the order of their joining.
    fn members<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, Vec<Member>>;

    /// Channels that have members or events, sorted by name.
    fn channels(&self, query: ChannelsQuery) -> Answer<'_, Vec<ChannelName>>;

    /// The nodes of the hub.
    fn nodes(&self) -> &dyn Nodes;

    /// What they keep together.
    fn notes(&self) -> &dyn Notes;

    /// What happened to the members of tracked channels.
    fn changes(&self) -> &dyn Changes;
}

/// An event on its way to a channel.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The channel.
    pub channel: ChannelName,
    /// The id that the event will have.
    pub id: EventId,
    /// When the hub accepted it.
    pub time: Timestamp,
    /// What is published.
    pub body: EventBody,
    /// The same key in the same channel within the window publishes once.
    pub idempotency_key: Option<Box<str>>,
    /// How long that key is remembered.
    pub idempotency_window: Duration,
    /// What the channel keeps.
    pub retention: Retention,
    /// Leaves history sooner than the channel's own age limit.
    pub ttl: Option<Duration>,
}

/// Where an event went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Published {
    /// The event's id: with `duplicate`, that of the first.
    pub id: EventId,
    /// Its place: with `duplicate`, that of the first.
    pub position: Position,
    /// Whether the idempotency key was known, so that nothing was published now.
    pub duplicate: bool,
}

/// Which part of history to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HistoryQuery {
    /// The range, which way.
    pub range: HistoryRange,
    /// Most events.
    pub limit: usize,
    /// Most bytes of them, as [`Event::cost`] counts. One event is read even if it is larger.
    pub bytes: usize,
}

/// A range of offsets, and the direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HistoryRange {
    /// What follows an offset, oldest first.
    After(Offset),
    /// What stands before an offset, newest first.
    Before(Offset),
}

impl HistoryQuery {
    /// Asks for the state alone.
    #[must_use]
    pub fn state() -> Self {
        HistoryQuery { range: HistoryRange::After(Offset::ZERO), limit: 0, bytes: 0 }
    }

    /// Asks for a page after an offset.
    #[must_use]
    pub fn after(offset: Offset, limit: usize, bytes: usize) -> Self {
        HistoryQuery { range: HistoryRange::After(offset), limit, bytes }
    }
}

/// A part of history, with the state of the channel when it was read.
///
/// Offsets inside may be missing where an event's own time ran out.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// The channel at that moment.
    pub state: ChannelState,
    /// The events.
    pub events: Vec<Arc<Event>>,
    /// Whether the range holds more of them.
    pub more: bool,
}

/// Where a channel stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelState {
    /// The newest position that was given away.
    pub top: Position,
    /// The oldest offset that is still kept: one after `top` when nothing is.
    pub oldest: Offset,
}

/// Which channels to list.
#[derive(Clone, Debug)]
pub struct ChannelsQuery {
    /// Those that match.
    pub pattern: Pattern,
    /// Those that come after this name.
    pub after: Option<ChannelName>,
    /// Most names.
    pub limit: usize,
}

/// A connection present in a channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// The connection.
    pub connection: ConnectionId,
    /// Its user, unless anonymous.
    pub user: Option<UserId>,
    /// What its token shows of it: a JSON text.
    pub info: Option<Bytes>,
    /// When it joined.
    pub joined_at: Timestamp,
}

/// A change of membership.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PresenceChange {
    /// The channel.
    pub channel: ChannelName,
    /// Who.
    pub member: Member,
    /// Joined, or left.
    pub joined: bool,
}

/// What a broker tells the node: about the channels that it subscribed to, and about other nodes.
#[derive(Clone, Debug)]
pub enum Notice {
    /// An event was published.
    Event(Arc<Event>),
    /// A member joined or left.
    Presence(Arc<PresenceChange>),
    /// Something may have been missed: compare with history.
    Suspect(ChannelName),
    /// A node [told](Nodes::tell) this one something.
    Control {
        /// That node.
        from: NodeId,
        /// What it told.
        message: Bytes,
    },
    /// A node came or went, or says something else of itself.
    Nodes,
    /// Something was revoked. May be lost: whoever cares also looks now and then.
    Revocations,
}

/// The broker's end of the queue of notices.
pub type NoticeSender = mpsc::Sender<Notice>;
/// The hub's end.
pub type NoticeReceiver = mpsc::Receiver<Notice>;

/// The queue between a broker and the hub of its node.
#[must_use]
pub fn notices() -> (NoticeSender, NoticeReceiver) {
    mpsc::channel(NOTICES)
}

/// Why a broker did not do what was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BrokerError {
    /// Not reachable, or no answer in time. A publish may have happened.
    #[error("the broker is not available")]
    Unavailable,
    /// A bound on what the broker holds is reached; nothing was done.
    #[error("the broker is full: {0}")]
    Full(&'static str),
    /// What it holds is not what the hub put there, or it refuses to work for the hub; nothing was done. An operator
    /// has to look.
    #[error("the broker does not work: {0}")]
    Broken(&'static str),
}

impl BrokerError {
    /// What is told of it. `unavailable` says what helps when nobody knows whether it was done.
    #[must_use]
    pub fn refusal(self, unavailable: &'static str) -> Refusal {
        let retry = Duration::from_secs(1);
        match self {
            BrokerError::Unavailable => Refusal::new(Reason::BrokerUnavailable, unavailable),
            BrokerError::Full(what) => Refusal::new(Reason::LimitExceeded, what),
            BrokerError::Broken(what) => return Refusal::new(Reason::Internal, what),
        }
        .with_retry_after(retry)
    }
}

/// For all that may be asked again just like that: reading, joining, ordering. Publishing and tickets have their own words.
impl From<BrokerError> for Refusal {
    fn from(error: BrokerError) -> Self {
        error.refusal("the broker did not answer; try again")
    }
}
