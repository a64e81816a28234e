//! What a connection is told to do, and which connection.

use crate::channel::ChannelName;
use crate::ids::{ConnectionId, UserId};
use crate::reason::Reason;

/// What a connection is told to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// To end.
    Disconnect(Ending),
    /// To enter a channel at its live end, whatever its token grants. Nothing to do if it is there already.
    Join(ChannelName),
    /// To leave a channel. Nothing to do if it is not there.
    Leave(ChannelName),
}

/// How a connection ends that its client did not end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ending {
    /// Why, as the client is told.
    pub reason: Reason,
    /// Whether the client may come back the same way.
    pub reconnect: bool,
}

/// Whom an order is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// One connection.
    Connection(ConnectionId),
    /// All connections of a user.
    User(UserId),
    /// All connections with the token of this id (`jti`).
    Token(Box<str>),
}
