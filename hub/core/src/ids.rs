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

/// Makes an id type: a UUID of version 7 (RFC 9562, section 5.7), as text 32 hexadecimal digits that sort by time.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: 48 bits of time, 74 of chance.
            #[must_use]
            pub fn new(now: Timestamp, random: &Random) -> Self {
                $name(uuid::Builder::from_unix_timestamp_millis(now.millis(), &random.bytes()).into_uuid())
            }
        }

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
    /// The id of an event, unique over all channels.
    EventId
}

id! {
    /// The id of a connection: one client session on a bridge.
    ConnectionId
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
