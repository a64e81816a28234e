//! Where in a channel to start, as people write it.

use std::str::FromStr;

use fanline_core::Position;
use fanline_proto::v1;
use fanline_proto::v1::channel_selector::Start;

/// Where a subscription starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChannelStart {
    After(v1::Position),
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
        let Position { epoch, offset } = text.parse().map_err(|_| ChannelStartError)?;
        Ok(ChannelStart::After(v1::Position { epoch: epoch.to_string(), offset: offset.get() }))
    }
}

impl From<ChannelStart> for Start {
    fn from(start: ChannelStart) -> Self {
        match start {
            ChannelStart::After(position) => Start::After(position),
            ChannelStart::Earliest => Start::Earliest(true),
            ChannelStart::Last(number) => Start::Last(number),
        }
    }
}

/// A position as people and browsers see it.
pub(crate) fn position_text(position: Option<&v1::Position>) -> String {
    position.map_or_else(
        || "?".to_owned(),
        |position| format!("{}-{}", position.epoch, position.offset),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_read_in_its_three_forms() {
        assert_eq!("earliest".parse(), Ok(ChannelStart::Earliest));
        assert_eq!("last:20".parse(), Ok(ChannelStart::Last(20)));
        let position = v1::Position { epoch: "abc".to_owned(), offset: 7 };
        assert_eq!(position_text(Some(&position)), "abc-7");
        assert_eq!("abc-7".parse(), Ok(ChannelStart::After(position)));
        for wrong in ["", "latest", "last:", "last:-1", "abc", "abc-x"] {
            assert_eq!(wrong.parse::<ChannelStart>(), Err(ChannelStartError), "{wrong:?}");
        }
    }
}
