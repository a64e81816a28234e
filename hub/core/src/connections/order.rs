//! What a connection is told to do, and which connection.

use crate::channel::ChannelName;
use crate::ids::{ConnectionId, UserId};
use crate::reason::Reason;

/// What a connection is told to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// To end.
    Disconnect {
        /// Why, as the client is told.
        reason: Reason,
        /// Whether the client may come back the same way.
        reconnect: bool,
    },
    /// To enter a channel at its live end, whatever its token grants. Nothing to do if it is there already.
    Join(ChannelName),
    /// To leave a channel. Nothing to do if it is not there.
    Leave(ChannelName),
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
