//! Where in a channel.

use std::fmt;
use std::str::FromStr;

use crate::proto;

/// Where in a channel an event stands. Its text, `<epoch>-<offset>`, is the same on every transport of the hub: keep it,
/// and subscribe or join from it later.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Position {
    /// The life of the channel's history. Offsets of different epochs cannot be compared.
    pub epoch: String,
    /// Grows by one with each event of the epoch.
    pub offset: u64,
}

impl Position {
    /// Whether what stands at this position has been seen by who has seen everything up to `seen`.
    pub(crate) fn is_within(&self, seen: &Position) -> bool {
        self.epoch == seen.epoch && self.offset <= seen.offset
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

/// A text is not a position.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a position is an epoch and an offset, as in `a1b2-42`")]
pub struct ParsePositionError;

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        let (epoch, offset) = text.rsplit_once('-').ok_or(ParsePositionError)?;
        if epoch.is_empty() || !epoch.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(ParsePositionError);
        }
        let offset = offset.parse().map_err(|_| ParsePositionError)?;
        Ok(Self { epoch: epoch.to_owned(), offset })
    }
}

impl From<proto::Position> for Position {
    fn from(proto::Position { epoch, offset }: proto::Position) -> Self {
        Self { epoch, offset }
    }
}

impl From<Position> for proto::Position {
    fn from(Position { epoch, offset }: Position) -> Self {
        Self { epoch, offset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_reads_back_and_other_texts_do_not() {
        let position = Position { epoch: "a1b2".to_owned(), offset: 42 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in ["", "42", "-42", "a1b2-", "a1b2-x", "a-b-1", "a1b2--1"] {
            assert_eq!(text.parse::<Position>(), Err(ParsePositionError), "{text}");
        }
    }
}
