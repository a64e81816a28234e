//! Where in a channel: epoch and offset.

use crate::random::Random;
use std::fmt;
use std::str::FromStr;

/// The longest epoch that is read, in bytes. Ours have 16.
const EPOCH_BYTES_MAX: usize = 23;
/// The letters of an epoch that the hub makes: 16 of 62, about 95 random bits.
const EPOCH_BYTES: usize = 16;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// One life of a channel's counter: letters and digits, stored inline so that positions are `Copy`.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Epoch {
    length: u8,
    bytes: [u8; EPOCH_BYTES_MAX],
}

/// The number of an event inside its epoch. The first event has offset 1; 0 stands before it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Offset(u64);

/// Where in a channel. As text `<epoch>-<offset>`; clients treat it as opaque.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Position {
    /// The life of the counter.
    pub epoch: Epoch,
    /// The number inside it.
    pub offset: Offset,
}

/// A text that is no position.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a position is `<epoch>-<offset>`, as an earlier answer gave it")]
pub struct PositionError;

impl Epoch {
    /// A new epoch that no other equals.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        let mut bytes = [0; EPOCH_BYTES_MAX];
        let drawn: [u8; EPOCH_BYTES] = random.bytes();
        for (letter, byte) in bytes.iter_mut().zip(drawn) {
            *letter = ALPHABET[usize::from(byte) % ALPHABET.len()];
        }
        Epoch { length: EPOCH_BYTES as u8, bytes }
    }

    /// The letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("an epoch is ASCII")
    }
}

impl FromStr for Epoch {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let acceptable = (1..=EPOCH_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if !acceptable {
            return Err(PositionError);
        }
        let mut bytes = [0; EPOCH_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Epoch { length: text.len() as u8, bytes })
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Offset {
    /// Before the first event.
    pub const ZERO: Offset = Offset(0);

    /// An offset from its number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Offset(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The offset that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Offset(self.0.saturating_add(1))
    }

    /// The offset before, or zero.
    #[must_use]
    pub const fn previous(self) -> Self {
        Offset(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Position {
    /// A position from its two parts.
    #[must_use]
    pub const fn new(epoch: Epoch, offset: Offset) -> Self {
        Position { epoch, offset }
    }

    /// The same epoch at another offset.
    #[must_use]
    pub const fn at(self, offset: Offset) -> Self {
        Position { epoch: self.epoch, offset }
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (epoch, offset) = text.split_once('-').ok_or(PositionError)?;
        // One text for one position: no sign, no leading zeros, so that texts can be compared.
        let plain = offset == "0"
            || (!offset.starts_with('0') && offset.bytes().all(|b| b.is_ascii_digit()));
        if !plain {
            return Err(PositionError);
        }
        Ok(Position {
            epoch: epoch.parse()?,
            offset: Offset(offset.parse().map_err(|_| PositionError)?),
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_that_no_hub_wrote_is_no_position() {
        let foreign = [
            "",
            "-",
            "a",
            "a-",
            "-1",
            "a-+1",
            "a-01",
            "a--1",
            "a-1 ",
            "ä-1",
            "a-18446744073709551616",
        ];
        for text in foreign
            .into_iter()
            .map(String::from)
            .chain(["a".repeat(24) + "-1", "a".repeat(1 << 20)])
        {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text:.40}");
        }
    }

    #[test]
    fn two_epochs_differ() {
        let random = Random::seeded(1);
        assert_ne!(Epoch::random(&random), Epoch::random(&random));
    }

    proptest! {
        #[test]
        fn a_position_survives_its_text(epoch in "[0-9A-Za-z]{1,23}", offset in any::<u64>()) {
            let position = Position::new(epoch.parse().unwrap(), Offset::new(offset));
            prop_assert_eq!(position.to_string().parse::<Position>(), Ok(position));
        }
    }
}
