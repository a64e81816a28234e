//! What the server sends, as text frames (contract section 4).

use crate::frame;
use crate::request::RequestId;
use bytes::Bytes;
use fanline_core::broker::{Member, PresenceChange, Published};
use fanline_core::catchup::Gap;
use fanline_core::command::{CommandError, Reply};
use fanline_core::event::{Event, WireForm};
use fanline_core::feed::Joined;
use fanline_core::history::History;
use fanline_core::ids::{ConnectionId, UserId};
use fanline_core::{ChannelName, Reason, Refusal};
use fanline_edge::answer::{
    CallAnswer, HistoryAnswer, MemberView, PresenceAnswer, PublishAnswer, RecoveryView, Seconds,
    Shown, StartsView, ViolationsView, close_with_events, write_json,
};
use serde::Serialize;
use serde_json::value::RawValue;
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
        channels: StartsView(channels),
    })
}

/// The token runs out soon.
pub(crate) fn expiring(expires_in: Duration) -> Bytes {
    encode(&Message::Expiring { expires_in: expires_in.as_secs() })
}

/// A planned close follows. Without a time the client is not to come back.
pub(crate) fn closing(reason: Reason, retry_after: Option<Duration>) -> Bytes {
    encode(&Message::Closing {
        reason: reason.as_str(),
        reconnect: retry_after.is_some(),
        retry_after_ms: retry_after.map(millis),
    })
}

/// The server took the connection out of a channel.
pub(crate) fn left(channel: &ChannelName, reason: Reason) -> Bytes {
    encode(&Message::Left { channel: Shown(channel), reason: reason.as_str() })
}

/// A backend took the connection out of a channel.
pub(crate) fn left_by_backend(channel: &ChannelName) -> Bytes {
    encode(&Message::Left { channel: Shown(channel), reason: "server" })
}

/// A request failed.
pub(crate) fn error(id: Option<&RequestId>, refusal: &Refusal) -> Bytes {
    encode(&Message::Error {
        id: id.map(RequestId::as_raw),
        reason: refusal.reason().as_str(),
        message: refusal.message(),
        field: refusal.field(),
        violations: ViolationsView(refusal.violations()),
        retry_after_ms: refusal.retry_after().map(millis),
    })
}

/// A command failed: by the hub's reasons, or by the backend's.
pub(crate) fn failed(id: &RequestId, error: &CommandError) -> Bytes {
    encode(&Message::Error {
        id: Some(id.as_raw()),
        reason: error.reason(),
        message: error.message(),
        field: error.field(),
        violations: ViolationsView(&[]),
        retry_after_ms: error.retry_after().map(millis),
    })
}

/// The server put the connection into a channel.
pub(crate) fn placed(channel: &ChannelName, joined: Joined) -> Bytes {
    encode(&Message::Joined { channel: Shown(channel), position: Shown(joined.position) })
}

/// An answer to a `call`.
pub(crate) fn reply(id: &RequestId, reply: &Reply) -> Bytes {
    encode(&Answer { op: "reply", id: id.as_raw(), answer: CallAnswer::new(reply) })
}

/// The answer to a `ping`.
pub(crate) fn pong(id: &RequestId) -> Bytes {
    encode(&Message::Pong { id: id.as_raw() })
}

/// The answer to an `auth`.
pub(crate) fn authenticated(id: &RequestId, expires_in: Duration) -> Bytes {
    #[derive(Serialize)]
    struct Authenticated {
        expires_in: u64,
    }
    encode(&Answer::ok(id, Authenticated { expires_in: expires_in.as_secs() }))
}

/// The answer to a `join`.
pub(crate) fn joined(id: &RequestId, channel: &ChannelName, joined: Joined) -> Bytes {
    #[derive(Serialize)]
    struct JoinAnswer<'a> {
        channel: Shown<&'a ChannelName>,
        position: Shown<fanline_core::Position>,
        #[serde(flatten)]
        recovery: RecoveryView,
    }
    let recovery = RecoveryView::from(joined.recovery);
    let (channel, position) = (Shown(channel), Shown(joined.position));
    encode(&Answer::ok(id, JoinAnswer { channel, position, recovery }))
}

/// The answer to a `leave`.
pub(crate) fn left_as_asked(id: &RequestId, channel: &ChannelName) -> Bytes {
    #[derive(Serialize)]
    struct LeaveAnswer<'a> {
        channel: Shown<&'a ChannelName>,
    }
    encode(&Answer::ok(id, LeaveAnswer { channel: Shown(channel) }))
}

/// The answer to a `publish`.
pub(crate) fn published(id: &RequestId, channel: &ChannelName, published: Published) -> Bytes {
    encode(&Answer::ok(id, PublishAnswer::new(channel, published)))
}

/// The answer to a `presence`.
pub(crate) fn members(id: &RequestId, channel: &ChannelName, members: &[Member]) -> Bytes {
    encode(&Answer::ok(id, PresenceAnswer::new(channel, members)))
}

/// The answer to a `history`.
pub(crate) fn history(id: &RequestId, channel: &ChannelName, history: &History) -> Bytes {
    frame::text(|out| {
        write_json(out, &Answer::ok(id, HistoryAnswer::new(channel, history)));
        close_with_events(out, &history.events);
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
        channels: StartsView<'a>,
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
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Joined {
        channel: Shown<&'a ChannelName>,
        position: Shown<fanline_core::Position>,
    },
    Left {
        channel: Shown<&'a ChannelName>,
        reason: &'static str,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RawValue>,
        reason: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<&'static str>,
        #[serde(skip_serializing_if = "ViolationsView::is_empty")]
        violations: ViolationsView<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Pong {
        id: &'a RawValue,
    },
}

/// `ok` or `reply`, with what the operation has to say.
#[derive(Serialize)]
struct Answer<'a, T> {
    op: &'static str,
    id: &'a RawValue,
    #[serde(flatten)]
    answer: T,
}

impl<'a, T> Answer<'a, T> {
    fn ok(id: &'a RequestId, answer: T) -> Self {
        Answer { op: "ok", id: id.as_raw(), answer }
    }
}

fn millis(duration: Duration) -> u64 {
    // Rounded up: a client that comes a fraction early would be refused again.
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn encode(message: &impl Serialize) -> Bytes {
    frame::text(|out| write_json(out, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::catchup::LossReason;

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
        let closing_frame = closing(Reason::Draining, Some(Duration::from_millis(5)));
        assert_eq!(
            text(&closing_frame),
            r#"{"op":"closing","reason":"DRAINING","reconnect":true,"retry_after_ms":5}"#
        );
        assert_eq!(
            text(&closing(Reason::TokenRevoked, None)),
            r#"{"op":"closing","reason":"TOKEN_REVOKED","reconnect":false}"#
        );
    }
}
