//! What a subscription delivers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::position::Position;
use crate::proto;

/// One item of a subscription.
#[derive(Clone, Debug)]
pub enum Item {
    /// First for each channel: its events follow, from the one after `position`.
    Subscribed {
        /// The channel.
        channel: String,
        /// Where its stream starts.
        position: Position,
    },
    /// The next event of its channel.
    Event(Event),
    /// Events of a channel are lost for good.
    Gap(Gap),
    /// The hub is away. The subscription goes on where it stood as soon as it can; nothing needs to be done. Told once for
    /// each break.
    Interrupted(Failure),
    /// The hub is back after [`Interrupted`](Self::Interrupted), and the subscription goes on.
    Resumed,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// Where it was published.
    pub channel: String,
    /// Name of its type, such as `message` or `order.status_changed`.
    pub event_type: String,
    /// What was published, byte for byte.
    pub data: Bytes,
    /// Media type of `data`.
    pub content_type: String,
    /// What travels along.
    pub headers: BTreeMap<String, String>,
    /// When the hub took it, by the hub's clock.
    pub time: SystemTime,
    /// Where it stands in its channel.
    pub position: Position,
    /// The user who published it. None: a backend did.
    pub user: Option<String>,
}

impl Event {
    /// The data, read as JSON.
    ///
    /// # Errors
    ///
    /// It is no JSON, or not of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.data)
    }
}

impl TryFrom<proto::Event> for Event {
    type Error = Failure;

    fn try_from(event: proto::Event) -> Result<Self, Failure> {
        let time = event.time.and_then(|time| time.try_into().ok());
        Ok(Self {
            id: event.id,
            channel: event.channel,
            event_type: event.r#type,
            data: event.data,
            content_type: event.content_type,
            headers: event.headers,
            time: time.ok_or_else(|| Failure::incomplete("time"))?,
            position: event.position.ok_or_else(|| Failure::incomplete("position"))?.into(),
            user: Some(event.user).filter(|user| !user.is_empty()),
        })
    }
}

/// Events that this subscription will not deliver: those after `from`, up to and including `to`. It goes on after `to`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gap {
    /// The channel.
    pub channel: String,
    /// Up to here everything was delivered.
    pub from: Position,
    /// Where it goes on. In another epoch than `from` when the channel's history was lost.
    pub to: Position,
    /// Why: `expired`, `trimmed`, `epoch_changed`, `no_history`, `future` or `invalid`.
    pub reason: String,
}
