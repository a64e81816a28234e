//! Where in a channel to start, as people write it.

use std::str::FromStr;

use fanline_client::{Position, Selector};

/// Where a subscription starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChannelStart {
    After(Position),
    Earliest,
    Last(u32),
}

/// What is none of them.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("must be a position as the hub gave it, \"earliest\" or \"last:N\"")]
pub(crate) struct ChannelStartError;

impl FromStr for ChannelStart {
    type Err = ChannelStartError;

    fn from_str(text: &str) -> Result<Self, ChannelStartError> {
        if text == "earliest" {
            return Ok(ChannelStart::Earliest);
        }
        if let Some(number) = text.strip_prefix("last:") {
            return number.parse().map(ChannelStart::Last).map_err(|_| ChannelStartError);
        }
        text.parse().map(ChannelStart::After).map_err(|_| ChannelStartError)
    }
}

impl ChannelStart {
    /// A channel, from there.
    pub(crate) fn of(self, channel: &str) -> Selector {
        match self {
            ChannelStart::After(position) => Selector::after(channel, position),
            ChannelStart::Earliest => Selector::earliest(channel),
            ChannelStart::Last(number) => Selector::last(channel, number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_read_in_its_three_forms() {
        assert_eq!("earliest".parse(), Ok(ChannelStart::Earliest));
        assert_eq!("last:20".parse(), Ok(ChannelStart::Last(20)));
        let position = Position { epoch: "abc".to_owned(), offset: 7 };
        assert_eq!("abc-7".parse(), Ok(ChannelStart::After(position)));
        for wrong in ["", "latest", "last:", "last:-1", "abc", "abc-x"] {
            assert_eq!(wrong.parse::<ChannelStart>(), Err(ChannelStartError), "{wrong:?}");
        }
    }
}
