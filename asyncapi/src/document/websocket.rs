//! WebSocket rooms: the session as one channel, every frame of it as a message (contract section 4).

use super::object::{Object, constant, map_of, reference, text, truth, whole};
use super::operations;
use super::parts::{Action, Message, Operation, Parts};
use super::vocabulary::{
    CHANNEL, EVENT, LOSS, MEMBER, POSITION, REASON, REQUEST_ID, SOME_CONNECTION, SOME_POSITION,
    SOME_TIME, refused, start,
};
use serde_json::{Value, json};

/// The key of the channel.
pub(super) const SESSION: &str = "fanline.websocket";

/// Adds the session.
pub(super) fn add(parts: &mut Parts) {
    requests(parts);
    answers(parts);
    pushes(parts);
    let channel = json!({
        "address": "/v1/ws",
        "title": "WebSocket session",
        "summary": "One socket for all rooms of a client: one JSON object per text frame.",
        "servers": [{ "$ref": "#/servers/websocket" }],
        "bindings": { "ws": {
            "method": "GET",
            "headers": {
                "type": "object",
                "properties": { "Sec-WebSocket-Protocol": {
                    "type": "string",
                    "description": "`fanline.v1`; a browser adds its token as a second one, `fanline.bearer.<jwt>`.",
                } },
            },
        } },
    });
    let ask = |id, title, summary, messages, replies| Operation {
        id,
        action: Action::Receive,
        title,
        summary,
        messages,
        replies,
        bindings: None,
    };
    parts.endpoint(
        SESSION,
        channel,
        &[
            Operation {
                id: "wsPush",
                action: Action::Send,
                title: "Push",
                summary: "What the hub sends without being asked.",
                messages: &[
                    "fanline.ws.welcome",
                    "fanline.ws.event",
                    "fanline.ws.presenceChange",
                    "fanline.ws.gap",
                    "fanline.ws.joined",
                    "fanline.ws.left",
                    "fanline.ws.expiring",
                    "fanline.ws.closing",
                ],
                replies: &[],
                bindings: None,
            },
            ask(
                "wsAuth",
                "Authenticate",
                "As the first frame of a session without a token, or later to refresh it in place.",
                &["fanline.ws.auth"],
                &["fanline.ws.authOk", "fanline.ws.error"],
            ),
            ask(
                "wsJoin",
                "Join a channel",
                "The answer says where the stream starts; missed events follow it, then live ones.",
                &["fanline.ws.join"],
                &["fanline.ws.joinOk", "fanline.ws.error"],
            ),
            ask(
                "wsLeave",
                "Leave a channel",
                "No event of the channel follows the answer.",
                &["fanline.ws.leave"],
                &["fanline.ws.leaveOk", "fanline.ws.error"],
            ),
            ask(
                "wsPublish",
                "Publish an event",
                "Answered once the event is in history and on its way.",
                &["fanline.ws.publish"],
                &["fanline.ws.publishOk", "fanline.ws.error"],
            ),
            ask(
                "wsCall",
                "Call a backend",
                "A command that a backend answers; a streamed answer has `more` on all frames but the last.",
                &["fanline.ws.call"],
                &["fanline.ws.reply", "fanline.ws.error"],
            ),
            ask(
                "wsPresence",
                "Ask who is there",
                "The members of a channel at this moment.",
                &["fanline.ws.presence"],
                &["fanline.ws.presenceOk", "fanline.ws.error"],
            ),
            ask(
                "wsHistory",
                "Read history",
                "A page of what the channel keeps.",
                &["fanline.ws.history"],
                &["fanline.ws.historyOk", "fanline.ws.error"],
            ),
            ask(
                "wsPing",
                "Ping",
                "For clients that cannot see the Pings of the protocol, as browsers cannot.",
                &["fanline.ws.ping"],
                &["fanline.ws.pong", "fanline.ws.error"],
            ),
        ],
    );
}

fn request(title: &str, op: &str) -> Object {
    Object::new(title).field("op", constant(op), "").field("id", reference(REQUEST_ID), "")
}

fn channel(object: Object) -> Object {
    object.field("channel", reference(CHANNEL), "")
}

fn requests(parts: &mut Parts) {
    let mut add = |key: &str, title: &str, summary: &str, payload: Value, example: Value| {
        parts.message(Message::new(key, title, summary, payload).example(example));
    };
    add(
        "fanline.ws.auth",
        "auth",
        "Authenticates the session, or refreshes its token.",
        request("WsAuth", "auth").field("token", text(), "The token, a JWT.").build(),
        json!({ "op": "auth", "id": 1, "token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln" }),
    );
    add(
        "fanline.ws.join",
        "join",
        "Joins a channel.",
        channel(request("WsJoin", "join"))
            .optional(
                "since",
                operations::since(),
                "Where to start: a position, `earliest`, or `last:N`. Without it: with the next event.",
            )
            .build(),
        json!({ "op": "join", "id": 2, "channel": "chat:lobby", "since": SOME_POSITION }),
    );
    add(
        "fanline.ws.leave",
        "leave",
        "Leaves a channel.",
        channel(request("WsLeave", "leave")).build(),
        json!({ "op": "leave", "id": 3, "channel": "chat:lobby" }),
    );
    add(
        "fanline.ws.publish",
        "publish",
        "Publishes an event.",
        operations::publish(channel(request("WsPublish", "publish")))
            .optional(
                "echo",
                truth(),
                "Whether this connection receives the event too. Default: true.",
            )
            .build(),
        json!({
            "op": "publish", "id": 4, "channel": "chat:lobby", "type": "message",
            "data": { "text": "hello" }, "key": "a-7", "echo": false,
        }),
    );
    add(
        "fanline.ws.call",
        "call",
        "Calls a method of a backend.",
        operations::call(request("WsCall", "call")).build(),
        json!({ "op": "call", "id": 5, "method": "chat.rename", "channel": "chat:lobby", "data": { "name": "Lobby" } }),
    );
    add(
        "fanline.ws.presence",
        "presence",
        "Asks for the members of a channel.",
        channel(request("WsPresence", "presence")).build(),
        json!({ "op": "presence", "id": 6, "channel": "chat:lobby" }),
    );
    add(
        "fanline.ws.history",
        "history",
        "Asks for a page of history.",
        operations::history(channel(request("WsHistory", "history"))).build(),
        json!({ "op": "history", "id": 7, "channel": "chat:lobby", "limit": 50, "reverse": true }),
    );
    add(
        "fanline.ws.ping",
        "ping",
        "Asks for a sign of life.",
        request("WsPing", "ping").build(),
        json!({ "op": "ping", "id": 8 }),
    );
}

fn answers(parts: &mut Parts) {
    let mut add = |key: &str, title: &str, summary: &str, payload: Value, example: Value| {
        parts.message(Message::new(key, title, summary, payload).example(example));
    };
    add(
        "fanline.ws.authOk",
        "ok (auth)",
        "The token is good.",
        request("WsAuthOk", "ok").field("expires_in", whole(), "Seconds until it ends.").build(),
        json!({ "op": "ok", "id": 1, "expires_in": 3600 }),
    );
    add(
        "fanline.ws.joinOk",
        "ok (join)",
        "The connection is in the channel.",
        start(channel(request("WsJoinOk", "ok")).field(
            "position",
            reference(POSITION),
            "The first event that follows is the next after this.",
        ))
        .build(),
        json!({ "op": "ok", "id": 2, "channel": "chat:lobby", "position": SOME_POSITION, "recovered": true }),
    );
    add(
        "fanline.ws.leaveOk",
        "ok (leave)",
        "The connection has left the channel.",
        channel(request("WsLeaveOk", "ok")).build(),
        json!({ "op": "ok", "id": 3, "channel": "chat:lobby" }),
    );
    add(
        "fanline.ws.publishOk",
        "ok (publish)",
        "The event is in history and on its way.",
        operations::published(channel(request("WsPublishOk", "ok"))).build(),
        json!({
            "op": "ok", "id": 4, "channel": "chat:lobby", "event_id": SOME_CONNECTION, "position": SOME_POSITION,
        }),
    );
    add(
        "fanline.ws.reply",
        "reply",
        "What the backend answers.",
        operations::reply(request("WsReply", "reply")).build(),
        json!({ "op": "reply", "id": 5, "data": { "renamed": true } }),
    );
    add(
        "fanline.ws.presenceOk",
        "ok (presence)",
        "The members of the channel.",
        operations::members(channel(request("WsPresenceOk", "ok"))).build(),
        json!({
            "op": "ok", "id": 6, "channel": "chat:lobby",
            "members": [{ "connection": SOME_CONNECTION, "user": "u42", "info": { "name": "Ada" }, "joined_at": SOME_TIME }],
        }),
    );
    add(
        "fanline.ws.historyOk",
        "ok (history)",
        "A page of history.",
        operations::page(channel(request("WsHistoryOk", "ok"))).build(),
        json!({ "op": "ok", "id": 7, "channel": "chat:lobby", "events": [], "position": SOME_POSITION }),
    );
    add(
        "fanline.ws.pong",
        "pong",
        "A sign of life.",
        request("WsPong", "pong").build(),
        json!({ "op": "pong", "id": 8 }),
    );
    add(
        "fanline.ws.error",
        "error",
        "A request failed; the connection stays open.",
        refused("error"),
        json!({
            "op": "error", "id": 4, "reason": "RATE_LIMITED", "message": "too many operations", "retry_after_ms": 250,
        }),
    );
}

fn pushes(parts: &mut Parts) {
    let push = |title: &str, op: &str| Object::new(title).field("op", constant(op), "");
    let mut add = |key: &str, title: &str, summary: &str, payload: Value, example: Value| {
        parts.message(Message::new(key, title, summary, payload).example(example));
    };
    let starts = start(Object::new("WsStart").field(
        "position",
        reference(POSITION),
        "The first event that follows is the next after this.",
    ));
    add(
        "fanline.ws.welcome",
        "welcome",
        "Once, before anything else.",
        push("WsWelcome", "welcome")
            .field("connection", text(), "The id of the connection.")
            .field("user", text(), "The user of the token; empty: anonymous.")
            .field(
                "ping_interval",
                json!({ "type": "number" }),
                "Seconds between the Pings of the hub, about.",
            )
            .field("expires_in", whole(), "Seconds until the token ends.")
            .field("channels", map_of(starts.build()), "The channels that the token joins at once.")
            .build(),
        json!({
            "op": "welcome", "connection": SOME_CONNECTION, "user": "u42", "ping_interval": 25, "expires_in": 3600,
            "channels": { "user:u42": { "position": SOME_POSITION } },
        }),
    );
    add(
        "fanline.ws.event",
        "event",
        "An event of a channel that the connection is in.",
        push("WsEvent", "event").field("event", reference(EVENT), "").build(),
        json!({ "op": "event", "event": {
            "channel": "chat:lobby", "position": SOME_POSITION, "id": SOME_CONNECTION, "type": "message",
            "time": SOME_TIME, "data": { "text": "hello" }, "user": "u42",
        } }),
    );
    add(
        "fanline.ws.presenceChange",
        "presence",
        "Somebody came or went, where the namespace says `presence`. One of `joined` and `left` is there.",
        channel(push("WsPresenceChange", "presence"))
            .optional("joined", reference(MEMBER), "Who came.")
            .optional("left", reference(MEMBER), "Who went.")
            .build(),
        json!({
            "op": "presence", "channel": "chat:lobby",
            "joined": { "connection": SOME_CONNECTION, "user": "u42", "joined_at": SOME_TIME },
        }),
    );
    add(
        "fanline.ws.gap",
        "gap",
        "Events were lost for good: those after `from`, up to and including `to`.",
        channel(push("WsGap", "gap"))
            .field("from", reference(POSITION), "")
            .field("to", reference(POSITION), "")
            .field("reason", reference(LOSS), "")
            .build(),
        json!({ "op": "gap", "channel": "chat:lobby", "from": "k3Xq9TzB-3", "to": SOME_POSITION, "reason": "trimmed" }),
    );
    add(
        "fanline.ws.joined",
        "joined",
        "The hub put the connection into a channel.",
        channel(push("WsJoined", "joined")).field("position", reference(POSITION), "").build(),
        json!({ "op": "joined", "channel": "chat:lobby", "position": SOME_POSITION }),
    );
    add(
        "fanline.ws.left",
        "left",
        "The hub took the connection out of a channel.",
        channel(push("WsLeft", "left")).field("reason", constant("server"), "").build(),
        json!({ "op": "left", "channel": "chat:lobby", "reason": "server" }),
    );
    add(
        "fanline.ws.expiring",
        "expiring",
        "The token ends soon: refresh it with `auth`, or be closed.",
        push("WsExpiring", "expiring").field("expires_in", whole(), "Seconds until then.").build(),
        json!({ "op": "expiring", "expires_in": 30 }),
    );
    add(
        "fanline.ws.closing",
        "closing",
        "A planned close follows.",
        push("WsClosing", "closing")
            .field("reason", reference(REASON), "")
            .field("reconnect", truth(), "Whether to come back.")
            .optional("retry_after_ms", whole(), "When, in milliseconds.")
            .build(),
        json!({ "op": "closing", "reason": "DRAINING", "reconnect": true, "retry_after_ms": 730 }),
    );
}
