//! Server-sent events: one stream as one channel, each kind of block as a message (contract section 5).
//!
//! There is no binding for SSE in AsyncAPI: the HTTP part uses `http`, and the rest the extension `x-sse`, whose fields
//! are those of a block.

use super::object::{Object, constant, list_of, map_of, reference, text, truth, whole};
use super::parts::{Action, Message, Operation, Parts};
use super::vocabulary::{
    CHANNEL, EVENT, LOSS, MEMBER, POSITION, PROBLEM_MESSAGE, REASON, SOME_CONNECTION,
    SOME_POSITION, SOME_TIME, start,
};
use serde_json::{Value, json};

/// Adds the stream.
pub(super) fn add(parts: &mut Parts) {
    blocks(parts);
    let channel = json!({
        "address": "/v1/sse",
        "title": "SSE stream",
        "summary": "Events of one or more channels as server-sent events, over HTTP/2 or HTTP/1.1.",
        "servers": [{ "$ref": "#/servers/sse" }],
    });
    let query = Object::new("SseQuery")
        .field("channel", list_of(reference(CHANNEL)), "The channels; the parameter is repeated.")
        .optional(
            "since",
            text(),
            "Where to start: a position or cursor, `earliest`, or `last:N`. Without it: with the next event. \
             `Last-Event-ID` wins.",
        )
        .optional("last_event_id", text(), "What `Last-Event-ID` says, for clients that cannot set headers.")
        .optional("named", truth(), "Whether events carry their type as the name of the block.")
        .build();
    parts.endpoint(
        "fanline.sse",
        channel,
        &[Operation {
            id: "sseStream",
            action: Action::Send,
            title: "Stream",
            summary: "The blocks of the stream, the open block first.",
            messages: &[
                "fanline.sse.open",
                "fanline.sse.event",
                "fanline.sse.cursor",
                "fanline.sse.gap",
                "fanline.sse.presence",
                "fanline.sse.joined",
                "fanline.sse.left",
                "fanline.sse.expiring",
                "fanline.sse.close",
                "fanline.sse.retry",
                PROBLEM_MESSAGE,
            ],
            replies: &[],
            bindings: Some(json!({
                "http": { "method": "GET", "query": query },
                "x-sse": {
                    "contentType": "text/event-stream",
                    "heartbeat": ":",
                    "resumeHeader": "Last-Event-ID",
                },
            })),
        }],
    );
}

fn blocks(parts: &mut Parts) {
    let mut add =
        |key: &str, title: &str, summary: &str, payload: Value, block: Value, example: Value| {
            let message = Message::new(key, title, summary, payload);
            parts.message(message.example(example).bindings(json!({ "x-sse": block })));
        };
    let begins = start(Object::new("SseStart").field(
        "position",
        reference(POSITION),
        "The first event that follows is the next after this.",
    ));
    add(
        "fanline.sse.open",
        "fanline.open",
        "The first block of a stream.",
        Object::new("SseOpen")
            .field("connection", text(), "The id of the connection.")
            .field("expires_in", whole(), "Seconds until the token ends, and the stream with it.")
            .field(
                "heartbeat_interval",
                json!({ "type": "number" }),
                "Seconds of silence, at most about, until a heartbeat: a client that hears nothing for twice as long comes back.",
            )
            .field("channels", map_of(begins.build()), "Where the stream of each channel starts.")
            .optional("cursor", text(), "Resumes this stream, also when it saw no event.")
            .build(),
        json!({ "event": "fanline.open", "id": "$.cursor" }),
        json!({
            "connection": SOME_CONNECTION, "expires_in": 3600, "heartbeat_interval": 20,
            "channels": { "chat:lobby": { "position": SOME_POSITION, "recovered": true } },
            "cursor": SOME_POSITION,
        }),
    );
    add(
        "fanline.sse.event",
        "event",
        "An event. With one channel its position is the id of the block; with several a cursor block follows.",
        reference(EVENT),
        json!({ "event": "$.type (with named=true)", "id": "$.position (with one channel)" }),
        json!({
            "channel": "chat:lobby", "position": SOME_POSITION, "id": SOME_CONNECTION, "type": "message",
            "time": SOME_TIME, "data": { "text": "hello" }, "user": "u42",
        }),
    );
    add(
        "fanline.sse.cursor",
        "fanline.cursor",
        "With several channels, after each batch: its id resumes all of them.",
        Object::new("SseCursor").build(),
        json!({ "event": "fanline.cursor", "id": "the cursor" }),
        json!({}),
    );
    add(
        "fanline.sse.gap",
        "fanline.gap",
        "Events were lost for good: those after `from`, up to and including `to`.",
        Object::new("SseGap")
            .field("channel", reference(CHANNEL), "")
            .field("from", reference(POSITION), "")
            .field("to", reference(POSITION), "")
            .field("reason", reference(LOSS), "")
            .build(),
        json!({ "event": "fanline.gap" }),
        json!({ "channel": "chat:lobby", "from": "k3Xq9TzB-3", "to": SOME_POSITION, "reason": "trimmed" }),
    );
    add(
        "fanline.sse.presence",
        "fanline.presence",
        "Somebody came or went. One of `joined` and `left` is there.",
        Object::new("SsePresence")
            .field("channel", reference(CHANNEL), "")
            .optional("joined", reference(MEMBER), "Who came.")
            .optional("left", reference(MEMBER), "Who went.")
            .build(),
        json!({ "event": "fanline.presence" }),
        json!({
            "channel": "chat:lobby", "left": { "connection": SOME_CONNECTION, "user": "u42", "joined_at": SOME_TIME },
        }),
    );
    add(
        "fanline.sse.joined",
        "fanline.joined",
        "A backend put the stream into a channel. From the second channel on, events have no `id`, and cursor blocks follow.",
        Object::new("SseJoined")
            .field("channel", reference(CHANNEL), "")
            .field(
                "position",
                reference(POSITION),
                "The first event that follows is the next after this.",
            )
            .build(),
        json!({ "event": "fanline.joined" }),
        json!({ "channel": "chat:lobby", "position": SOME_POSITION }),
    );
    add(
        "fanline.sse.left",
        "fanline.left",
        "A backend took the stream out of a channel.",
        Object::new("SseLeft")
            .field("channel", reference(CHANNEL), "")
            .field("reason", constant("server"), "")
            .build(),
        json!({ "event": "fanline.left" }),
        json!({ "channel": "chat:lobby", "reason": "server" }),
    );
    add(
        "fanline.sse.expiring",
        "fanline.expiring",
        "The token ends soon, and the stream with it.",
        Object::new("SseExpiring").field("expires_in", whole(), "Seconds until then.").build(),
        json!({ "event": "fanline.expiring" }),
        json!({ "expires_in": 30 }),
    );
    add(
        "fanline.sse.close",
        "fanline.close",
        "The stream ends as planned.",
        Object::new("SseClose")
            .field("reconnect", truth(), "Whether to come back.")
            .field("reason", reference(REASON), "")
            .build(),
        json!({ "event": "fanline.close" }),
        json!({ "reconnect": false, "reason": "TOKEN_EXPIRED" }),
    );
    add(
        "fanline.sse.retry",
        "fanline.retry",
        "The hub has no room now: the only block, with the time to come back in its `retry`.",
        Object::new("SseRetry").optional("reason", reference(REASON), "").build(),
        json!({ "event": "fanline.retry" }),
        json!({ "reason": "LIMIT_EXCEEDED" }),
    );
}
