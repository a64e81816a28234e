//! The ids that the hub gives out.

use crate::clock::Timestamp;
use crate::random::Random;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use uuid::Uuid;

/// An id that is not one of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an id is 32 hexadecimal digits")]
pub struct IdError;

/// Makes an id type: a UUID (RFC 9562), as text 32 hexadecimal digits.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_simple(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map($name).map_err(|_| IdError)
            }
        }
    };
}

id! {
    /// The id of an event, unique over all channels. Sorts by time (RFC 9562, section 5.7).
    EventId
}

id! {
    /// The id of a connection: one client session on a bridge. Sorts by time (RFC 9562, section 5.7), and leads to its
    /// node.
    ConnectionId
}

id! {
    /// The id of a command on its way to a backend. Sorts by time (RFC 9562, section 5.7).
    CommandId
}

id! {
    /// The id of a node: one running hub process. All chance (RFC 9562, section 5.4).
    NodeId
}

impl EventId {
    /// A new id: 48 bits of time, 74 of chance.
    #[must_use]
    pub fn new(now: Timestamp, random: &Random) -> Self {
        EventId(by_time(now, random.bytes()))
    }
}

impl CommandId {
    /// A new id: 48 bits of time, 74 of chance.
    #[must_use]
    pub fn new(now: Timestamp, random: &Random) -> Self {
        CommandId(by_time(now, random.bytes()))
    }
}

/// The last bytes of a connection's id, which are the first of its node's: the chance that two of a thousand nodes
/// share them is one in ten thousand, and then a question goes to both.
const NODE_MARK_BYTES: usize = 4;

impl ConnectionId {
    /// A new id: 48 bits of time, 42 of chance, 32 of its node.
    #[must_use]
    pub fn on(node: NodeId, now: Timestamp, random: &Random) -> Self {
        let mut bytes: [u8; 10] = random.bytes();
        bytes[10 - NODE_MARK_BYTES..].copy_from_slice(node.mark());
        ConnectionId(by_time(now, bytes))
    }

    /// A new id that leads nowhere: 48 bits of time, 74 of chance. For tests.
    #[must_use]
    pub fn new(now: Timestamp, random: &Random) -> Self {
        ConnectionId(by_time(now, random.bytes()))
    }

    /// Whether the connection may be on a node: surely not on all others, but for a few that share its mark.
    #[must_use]
    pub fn may_be_on(self, node: NodeId) -> bool {
        self.0.as_bytes()[16 - NODE_MARK_BYTES..] == *node.mark()
    }
}

impl NodeId {
    /// A new id.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        NodeId(uuid::Builder::from_random_bytes(random.bytes()).into_uuid())
    }

    fn mark(&self) -> &[u8] {
        &self.0.as_bytes()[..NODE_MARK_BYTES]
    }
}

fn by_time(now: Timestamp, rest: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(now.millis(), &rest).into_uuid()
}

/// A user: the `sub` of a token. Never empty; an anonymous connection has none.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct UserId(Arc<str>);

impl UserId {
    /// The user of that name, or none for the empty name.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        (!name.is_empty()).then(|| UserId(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_leads_to_its_node() {
        let random = Random::seeded(1);
        let nodes = [(); 2].map(|()| NodeId::random(&random));
        let connection = ConnectionId::on(nodes[0], Timestamp::from_millis(1), &random);
        assert!(connection.may_be_on(nodes[0]) && !connection.may_be_on(nodes[1]));
        assert_ne!(connection, ConnectionId::on(nodes[0], Timestamp::from_millis(1), &random));
    }

    #[test]
    fn an_id_survives_its_text_and_sorts_by_time() {
        let random = Random::seeded(1);
        let early = EventId::new(Timestamp::from_millis(1), &random);
        let late = EventId::new(Timestamp::from_millis(2), &random);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.to_string().len(), 32);
        assert!(early.to_string() < late.to_string());
        assert_eq!("nobody".parse::<EventId>(), Err(IdError));
    }
}
