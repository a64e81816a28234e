//! The channels in which the hub tells backends who comes and goes (contract section 2).
//!
//! Described where some namespace asks for it, and in the view of the hub only: what is generated from the view of a
//! client is not meant to listen.

use super::facts::HubFacts;
use super::object::{Object, anything, constant, reference, text, whole};
use super::parts::{Action, Message, Operation, Parts};
use super::vocabulary::{CHANNEL, SOME_CONNECTION, SOME_POSITION, SOME_TIME, event_object};
use super::{Perspective, Readers, Settings};
use crate::catalog::{Catalog, Visibility};
use serde_json::{Value, json};

/// What the keys of its messages begin with; the type of the event follows.
const KEY: &str = "fanline.lifecycle.";

/// Adds the channel, one for all namespaces.
pub(super) fn add(
    parts: &mut Parts,
    facts: &HubFacts,
    catalog: Option<&Catalog>,
    settings: Settings,
) {
    let seen = |namespace: &&String| is_seen(namespace, catalog, settings.readers);
    let namespaces: Vec<&String> = facts.lifecycle.iter().filter(seen).collect();
    let Some(some) = namespaces.first() else { return };
    if settings.perspective == Perspective::Client {
        return;
    }
    let keys: Vec<String> =
        events(some).into_iter().map(|event| add_message(parts, some, event)).collect();
    let channel = json!({
        "address": "$lifecycle:{namespace}",
        "title": "Who comes and goes",
        "summary": "The hub tells backends of connections, and of the members of each channel of a namespace.",
        "description": "At least once, and in order for each channel, also when a node died. Read it with \
                        `Subscriber.Subscribe` like any channel; nobody but the hub publishes in it. A client reads it \
                        only where its token grants the name of this channel.",
        "servers": [{ "$ref": "#/servers/grpc" }],
        "parameters": { "namespace": {
            "description": "A namespace with `lifecycle = true`, such as those of the examples.",
            "examples": namespaces,
        } },
    });
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    parts.endpoint(
        "fanline.lifecycle",
        channel,
        &[Operation {
            id: "tellLifecycle",
            action: Action::Send,
            title: "Tell who comes and goes",
            summary: "Events as any others: they have positions, and may be resumed from.",
            messages: &keys,
            replies: &[],
            bindings: None,
        }],
    );
}

/// Whether readers may know of a namespace: not when all that the catalog has in it is for others.
fn is_seen(namespace: &str, catalog: Option<&Catalog>, readers: Readers) -> bool {
    let channels = catalog.map(Catalog::channels).unwrap_or_default();
    let mut of_namespace =
        channels.iter().filter(|channel| channel.address.namespace() == namespace).peekable();
    readers == Readers::Internal
        || of_namespace.peek().is_none()
        || of_namespace.any(|channel| channel.visibility == Visibility::Public)
}

/// An event that is told.
struct Told {
    name: &'static str,
    summary: &'static str,
    data: Object,
    example: Value,
}

fn events(namespace: &str) -> [Told; 6] {
    let room = format!("{namespace}:lobby");
    let data = |name: &str| Object::new(&format!("Lifecycle{name}Data"));
    let someone = |object: Object| {
        object.field("connection", text(), "The id of the connection.").optional(
            "user",
            text(),
            "Its user; missing when it is anonymous.",
        )
    };
    let transport = |object: Object| {
        object.optional("transport", text(), "What it is connected over, such as `websocket`.")
    };
    let channel = |object: Object| {
        object.field("channel", reference(CHANNEL), "The channel that it is about.")
    };
    let members = |object: Object| {
        object.field("members", whole(), "Members of the channel right after the change.")
    };
    [
        Told {
            name: "connected",
            summary: "A client has connected.",
            data: transport(someone(data("Connected"))),
            example: json!({ "connection": SOME_CONNECTION, "user": "u42", "transport": "websocket" }),
        },
        Told {
            name: "disconnected",
            summary: "A connection has ended.",
            data: transport(someone(data("Disconnected"))).optional(
                "reason",
                text(),
                "Why, a reason, or `CLOSED` when its client closed it. `NODE_LOST`: its node died.",
            ),
            example: json!({ "connection": SOME_CONNECTION, "user": "u42", "transport": "websocket", "reason": "NODE_LOST" }),
        },
        Told {
            name: "occupied",
            summary: "A channel has its first member, whose `joined` follows.",
            data: channel(data("Occupied")),
            example: json!({ "channel": room }),
        },
        Told {
            name: "joined",
            summary: "A connection has become a member of a channel.",
            data: members(someone(channel(data("Joined")))).optional(
                "info",
                anything(),
                "What its token says to show.",
            ),
            example: json!({ "channel": room, "connection": SOME_CONNECTION, "user": "u42", "info": { "name": "Ada" }, "members": 2 }),
        },
        Told {
            name: "left",
            summary: "A member has left a channel.",
            data: members(someone(channel(data("Left")))).optional(
                "reason",
                constant("NODE_LOST"),
                "There when its node died.",
            ),
            example: json!({ "channel": room, "connection": SOME_CONNECTION, "user": "u42", "members": 1 }),
        },
        Told {
            name: "vacated",
            summary: "A channel has no member any more.",
            data: channel(data("Vacated")),
            example: json!({ "channel": room }),
        },
    ]
}

/// Adds the message of an event; its key.
fn add_message(parts: &mut Parts, namespace: &str, event: Told) -> String {
    let Told { name, summary, data, example } = event;
    let title = format!("Lifecycle{}{}", name[..1].to_uppercase(), &name[1..]);
    let payload = event_object(&title, data.build(), constant(name), Some(summary));
    let key = format!("{KEY}{name}");
    parts.message(Message::new(&key, &title, summary, payload).example(json!({
        "type": name, "data": example, "channel": format!("$lifecycle:{namespace}"),
        "position": SOME_POSITION, "id": SOME_CONNECTION, "time": SOME_TIME,
    })));
    key
}
