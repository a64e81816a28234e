//! What happened to the members of channels, kept until somebody was told of it.
//!
//! A channel is tracked once a member [enters](super::Broker::enter) it tracked. From then on each change of its members is
//! written down in the same step in which it happens, so that no crash comes between the two, and stays until it is
//! [forgotten](Changes::forget). Who tells whom is not known here: see the module `lifecycle`.

use super::{Answer, ChannelsQuery, Member};
use crate::channel::ChannelName;

/// Keeps what happened to members. Asked for by [`Broker::changes`](super::Broker::changes).
pub trait Changes: Send + Sync {
    /// The changes of a channel that were not forgotten, oldest first, at most
    /// [`CHANGES_PAGE`](crate::limits::CHANGES_PAGE). Before that the members of dead nodes are taken out, which is a
    /// change too.
    ///
    /// # Errors
    /// A broker that is not available.
    fn untold<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, ChangesPage>;

    /// Forgets the changes of a channel up to this one, which was listed.
    ///
    /// # Errors
    /// A broker that is not available.
    fn forget<'a>(&'a self, channel: &'a ChannelName, last: &'a str) -> Answer<'a, ()>;

    /// Channels that are tracked and have, or lately had, members or changes, sorted by name.
    ///
    /// # Errors
    /// A broker that is not available.
    fn tracked(&self, query: ChannelsQuery) -> Answer<'_, Vec<ChannelName>>;
}

/// Some changes of a channel, oldest first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ChangesPage {
    /// The changes. What stands among them and cannot be read is left out.
    pub changes: Vec<Change>,
    /// The id of the last, be it left out or not. None: there was nothing.
    pub last: Option<Box<str>>,
    /// Whether there are more after that.
    pub more: bool,
}

/// A member came or went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Which change of its channel; never given twice.
    pub id: Box<str>,
    /// Who.
    pub member: Member,
    /// What happened to it.
    pub kind: ChangeKind,
    /// Members of the channel right after it.
    pub members: u64,
}

/// What happened to a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// It joined.
    Joined,
    /// It left.
    Left,
    /// It was taken out because its node died.
    Lost,
}
