//! Who is connected: the question and its answer.

use crate::channel::ChannelName;
use crate::clock::Timestamp;
use crate::ids::{ConnectionId, NodeId, UserId};

/// Which connections to list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConnectionsQuery {
    /// Those of this user.
    pub user: Option<UserId>,
    /// Those in this channel.
    pub channel: Option<ChannelName>,
    /// Those whose id comes after this one.
    pub after: Option<ConnectionId>,
    /// How many, at most.
    pub limit: usize,
}

/// Some connections, by id, which is by the time of their coming.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConnectionsPage {
    /// The connections.
    pub connections: Vec<ConnectionInfo>,
    /// Whether there are more after the last one.
    pub more: bool,
}

/// A connection as others see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectionInfo {
    /// The connection.
    pub connection: ConnectionId,
    /// Its node.
    pub node: NodeId,
    /// Its user, unless anonymous.
    pub user: Option<UserId>,
    /// The id of its token (`jti`), if that has one.
    pub token_id: Option<Box<str>>,
    /// How it is connected.
    pub transport: Transport,
    /// Since when.
    pub connected_at: Timestamp,
    /// The channels that it is in, by name.
    pub channels: Vec<ChannelName>,
}

/// How a client is connected.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// A WebSocket.
    WebSocket,
    /// A stream of server-sent events.
    Sse,
    /// Plain HTTP requests with one token: polls and operations, which are one connection as long as they follow each
    /// other.
    LongPoll,
}

impl Transport {
    /// The word for it in answers and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Transport::WebSocket => "websocket",
            Transport::Sse => "sse",
            Transport::LongPoll => "longpoll",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Transport::WebSocket, Transport::Sse, Transport::LongPoll]
            .into_iter()
            .find(|transport| transport.as_str() == word)
    }
}
