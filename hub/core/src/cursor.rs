//! The positions of several channels in one text, with which a client goes on, on any transport and any node.
//!
//! The cursor of one channel is its position. That of several is a list of `<key>-<epoch>-<offset>` with dots between,
//! where the key stands for the channel's name: short enough for a header whatever the names are. Nothing about it is
//! kept anywhere; whoever reads one knows all that it says. It grants nothing either: which channels are read is
//! decided by the request and its token, and a cursor only says from where.

use crate::catchup::Start;
use crate::channel::ChannelName;
use crate::limits::CURSOR_CHANNELS;
use crate::position::Position;
use std::fmt::{self, Write};
use std::str::FromStr;

/// The positions of one or several channels. One text for one cursor, so that texts can be compared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cursor(Positions);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Positions {
    One(Position),
    /// Two or more, sorted by key, each key once.
    Several(Box<[(ChannelKey, Position)]>),
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a cursor is passed on as an earlier answer gave it")]
pub struct CursorError;

/// Where a client that follows several channels wants to start, in one text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Since {
    /// With the next event of each channel.
    Live,
    /// With all that history holds of each.
    Earliest,
    /// With the newest events of each, at most so many.
    Last(usize),
    /// After what it has seen.
    Cursor(Cursor),
    /// After a text that turned out to be no cursor.
    Invalid,
}

impl Cursor {
    /// The cursor of channels that stand at these positions; of no channel at all, there is none.
    #[must_use]
    pub fn of<'a>(
        positions: impl IntoIterator<Item = (&'a ChannelName, Position)>,
    ) -> Option<Self> {
        let keyed = |(channel, position)| (ChannelKey::of(channel), position);
        let mut positions: Vec<_> = positions.into_iter().map(keyed).collect();
        // Two names that share a key, which chance does not bring about, would keep the position of one of them.
        positions.sort_unstable_by_key(|(key, _)| *key);
        positions.dedup_by_key(|(key, _)| *key);
        Some(Cursor(match positions[..] {
            [] => return None,
            [(_, position)] => Positions::One(position),
            _ => Positions::Several(positions.into()),
        }))
    }

    /// Whether it is a bare position, which does not say of which channel.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        matches!(self.0, Positions::One(_))
    }

    /// The position that it holds for a channel. A bare position may be that of any channel.
    #[must_use]
    pub fn position(&self, channel: &ChannelName) -> Option<Position> {
        match &self.0 {
            Positions::One(position) => Some(*position),
            Positions::Several(positions) => {
                let key = ChannelKey::of(channel);
                let found = positions.binary_search_by_key(&key, |(key, _)| *key).ok()?;
                Some(positions[found].1)
            }
        }
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if let Ok(position) = text.parse() {
            return Ok(Cursor(Positions::One(position)));
        }
        let mut positions: Vec<(ChannelKey, Position)> = Vec::new();
        // One more than there may be, so that too many are noticed and no more are read.
        for entry in text.split('.').take(CURSOR_CHANNELS + 1) {
            let (key, position) = entry.split_once('-').ok_or(CursorError)?;
            let (key, position) =
                (key.parse()?, position.parse::<Position>().map_err(|_| CursorError)?);
            if positions.last().is_some_and(|(last, _)| *last >= key) {
                return Err(CursorError);
            }
            positions.push((key, position));
        }
        if (2..=CURSOR_CHANNELS).contains(&positions.len()) {
            Ok(Cursor(Positions::Several(positions.into())))
        } else {
            Err(CursorError)
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Positions::One(position) => position.fmt(f),
            Positions::Several(positions) => {
                for (index, (key, position)) in positions.iter().enumerate() {
                    if index > 0 {
                        f.write_char('.')?;
                    }
                    write!(f, "{key}-{position}")?;
                }
                Ok(())
            }
        }
    }
}

impl Since {
    /// Where each channel starts, in their order.
    ///
    /// A channel that the cursor does not name is a new one and starts live. If it names none of them it is that of
    /// other channels, and useless here: that is said of each, because nobody resumes on purpose from nothing.
    #[must_use]
    pub fn starts(&self, channels: &[ChannelName]) -> Vec<Start> {
        let all = |start| vec![start; channels.len()];
        match self {
            Since::Live => all(Start::Live),
            Since::Earliest => all(Start::Earliest),
            Since::Last(count) => all(Start::Last(*count)),
            Since::Invalid => all(Start::Invalid),
            Since::Cursor(cursor) => {
                let positions: Vec<_> =
                    channels.iter().map(|channel| cursor.position(channel)).collect();
                if positions.iter().all(Option::is_none) {
                    return all(Start::Invalid);
                }
                positions.into_iter().map(|at| at.map_or(Start::Live, Start::After)).collect()
            }
        }
    }
}

impl From<&str> for Since {
    /// Reads `earliest`, `last:N` or a cursor. Anything else is [`Since::Invalid`].
    fn from(text: &str) -> Self {
        match Start::from_since(text) {
            Start::Live => Since::Live,
            Start::Earliest => Since::Earliest,
            Start::Last(count) => Since::Last(count),
            Start::After(position) => Since::Cursor(Cursor(Positions::One(position))),
            Start::Invalid => text.parse().map_or(Since::Invalid, Since::Cursor),
        }
    }
}

/// What stands for a channel's name: 64 bits of FNV-1a, as 16 hexadecimal digits. It must never change, because
/// clients hold cursors across a change of version. Who finds two names with one key only confuses its own cursor.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct ChannelKey(u64);

impl ChannelKey {
    const DIGITS: usize = 16;

    fn of(channel: &ChannelName) -> Self {
        const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        ChannelKey(channel.as_str().bytes().fold(OFFSET_BASIS, step))
    }
}

impl FromStr for ChannelKey {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != Self::DIGITS || !text.bytes().all(digit) {
            return Err(CursorError);
        }
        u64::from_str_radix(text, 16).map(ChannelKey).map_err(|_| CursorError)
    }
}

impl fmt::Display for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    fn channel(name: &str) -> ChannelName {
        name.parse().unwrap()
    }

    fn at(position: &str) -> Position {
        position.parse().unwrap()
    }

    fn cursor(positions: &[(&str, &str)]) -> Cursor {
        let named: Vec<_> = positions.iter().map(|(name, at)| (channel(name), *at)).collect();
        Cursor::of(named.iter().map(|(name, position)| (name, at(position)))).unwrap()
    }

    /// Clients hold cursors that earlier versions wrote: these lines never change.
    #[test]
    fn samples_of_the_first_version_read_and_write_as_ever() {
        let one = cursor(&[("chat:lobby", "aB3-7")]);
        assert_eq!(one.to_string(), "aB3-7");
        assert_eq!("aB3-7".parse(), Ok(one));
        let several = cursor(&[("news", "Zz9-0"), ("chat:lobby", "aB3-7")]);
        let text = "b82d9d906295f499-aB3-7.e5495bbaa03a6526-Zz9-0";
        assert_eq!(several.to_string(), text);
        assert_eq!(text.parse(), Ok(several));
    }

    #[test]
    fn a_text_that_no_hub_wrote_is_no_cursor() {
        let entry = "b82d9d906295f499-aB3-7";
        let later = "e5495bbaa03a6526-Zz9-0";
        let mut foreign = vec![
            String::new(),
            ".".into(),
            entry.into(),
            format!("{entry}."),
            format!(".{entry}.{later}"),
            format!("{later}.{entry}"),
            format!("{entry}.{entry}"),
            format!("{entry}.aB3-7"),
            format!("{entry}.E5495BBAA03A6526-Zz9-0"),
            format!("{entry}.+5495bbaa03a6526-Zz9-0"),
            format!("{entry}.{later}\n"),
            format!("{entry}.{later}9999999999999999999999"),
            "x".repeat(1 << 20),
            ".".repeat(1 << 20),
        ];
        let too_many = (0..=CURSOR_CHANNELS).map(|key| format!("{key:016x}-e-1"));
        foreign.push(too_many.collect::<Vec<_>>().join("."));
        for text in foreign {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text:.60}");
            assert_eq!(Since::from(text.as_str()), Since::Invalid, "{text:.60}");
        }
    }

    #[test]
    fn since_is_a_word_or_a_cursor() {
        let channels = [channel("a"), channel("b")];
        assert_eq!(Since::from("earliest").starts(&channels), [Start::Earliest; 2]);
        assert_eq!(Since::from("last:3").starts(&channels), [Start::Last(3); 2]);
        assert_eq!(Since::from("e-3").starts(&channels), [Start::After(at("e-3")); 2]);
        assert_eq!(Since::from("now").starts(&channels), [Start::Invalid; 2]);
        assert_eq!(Since::Live.starts(&channels), [Start::Live; 2]);
    }

    #[test]
    fn a_new_channel_starts_live_and_a_cursor_of_other_channels_is_useless() {
        let since = Since::Cursor(cursor(&[("a", "e-1"), ("b", "f-2")]));
        let starts = since.starts(&[channel("b"), channel("c"), channel("a")]);
        assert_eq!(starts, [Start::After(at("f-2")), Start::Live, Start::After(at("e-1"))]);
        assert_eq!(since.starts(&[channel("c"), channel("d")]), [Start::Invalid; 2]);
        assert_eq!(Cursor::of([]), None);
    }

    fn positions() -> impl Strategy<Value = Position> {
        ("[0-9A-Za-z]{1,23}", any::<u64>())
            .prop_map(|(epoch, offset)| at(&format!("{epoch}-{offset}")))
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_text_and_finds_each_position(
            channels in btree_map("[a-z]{1,8}(:[a-z0-9]{1,30})?", positions(), 1..CURSOR_CHANNELS),
        ) {
            let channels: Vec<_> =
                channels.into_iter().map(|(name, at)| (channel(&name), at)).collect();
            let cursor = Cursor::of(channels.iter().map(|(name, at)| (name, *at))).unwrap();
            let text = cursor.to_string();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'));
            prop_assert_eq!(text.parse::<Cursor>(), Ok(cursor.clone()));
            for (name, at) in &channels {
                prop_assert_eq!(cursor.position(name), Some(*at));
            }
        }

        #[test]
        fn no_text_makes_it_panic_and_what_is_read_is_written_the_same(text in "[0-9a-f.-]{0,80}|.{0,40}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
