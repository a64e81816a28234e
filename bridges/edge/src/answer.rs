//! The JSON of answers that all bridges give alike, whatever stands around it (contract sections 4 and 7).
//!
//! A bridge writes an answer's own fields from here and adds what its protocol needs: WebSocket the `op` and the `id`
//! of the request, HTTP nothing. Read [`PublishAnswer`] first.

use crate::limits::MEMBERS_MAX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fanline_core::broker::{Member, Published};
use fanline_core::catchup::Recovery;
use fanline_core::command::Reply;
use fanline_core::event::Event;
use fanline_core::feed::Joined;
use fanline_core::history::History;
use fanline_core::ids::EventId;
use fanline_core::refusal::Violation;
use fanline_core::{ChannelName, Position};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// What a `publish` is answered.
#[derive(Debug, Serialize)]
pub struct PublishAnswer<'a> {
    channel: Shown<&'a ChannelName>,
    event_id: Shown<EventId>,
    position: Shown<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<bool>,
}

/// What a `presence` is answered: at most [`MEMBERS_MAX`] members. `total` says how many there are when that is not all.
#[derive(Debug, Serialize)]
pub struct PresenceAnswer<'a> {
    channel: Shown<&'a ChannelName>,
    members: MembersView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
}

/// What a `history` is answered, without its events: they follow by [`close_with_events`].
#[derive(Debug, Serialize)]
pub struct HistoryAnswer<'a> {
    channel: Shown<&'a ChannelName>,
    position: Shown<Position>,
    #[serde(flatten)]
    recovery: RecoveryView,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

/// What exactly is wrong with an event's data: each value by JSON pointer, with the rule and a sentence.
#[derive(Clone, Copy, Debug)]
pub struct ViolationsView<'a>(pub &'a [Violation]);

impl ViolationsView<'_> {
    /// Whether there is nothing to say, and so nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for ViolationsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct One<'a> {
            pointer: &'a str,
            rule: &'a str,
            message: &'a str,
        }
        serializer.collect_seq(self.0.iter().map(|violation| One {
            pointer: &violation.pointer,
            rule: &violation.rule,
            message: &violation.message,
        }))
    }
}

/// What a `call` is answered, once or several times.
#[derive(Debug, Serialize)]
pub struct CallAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

impl<'a> CallAnswer<'a> {
    /// The answer that a reply is, its JSON byte for byte.
    #[must_use]
    pub fn new(reply: &'a Reply) -> Self {
        let payload = &reply.payload;
        let json = || serde_json::from_slice(payload.data()).ok();
        let data = payload.content_type().is_json().then(json).flatten();
        let (content_type, data_base64) = match data {
            Some(_) => (None, None),
            None => (Some(payload.content_type().as_str()), Some(STANDARD.encode(payload.data()))),
        };
        CallAnswer { data, content_type, data_base64, more: reply.more.then_some(true) }
    }
}

impl<'a> PublishAnswer<'a> {
    /// The answer about an event that went to a channel.
    #[must_use]
    pub fn new(channel: &'a ChannelName, published: Published) -> Self {
        PublishAnswer {
            channel: Shown(channel),
            event_id: Shown(published.id),
            position: Shown(published.position),
            duplicate: published.duplicate.then_some(true),
        }
    }
}

impl<'a> PresenceAnswer<'a> {
    /// The answer about the members of a channel.
    #[must_use]
    pub fn new(channel: &'a ChannelName, members: &'a [Member]) -> Self {
        let listed = &members[..members.len().min(MEMBERS_MAX)];
        PresenceAnswer {
            channel: Shown(channel),
            members: MembersView(listed),
            total: (listed.len() < members.len()).then_some(members.len()),
        }
    }
}

impl<'a> HistoryAnswer<'a> {
    /// The answer about a page of a channel's history.
    #[must_use]
    pub fn new(channel: &'a ChannelName, history: &History) -> Self {
        HistoryAnswer {
            channel: Shown(channel),
            position: Shown(history.top),
            recovery: RecoveryView::from(history.recovery),
            more: history.more.then_some(true),
        }
    }
}

/// Puts `events` into the JSON object that `out` ends with. Events are JSON already: they go in as they are.
pub fn close_with_events(out: &mut Vec<u8>, events: &[Arc<Event>]) {
    debug_assert_eq!(out.last(), Some(&b'}'), "only an object has fields");
    out.pop();
    out.extend_from_slice(br#","events":["#);
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        event.write_json(out);
    }
    out.extend_from_slice(b"]}");
}

/// Appends a message as JSON.
pub fn write_json(out: &mut Vec<u8>, message: &impl Serialize) {
    serde_json::to_writer(out, message)
        .expect("a Vec takes all, and our messages have string keys");
}

/// Something whose text is its JSON string.
#[derive(Debug)]
pub struct Shown<T>(pub T);

/// A time in seconds: a whole number where it is one.
#[derive(Debug)]
pub struct Seconds(pub Duration);

/// A member as clients see it.
#[derive(Debug)]
pub struct MemberView<'a>(pub &'a Member);

#[derive(Debug)]
struct MembersView<'a>(&'a [Member]);

/// `recovered`, with the `reason` if it is false; nothing where no position was asked for.
#[derive(Debug, Serialize)]
pub struct RecoveryView {
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Channels, each with where its stream starts: its `position`, and `recovered` where one was asked for.
#[derive(Debug)]
pub struct StartsView<'a>(pub &'a [(ChannelName, Joined)]);

impl Serialize for StartsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Start {
            position: Shown<Position>,
            #[serde(flatten)]
            recovery: RecoveryView,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (channel, joined) in self.0 {
            let position = Shown(joined.position);
            let start = Start { position, recovery: RecoveryView::from(joined.recovery) };
            map.serialize_entry(channel.as_str(), &start)?;
        }
        map.end()
    }
}

impl From<Option<Recovery>> for RecoveryView {
    fn from(recovery: Option<Recovery>) -> Self {
        let (recovered, reason) = match recovery {
            None => (None, None),
            Some(Recovery::Recovered) => (Some(true), None),
            Some(Recovery::Lost(reason)) => (Some(false), Some(reason.as_str())),
        };
        RecoveryView { recovered, reason }
    }
}

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.subsec_nanos() {
            0 => serializer.serialize_u64(self.0.as_secs()),
            _ => serializer.serialize_f64(self.0.as_secs_f64()),
        }
    }
}

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

impl Serialize for MembersView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_seq(Some(self.0.len()))?;
        for member in self.0 {
            members.serialize_element(&MemberView(member))?;
        }
        members.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::catchup::LossReason;
    use fanline_core::clock::Timestamp;
    use fanline_core::event::Payload;
    use fanline_core::ids::{ConnectionId, UserId};
    use fanline_core::random::Random;

    fn json(message: &impl Serialize) -> String {
        let mut out = Vec::new();
        write_json(&mut out, message);
        String::from_utf8(out).unwrap()
    }

    fn member() -> Member {
        Member {
            connection: ConnectionId::new(Timestamp::default(), &Random::seeded(1)),
            user: UserId::new("ada"),
            info: Some(r#"{"name": "Ada"}"#.into()),
            joined_at: Timestamp::default(),
        }
    }

    #[test]
    fn a_member_shows_its_info_byte_for_byte() {
        let shown = json(&MemberView(&member()));
        let end = r#""user":"ada","info":{"name": "Ada"},"joined_at":"1970-01-01T00:00:00.000Z"}"#;
        assert!(shown.starts_with(r#"{"connection":""#) && shown.ends_with(end), "{shown}");
    }

    #[test]
    fn a_reply_is_json_byte_for_byte_or_base64_and_says_if_more_follow() {
        let reply = |content_type: &str, data: &'static [u8], more| {
            let payload = Payload::new(content_type.parse().unwrap(), data.into()).unwrap();
            json(&CallAnswer::new(&Reply { more, ..Reply::only(payload) }))
        };
        assert_eq!(reply("", b"{ \"n\":1.0e2 }", false), r#"{"data":{ "n":1.0e2 }}"#);
        assert_eq!(reply("", b"null", true), r#"{"data":null,"more":true}"#);
        assert_eq!(
            reply("image/png", b"\0\x01", false),
            r#"{"content_type":"image/png","data_base64":"AAE="}"#
        );
    }

    #[test]
    fn more_members_than_an_answer_holds_are_counted() {
        let channel = "chat:a".parse().unwrap();
        let members = vec![member(); MEMBERS_MAX + 1];
        let total = format!(r#""total":{}"#, MEMBERS_MAX + 1);
        assert!(json(&PresenceAnswer::new(&channel, &members)).contains(&total));
        assert!(!json(&PresenceAnswer::new(&channel, &members[1..])).contains("total"));
    }

    #[test]
    fn a_page_of_history_says_what_was_lost_and_holds_its_events() {
        let history = History {
            events: Vec::new(),
            top: "e-7".parse().unwrap(),
            more: true,
            recovery: Some(Recovery::Lost(LossReason::Trimmed)),
        };
        let mut out = Vec::new();
        write_json(&mut out, &HistoryAnswer::new(&"chat:a".parse().unwrap(), &history));
        close_with_events(&mut out, &history.events);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"channel":"chat:a","position":"e-7","recovered":false,"reason":"trimmed","more":true,"events":[]}"#
        );
    }
}
