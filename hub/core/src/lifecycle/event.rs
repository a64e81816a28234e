//! The events of a change.

use super::channel_of;
use crate::broker::{Change, ChangeKind};
use crate::channel::ChannelName;
use crate::ids::UserId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Why a member left whose node died.
const NODE_LOST: &str = "NODE_LOST";

/// An event to be published in a channel of the hub's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LifecycleEvent {
    pub(super) channel: ChannelName,
    pub(super) event_type: &'static str,
    /// The JSON.
    pub(super) data: Vec<u8>,
    /// The same for whoever tells it.
    pub(super) idempotency_key: String,
}

#[derive(Serialize)]
struct MemberData<'a> {
    channel: &'a str,
    connection: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
    /// Of the channel, right after the change.
    members: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Serialize)]
struct ChannelData<'a> {
    channel: &'a str,
}

#[derive(Serialize)]
struct ConnectionData<'a> {
    connection: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(flatten)]
    info: ConnectionNotes,
}

/// What a connection carries as a member of the connections of its node.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct ConnectionNotes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transport: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// What is told of a change of the members of a channel: that the channel is occupied before who did it, and that it is
/// vacated after.
pub(super) fn of_members(channel: &ChannelName, change: &Change) -> Vec<LifecycleEvent> {
    let Some(told_in) = channel_of(channel.namespace()) else { return Vec::new() };
    let event = |event_type, data| LifecycleEvent {
        channel: told_in.clone(),
        event_type,
        data,
        idempotency_key: key(channel, change, event_type),
    };
    let info = change.member.info.as_deref().filter(|_| change.kind == ChangeKind::Joined);
    let member = json(&MemberData {
        channel: channel.as_str(),
        connection: change.member.connection.to_string(),
        user: change.member.user.as_ref().map(UserId::as_str),
        info: info.and_then(|info| serde_json::from_slice(info).ok()),
        members: change.members,
        reason: (change.kind == ChangeKind::Lost).then_some(NODE_LOST),
    });
    let channel_data = || json(&ChannelData { channel: channel.as_str() });
    match (change.kind, change.members) {
        (ChangeKind::Joined, 1) => {
            vec![event("occupied", channel_data()), event("joined", member)]
        }
        (ChangeKind::Joined, _) => vec![event("joined", member)],
        (ChangeKind::Left | ChangeKind::Lost, 0) => {
            vec![event("left", member), event("vacated", channel_data())]
        }
        (ChangeKind::Left | ChangeKind::Lost, _) => vec![event("left", member)],
    }
}

/// What is told of a connection that came or went, in each namespace that asks for it.
pub(super) fn of_connections(
    channel: &ChannelName,
    change: &Change,
    namespaces: &[String],
) -> Vec<LifecycleEvent> {
    let event_type = match change.kind {
        ChangeKind::Joined => "connected",
        ChangeKind::Left | ChangeKind::Lost => "disconnected",
    };
    let info = change.member.info.as_deref().unwrap_or_default();
    let mut info: ConnectionNotes = serde_json::from_slice(info).unwrap_or_default();
    match change.kind {
        // It has one if it came and went before the broker could be told of either.
        ChangeKind::Joined => info.reason = None,
        ChangeKind::Left => {}
        ChangeKind::Lost => info.reason = Some(NODE_LOST.to_owned()),
    }
    let data = json(&ConnectionData {
        connection: change.member.connection.to_string(),
        user: change.member.user.as_ref().map(UserId::as_str),
        info,
    });
    let told_in = namespaces.iter().filter_map(|namespace| channel_of(namespace));
    let event = |told_in| LifecycleEvent {
        channel: told_in,
        event_type,
        data: data.clone(),
        idempotency_key: key(channel, change, event_type),
    };
    told_in.map(event).collect()
}

fn key(channel: &ChannelName, change: &Change, event_type: &str) -> String {
    format!("{channel} {} {event_type}", change.id)
}

fn json(data: &impl Serialize) -> Vec<u8> {
    // Writing to memory fails on nothing but a map without text for keys, of which there is none here.
    serde_json::to_vec(data).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Member;
    use crate::clock::Timestamp;
    use crate::ids::ConnectionId;
    use crate::random::Random;
    use crate::testing::channel;

    fn change(kind: ChangeKind, members: u64, info: &'static str) -> Change {
        let member = Member {
            connection: ConnectionId::new(Timestamp::default(), &Random::seeded(1)),
            user: UserId::new("ada"),
            info: Some(info.into()),
            joined_at: Timestamp::default(),
        };
        Change { id: "7-0".into(), member, kind, members }
    }

    fn told(events: Vec<LifecycleEvent>) -> Vec<(String, &'static str, String)> {
        let text = |event: LifecycleEvent| {
            let data = String::from_utf8(event.data).unwrap();
            (event.channel.to_string(), event.event_type, data)
        };
        events.into_iter().map(text).collect()
    }

    #[test]
    fn the_first_member_occupies_a_channel_and_the_last_vacates_it() {
        let room = channel("room:a");
        let types = |kind, members| -> Vec<_> {
            let events = of_members(&room, &change(kind, members, "{}"));
            events.into_iter().map(|event| event.event_type).collect()
        };
        assert_eq!(types(ChangeKind::Joined, 1), ["occupied", "joined"]);
        assert_eq!(types(ChangeKind::Joined, 2), ["joined"]);
        assert_eq!(types(ChangeKind::Left, 1), ["left"]);
        assert_eq!(types(ChangeKind::Lost, 0), ["left", "vacated"]);
    }

    #[test]
    fn an_event_says_who_and_where_and_why() {
        let room = channel("room:a");
        let joined = change(ChangeKind::Joined, 2, r#"{"name": "Ada"}"#);
        let id = joined.member.connection.to_string();
        assert_eq!(
            told(of_members(&room, &joined)),
            [(
                "$lifecycle:room".to_owned(),
                "joined",
                format!(
                    r#"{{"channel":"room:a","connection":"{id}","user":"ada","info":{{"name": "Ada"}},"members":2}}"#
                )
            )]
        );
        let lost = change(ChangeKind::Lost, 1, r#"{"name": "Ada"}"#);
        assert_eq!(
            told(of_members(&room, &lost))[0].2,
            format!(
                r#"{{"channel":"room:a","connection":"{id}","user":"ada","members":1,"reason":"NODE_LOST"}}"#
            )
        );
        let gone = change(ChangeKind::Left, 0, r#"{"transport":"sse","reason":"DRAINING"}"#);
        let namespaces = ["room".to_owned(), "x".repeat(250)];
        let came = Change { kind: ChangeKind::Joined, ..gone.clone() };
        assert_eq!(
            told(of_connections(&room, &came, &namespaces))[0].2,
            format!(r#"{{"connection":"{id}","user":"ada","transport":"sse"}}"#)
        );
        assert_eq!(
            told(of_connections(&room, &gone, &namespaces)),
            [(
                "$lifecycle:room".to_owned(),
                "disconnected",
                format!(
                    r#"{{"connection":"{id}","user":"ada","transport":"sse","reason":"DRAINING"}}"#
                )
            )]
        );
    }
}
