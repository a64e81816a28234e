//! Long-polling and the uplink: each route as a channel with a request and its reply (contract sections 6 and 7).

use super::object::{Object, constant, list_of, map_of, reference, text, truth, whole};
use super::operations;
use super::parts::{Action, Message, Operation, Parts};
use super::vocabulary::{
    CHANNEL, EVENT, POSITION, PROBLEM_MESSAGE, SOME_CONNECTION, SOME_POSITION, SOME_TIME, start,
};
use serde_json::{Value, json};

/// A route of the public listener.
struct Route {
    /// The key of its channel.
    channel: &'static str,
    operation: &'static str,
    method: &'static str,
    path: &'static str,
    server: &'static str,
    title: &'static str,
    summary: &'static str,
    query: Option<Value>,
    request: Message,
    reply: Vec<Message>,
}

/// Adds the routes.
pub(super) fn add(parts: &mut Parts) {
    for route in [poll(), publish(), call(), presence(), history(), tickets()] {
        let Route {
            channel,
            operation,
            method,
            path,
            server,
            title,
            summary,
            query,
            request,
            reply,
        } = route;
        let request_key = request.key.clone();
        let mut reply_keys: Vec<String> = reply.iter().map(|message| message.key.clone()).collect();
        reply_keys.push(PROBLEM_MESSAGE.to_owned());
        parts.message(request);
        for message in reply {
            parts.message(message);
        }
        let value = json!({
            "address": path,
            "title": title,
            "summary": summary,
            "servers": [{ "$ref": format!("#/servers/{server}") }],
        });
        let mut binding = json!({ "method": method });
        if let Some(query) = query {
            binding["query"] = query;
        }
        let replies: Vec<&str> = reply_keys.iter().map(String::as_str).collect();
        parts.endpoint(
            channel,
            value,
            &[Operation {
                id: operation,
                action: Action::Receive,
                title,
                summary,
                messages: &[&request_key],
                replies: &replies,
                bindings: Some(json!({ "http": binding })),
            }],
        );
    }
}

/// A request without a body: all that it says is in the query.
fn bodiless(key: &str, title: &str, summary: &str) -> Message {
    Message::new(key, title, summary, json!({ "type": "null" }))
}

fn status(message: Message, status: u16) -> Message {
    message.bindings(json!({ "http": { "statusCode": status } }))
}

fn poll() -> Route {
    let began = start(Object::new("PollChannel"))
        .optional("position", reference(POSITION), "Where the stream of the channel starts.")
        .build();
    let query = Object::new("PollQuery")
        .field("channel", list_of(reference(CHANNEL)), "The channels; the parameter is repeated.")
        .optional(
            "cursor",
            text(),
            "What the poll before answered. Without it: an empty batch and a cursor, at once.",
        )
        .optional("since", text(), "Without a cursor: a position, `earliest`, or `last:N`.")
        .optional("wait", whole(), "Seconds to wait for an event. Default: 25; 0 answers at once.")
        .optional("max", whole(), "Events in the batch, at most. Default: 100.")
        .build();
    let batch = Object::new("PollBatch")
        .field(
            "events",
            list_of(reference(EVENT)),
            "In the order of each channel; none when the time is over.",
        )
        .field("cursor", text(), "For the next poll.")
        .field("more", truth(), "There is more: the next poll answers at once.")
        .field(
            "channels",
            map_of(began.clone()),
            "How the stream of a channel went on, where there is something to say.",
        )
        .build();
    let lost = Object::new("PollLost")
        .field("status", whole(), "410.")
        .optional("title", text(), "The status in words.")
        .field("detail", text(), "What is wrong, for people.")
        .field("reason", constant("POSITION_LOST"), "")
        .optional("field", text(), "What of the request it is about: the cursor.")
        .field("reset", truth(), "True: go on with one of the two cursors.")
        .optional("oldest", text(), "From here on, what history still holds follows.")
        .field("cursor", text(), "From here on, only new events follow.")
        .field("channels", map_of(began), "Of each channel, whether and why it lost its place.")
        .build();
    Route {
        channel: "fanline.poll",
        operation: "longPoll",
        method: "GET",
        path: "/v1/poll",
        server: "longPoll",
        title: "Long-poll",
        summary: "A batch of events, or a wait for the next one.",
        query: Some(query),
        request: bodiless("fanline.poll.request", "Poll", "The cursor says what was seen."),
        reply: vec![
            status(
                Message::new("fanline.poll.batch", "Batch", "What came after the cursor.", batch).example(json!({
                    "events": [{
                        "channel": "chat:lobby", "position": SOME_POSITION, "id": SOME_CONNECTION,
                        "type": "message", "time": SOME_TIME, "data": { "text": "hello" },
                    }],
                    "cursor": SOME_POSITION, "more": false, "channels": { "chat:lobby": { "recovered": true } },
                })),
                200,
            ),
            status(
                Message::new("fanline.poll.lost", "Position lost", "History does not reach back to the cursor.", lost)
                    .example(json!({
                        "status": 410, "title": "Gone", "detail": "history does not reach back to the cursor",
                        "reason": "POSITION_LOST", "field": "cursor", "reset": true, "oldest": "k3Xq9TzB-12",
                        "cursor": SOME_POSITION,
                        "channels": { "chat:lobby": { "position": SOME_POSITION, "recovered": false, "reason": "trimmed" } },
                    })),
                410,
            ),
        ],
    }
}

fn publish() -> Route {
    let body =
        operations::publish(Object::new("UplinkPublish").field("channel", reference(CHANNEL), ""))
            .build();
    let answer = operations::published(Object::new("UplinkPublished").optional(
        "channel",
        reference(CHANNEL),
        "",
    ))
    .build();
    Route {
        channel: "fanline.uplink.publish",
        operation: "uplinkPublish",
        method: "POST",
        path: "/v1/publish",
        server: "uplink",
        title: "Publish an event",
        summary: "Answered once the event is in history and on its way.",
        query: None,
        request: Message::new("fanline.uplink.publish", "Publish", "Publishes an event.", body).example(json!({
            "channel": "chat:lobby", "type": "message", "data": { "text": "hello" }, "key": "a-7",
        })),
        reply: vec![status(
            Message::new("fanline.uplink.published", "Published", "The event is on its way.", answer)
                .example(json!({ "event_id": SOME_CONNECTION, "position": SOME_POSITION })),
            200,
        )],
    }
}

fn call() -> Route {
    let body = operations::call(Object::new("UplinkCall")).build();
    let answer = operations::reply(Object::new("UplinkReply")).build();
    Route {
        channel: "fanline.uplink.call",
        operation: "uplinkCall",
        method: "POST",
        path: "/v1/call",
        server: "uplink",
        title: "Call a backend",
        summary: "The last reply of the backend, or all of them as `application/x-ndjson` when asked for.",
        query: None,
        request: Message::new("fanline.uplink.call", "Call", "Calls a method of a backend.", body)
            .example(json!({ "method": "chat.rename", "channel": "chat:lobby", "data": { "name": "Lobby" } })),
        reply: vec![status(
            Message::new("fanline.uplink.reply", "Reply", "What the backend answers.", answer)
                .example(json!({ "data": { "renamed": true } })),
            200,
        )],
    }
}

fn presence() -> Route {
    let query = Object::new("UplinkPresenceQuery").field("channel", reference(CHANNEL), "").build();
    let answer = operations::members(Object::new("UplinkMembers").optional(
        "channel",
        reference(CHANNEL),
        "",
    ))
    .build();
    Route {
        channel: "fanline.uplink.presence",
        operation: "uplinkPresence",
        method: "GET",
        path: "/v1/presence",
        server: "uplink",
        title: "Ask who is there",
        summary: "The members of a channel at this moment.",
        query: Some(query),
        request: bodiless("fanline.uplink.presence", "Presence", "The channel stands in the query."),
        reply: vec![status(
            Message::new("fanline.uplink.members", "Members", "The members of the channel.", answer).example(json!({
                "members": [{ "connection": SOME_CONNECTION, "user": "u42", "joined_at": SOME_TIME }],
            })),
            200,
        )],
    }
}

fn tickets() -> Route {
    let answer = Object::new("UplinkTicket")
        .field("ticket", text(), "For the query of one request: `?ticket=`.")
        .field("expires_in", whole(), "Seconds until it is good for nothing.")
        .build();
    Route {
        channel: "fanline.uplink.tickets",
        operation: "uplinkTicket",
        method: "POST",
        path: "/v1/tickets",
        server: "uplink",
        title: "Get a ticket",
        summary: "A ticket lets one request in that cannot carry the token, such as a WebSocket from another site.",
        query: None,
        request: bodiless(
            "fanline.uplink.tickets",
            "Ticket request",
            "The token stands in `Authorization`.",
        ),
        reply: vec![status(
            Message::new("fanline.uplink.ticket", "Ticket", "Good once.", answer)
                .example(json!({ "ticket": "p8Jm2vXq0c", "expires_in": 30 })),
            200,
        )],
    }
}

fn history() -> Route {
    let query = operations::history(Object::new("UplinkHistoryQuery").field(
        "channel",
        reference(CHANNEL),
        "",
    ))
    .build();
    let answer =
        operations::page(Object::new("UplinkHistory").optional("channel", reference(CHANNEL), ""))
            .build();
    Route {
        channel: "fanline.uplink.history",
        operation: "uplinkHistory",
        method: "GET",
        path: "/v1/history",
        server: "uplink",
        title: "Read history",
        summary: "A page of what the channel keeps.",
        query: Some(query),
        request: bodiless("fanline.uplink.history", "History", "The channel stands in the query."),
        reply: vec![status(
            Message::new("fanline.uplink.page", "Page", "A page of history.", answer)
                .example(json!({ "events": [], "position": SOME_POSITION })),
            200,
        )],
    }
}
