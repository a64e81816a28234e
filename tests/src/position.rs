//! Positions as clients see them: `<epoch>-<offset>` in JSON, a message in gRPC.

use std::fmt;
use std::str::FromStr;

use fanline_proto::v1;
use serde_json::Value;

/// Where in a channel, comparable across transports.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Position {
    /// The life of the channel's history.
    pub epoch: String,
    /// Grows by one with each event of an epoch.
    pub offset: u64,
}

impl Position {
    /// The position `by` events later in the same epoch.
    pub fn plus(&self, by: u64) -> Self {
        Self { epoch: self.epoch.clone(), offset: self.offset + by }
    }

    /// Whether it is `other`, or later in the same epoch.
    pub fn is_past(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.offset >= other.offset
    }

    /// The position at `offset` of the same epoch.
    pub fn at(&self, offset: u64) -> Self {
        Self { epoch: self.epoch.clone(), offset }
    }
}

/// The `position` of an answer, an event or a welcome.
pub fn position_of(frame: &Value) -> Position {
    frame["position"]
        .as_str()
        .unwrap_or_else(|| panic!("no position in {frame}"))
        .parse()
        .unwrap_or_else(|error| panic!("{error} in {frame}"))
}

/// The offset in the `position` of a frame.
pub fn offset_of(frame: &Value) -> u64 {
    position_of(frame).offset
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let broken = || format!("{text:?} is no position");
        let (epoch, offset) = text.split_once('-').ok_or_else(broken)?;
        let plain = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let offset = offset.parse().map_err(|_| broken())?;
        let epoch = epoch.to_owned();
        plain.then_some(Self { epoch, offset }).ok_or_else(broken)
    }
}

impl From<v1::Position> for Position {
    fn from(position: v1::Position) -> Self {
        let v1::Position { epoch, offset } = position;
        Self { epoch, offset }
    }
}

impl From<Position> for v1::Position {
    fn from(position: Position) -> Self {
        let Position { epoch, offset } = position;
        Self { epoch, offset }
    }
}
