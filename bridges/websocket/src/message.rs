//! What the server sends, as text frames (contract section 4).

use crate::frame;
use crate::limits::MEMBERS_MAX;
use crate::request::RequestId;
use bytes::Bytes;
use fanline_core::broker::{Member, PresenceChange, Published};
use fanline_core::catchup::{Gap, Recovery};
use fanline_core::event::{Event, WireForm};
use fanline_core::feed::Joined;
use fanline_core::history::History;
use fanline_core::ids::{ConnectionId, UserId};
use fanline_core::{ChannelName, Reason, Refusal};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt::Display;
use std::time::Duration;

/// An event: made once, shared by all.
pub(crate) fn event(event: &Event) -> Bytes {
    event.form(WireForm::WebSocket, |event| {
        frame::text(|out| {
            out.extend_from_slice(br#"{"op":"event","event":"#);
            event.write_json(out);
            out.push(b'}');
        })
    })
}

/// Events are lost for good.
pub(crate) fn gap(channel: &ChannelName, gap: Gap) -> Bytes {
    let (from, to) = (Shown(gap.from), Shown(gap.to));
    encode(&Message::Gap { channel: Shown(channel), from, to, reason: gap.reason.as_str() })
}

/// A member joined or left.
pub(crate) fn presence(change: &PresenceChange) -> Bytes {
    let (channel, member) = (Shown(&change.channel), Some(MemberView(&change.member)));
    let (joined, left) = if change.joined { (member, None) } else { (None, member) };
    encode(&Message::Presence { channel, joined, left })
}

/// The first message of a connection.
pub(crate) fn welcome(
    connection: ConnectionId,
    user: Option<&UserId>,
    ping_interval: Duration,
    expires_in: Duration,
    channels: &[(ChannelName, Joined)],
) -> Bytes {
    encode(&Message::Welcome {
        connection: Shown(connection),
        user: user.map_or("", UserId::as_str),
        ping_interval: Seconds(ping_interval),
        expires_in: expires_in.as_secs(),
        channels: ChannelsView(channels),
    })
}

/// The token runs out soon.
pub(crate) fn expiring(expires_in: Duration) -> Bytes {
    encode(&Message::Expiring { expires_in: expires_in.as_secs() })
}

/// A planned close follows.
pub(crate) fn closing(reason: Reason, retry_after: Duration) -> Bytes {
    encode(&Message::Closing {
        reason: reason.as_str(),
        reconnect: true,
        retry_after_ms: millis(retry_after),
    })
}

/// The server took the connection out of a channel.
pub(crate) fn left(channel: &ChannelName, reason: Reason) -> Bytes {
    encode(&Message::Left { channel: Shown(channel), reason: reason.as_str() })
}

/// A request failed.
pub(crate) fn error(id: Option<&RequestId>, refusal: &Refusal) -> Bytes {
    encode(&Message::Error {
        id: id.map(RequestId::as_raw),
        reason: refusal.reason().as_str(),
        message: refusal.message(),
        field: refusal.field(),
        retry_after_ms: refusal.retry_after().map(millis),
    })
}

/// The answer to a `ping`.
pub(crate) fn pong(id: &RequestId) -> Bytes {
    encode(&Message::Pong { id: id.as_raw() })
}

/// The answer to an `auth`.
pub(crate) fn authenticated(id: &RequestId, expires_in: Duration) -> Bytes {
    encode(&Answer { expires_in: Some(expires_in.as_secs()), ..Answer::ok(id) })
}

/// The answer to a `join`.
pub(crate) fn joined(id: &RequestId, channel: &ChannelName, joined: Joined) -> Bytes {
    let (recovered, reason) = recovery(joined.recovery);
    let position = Some(Shown(joined.position));
    encode(&Answer { channel: Some(Shown(channel)), position, recovered, reason, ..Answer::ok(id) })
}

/// The answer to a `leave`.
pub(crate) fn left_as_asked(id: &RequestId, channel: &ChannelName) -> Bytes {
    encode(&Answer { channel: Some(Shown(channel)), ..Answer::ok(id) })
}

/// The answer to a `publish`.
pub(crate) fn published(id: &RequestId, channel: &ChannelName, published: Published) -> Bytes {
    encode(&Answer {
        channel: Some(Shown(channel)),
        event_id: Some(Shown(published.id)),
        position: Some(Shown(published.position)),
        duplicate: published.duplicate.then_some(true),
        ..Answer::ok(id)
    })
}

/// The answer to a `presence`.
pub(crate) fn members(id: &RequestId, channel: &ChannelName, members: &[Member]) -> Bytes {
    let listed = &members[..members.len().min(MEMBERS_MAX)];
    let total = (listed.len() < members.len()).then_some(members.len());
    encode(&Answer {
        channel: Some(Shown(channel)),
        members: Some(MembersView(listed)),
        total,
        ..Answer::ok(id)
    })
}

/// The answer to a `history`.
pub(crate) fn history(id: &RequestId, channel: &ChannelName, history: &History) -> Bytes {
    let (recovered, reason) = recovery(history.recovery);
    let answer = Answer {
        channel: Some(Shown(channel)),
        position: Some(Shown(history.top)),
        recovered,
        reason,
        more: history.more.then_some(true),
        ..Answer::ok(id)
    };
    frame::text(|out| {
        write(out, &answer);
        // Events are JSON already: they go in as they are, before the brace that closes the answer.
        out.pop();
        out.extend_from_slice(br#","events":["#);
        for (index, event) in history.events.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            event.write_json(out);
        }
        out.extend_from_slice(b"]}");
    })
}

#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Message<'a> {
    Welcome {
        connection: Shown<ConnectionId>,
        user: &'a str,
        ping_interval: Seconds,
        expires_in: u64,
        channels: ChannelsView<'a>,
    },
    Gap {
        channel: Shown<&'a ChannelName>,
        from: Shown<fanline_core::Position>,
        to: Shown<fanline_core::Position>,
        reason: &'static str,
    },
    Presence {
        channel: Shown<&'a ChannelName>,
        #[serde(skip_serializing_if = "Option::is_none")]
        joined: Option<MemberView<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<MemberView<'a>>,
    },
    Expiring {
        expires_in: u64,
    },
    Closing {
        reason: &'static str,
        reconnect: bool,
        retry_after_ms: u64,
    },
    Left {
        channel: Shown<&'a ChannelName>,
        reason: &'static str,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RawValue>,
        reason: &'static str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Pong {
        id: &'a RawValue,
    },
}

/// `ok`, with what the operation has to say.
#[derive(Serialize)]
struct Answer<'a> {
    op: &'static str,
    id: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<Shown<&'a ChannelName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<Shown<fanline_core::ids::EventId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Shown<fanline_core::Position>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<MembersView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

impl<'a> Answer<'a> {
    fn ok(id: &'a RequestId) -> Self {
        Answer {
            op: "ok",
            id: id.as_raw(),
            channel: None,
            event_id: None,
            position: None,
            duplicate: None,
            recovered: None,
            reason: None,
            expires_in: None,
            members: None,
            total: None,
            more: None,
        }
    }
}

/// Something whose text is its JSON string.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A time in seconds: a whole number where it is one.
struct Seconds(Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.subsec_nanos() {
            0 => serializer.serialize_u64(self.0.as_secs()),
            _ => serializer.serialize_f64(self.0.as_secs_f64()),
        }
    }
}

struct MemberView<'a>(&'a Member);

impl Serialize for MemberView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Member { connection, user, info, joined_at } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("connection", &Shown(connection))?;
        if let Some(user) = user {
            map.serialize_entry("user", user.as_str())?;
        }
        if let Some(info) =
            info.as_deref().and_then(|info| serde_json::from_slice::<&RawValue>(info).ok())
        {
            map.serialize_entry("info", info)?;
        }
        map.serialize_entry("joined_at", &Shown(joined_at))?;
        map.end()
    }
}

struct MembersView<'a>(&'a [Member]);

impl Serialize for MembersView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_seq(Some(self.0.len()))?;
        for member in self.0 {
            members.serialize_element(&MemberView(member))?;
        }
        members.end()
    }
}

/// The channels that a connection was put into, each with where its stream starts.
struct ChannelsView<'a>(&'a [(ChannelName, Joined)]);

impl Serialize for ChannelsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Start {
            position: Shown<fanline_core::Position>,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (channel, joined) in self.0 {
            map.serialize_entry(channel.as_str(), &Start { position: Shown(joined.position) })?;
        }
        map.end()
    }
}

fn recovery(recovery: Option<Recovery>) -> (Option<bool>, Option<&'static str>) {
    match recovery {
        None => (None, None),
        Some(Recovery::Recovered) => (Some(true), None),
        Some(Recovery::Lost(reason)) => (Some(false), Some(reason.as_str())),
    }
}

fn millis(duration: Duration) -> u64 {
    // Rounded up: a client that comes a fraction early would be refused again.
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn encode(message: &impl Serialize) -> Bytes {
    frame::text(|out| write(out, message))
}

fn write(out: &mut Vec<u8>, message: &impl Serialize) {
    serde_json::to_writer(out, message)
        .expect("a Vec takes all, and our messages have string keys");
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::catchup::LossReason;
    use fanline_core::clock::Timestamp;
    use fanline_core::random::Random;

    /// The payload of a short frame as text.
    fn text(frame: &Bytes) -> &str {
        let header = if frame[1] < 126 { 2 } else { 4 };
        std::str::from_utf8(&frame[header..]).unwrap()
    }

    #[test]
    fn messages_read_as_the_contract_says() {
        let channel: ChannelName = "chat:a".parse().unwrap();
        let gap_frame = gap(
            &channel,
            Gap {
                from: "e-1".parse().unwrap(),
                to: "e-3".parse().unwrap(),
                reason: LossReason::Trimmed,
            },
        );
        assert_eq!(
            text(&gap_frame),
            r#"{"op":"gap","channel":"chat:a","from":"e-1","to":"e-3","reason":"trimmed"}"#
        );
        let refusal = Refusal::new(Reason::RateLimited, "slow down")
            .with_retry_after(Duration::from_micros(1500));
        let error_frame = error(None, &refusal);
        assert_eq!(
            text(&error_frame),
            r#"{"op":"error","reason":"RATE_LIMITED","message":"slow down","retry_after_ms":2}"#
        );
        let closing_frame = closing(Reason::Draining, Duration::from_millis(5));
        assert_eq!(
            text(&closing_frame),
            r#"{"op":"closing","reason":"DRAINING","reconnect":true,"retry_after_ms":5}"#
        );
    }

    #[test]
    fn a_member_shows_its_info_byte_for_byte() {
        let member = Member {
            connection: ConnectionId::new(Timestamp::default(), &Random::seeded(1)),
            user: UserId::new("ada"),
            info: Some(r#"{"name": "Ada"}"#.into()),
            joined_at: Timestamp::default(),
        };
        let change = PresenceChange { channel: "chat:a".parse().unwrap(), member, joined: true };
        let frame = presence(&change);
        assert!(text(&frame).contains(
            r#""user":"ada","info":{"name": "Ada"},"joined_at":"1970-01-01T00:00:00.000Z""#
        ));
        assert!(
            text(&frame)
                .starts_with(r#"{"op":"presence","channel":"chat:a","joined":{"connection":""#)
        );
    }
}
