//! A channel of the catalog: an address, and what is known of all channels that have it.

use super::address::Address;
use super::source::Place;
use serde::{Deserialize, Serialize};

/// All channels of one address.
#[derive(Clone, Debug)]
pub struct ChannelDefinition {
    /// What events and documents call it: letters, digits, `_` and `-`.
    pub id: String,
    /// The address, such as `chat:{room}`.
    pub address: Address,
    /// A name for people.
    pub title: String,
    /// What it is for, in Markdown.
    pub description: Option<String>,
    /// What is known of the parameters, in the order of the address.
    pub parameters: Vec<Parameter>,
    /// The transports it is offered on.
    pub transports: Vec<Transport>,
    /// Whether the public documents speak of it.
    pub visibility: Visibility,
    /// Who may subscribe: what the documents say; the namespace decides.
    pub subscribe: Audience,
    /// Who may publish: what the documents say; the namespace decides.
    pub publish: Audience,
    /// For finding it.
    pub tags: Vec<String>,
    /// Where it is written.
    pub place: Place,
}

/// One parameter of an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameter {
    /// Its name, without braces.
    pub name: String,
    /// What it stands for.
    pub description: Option<String>,
    /// What its whole value matches. None: any part of a name, without a colon.
    pub pattern: Option<String>,
    /// The only values it can have. Empty: any that matches.
    pub values: Vec<String>,
    /// Values to show.
    pub examples: Vec<String>,
}

/// A way to clients or backends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// WebSocket rooms.
    #[serde(rename = "websocket")]
    WebSocket,
    /// Server-sent events.
    Sse,
    /// Long-polling and the uplink.
    LongPoll,
    /// gRPC, for backends.
    Grpc,
}

impl Transport {
    /// Every transport, in the order of the documents.
    pub const ALL: [Transport; 4] =
        [Transport::WebSocket, Transport::Sse, Transport::LongPoll, Transport::Grpc];

    /// Its name in `catalog.toml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Transport::WebSocket => "websocket",
            Transport::Sse => "sse",
            Transport::LongPoll => "long-poll",
            Transport::Grpc => "grpc",
        }
    }

    /// The id of its server in AsyncAPI documents.
    #[must_use]
    pub const fn server(self) -> &'static str {
        match self {
            Transport::WebSocket => "websocket",
            Transport::Sse => "sse",
            Transport::LongPoll => "longPoll",
            Transport::Grpc => "grpc",
        }
    }
}

/// Who reads of a channel.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody who reads the documents.
    #[default]
    Public,
    /// Those who read the internal documents.
    Internal,
}

/// Who may do something, in the words of a namespace's options.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Everybody, also without a user.
    Anyone,
    /// Everybody with a user.
    Authenticated,
    /// Those whose token grants it.
    #[default]
    Token,
    /// Whom a backend lets in, asked at that moment.
    Handler,
    /// No client.
    Nobody,
}

impl Audience {
    /// Its word in `catalog.toml` and in the options of a namespace.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Audience::Anyone => "anyone",
            Audience::Authenticated => "authenticated",
            Audience::Token => "token",
            Audience::Handler => "handler",
            Audience::Nobody => "nobody",
        }
    }
}
