//! The fields of what a client may ask, and of the answers: the same over a WebSocket and over HTTP (contract section 7).

use super::object::{Object, anything, list_of, reference, text, truth, whole};
use super::vocabulary::{CHANNEL, EVENT, MEMBER, POSITION, SOME_POSITION, start};
use fanline_core::limits::IDEMPOTENCY_KEY_BYTES;
use serde_json::{Value, json};

pub(super) fn publish(object: Object) -> Object {
    object
        .optional("type", text(), "The type of the event. Default: `message`.")
        .field("data", anything(), "Any JSON; what the schema of the type asks for.")
        .optional(
            "key",
            key(),
            "The idempotency key: the same one within its window publishes once.",
        )
}

pub(super) fn published(object: Object) -> Object {
    object
        .field("event_id", text(), "The id of the event.")
        .field("position", reference(POSITION), "Its place in the channel.")
        .optional("duplicate", truth(), "The key was used before: this is the first answer, again.")
}

pub(super) fn call(object: Object) -> Object {
    object
        .field("method", text(), "The method, such as `chat.rename`.")
        .optional("channel", reference(CHANNEL), "The channel that it is about.")
        .optional("data", anything(), "The argument, any JSON.")
        .optional("key", key(), "The idempotency key that the backend is given.")
}

pub(super) fn reply(object: Object) -> Object {
    object
        .optional("data", anything(), "What the backend answers, any JSON.")
        .optional("content_type", text(), "What the answer is, when it is not JSON.")
        .optional("data_base64", base64(), "An answer that is not JSON; then there is no `data`.")
        .optional("more", truth(), "Further parts of the answer follow.")
}

pub(super) fn members(object: Object) -> Object {
    object.field("members", list_of(reference(MEMBER)), "One for each connection.").optional(
        "total",
        whole(),
        "How many there are, when they are more than listed.",
    )
}

pub(super) fn history(object: Object) -> Object {
    object
        .optional("since", since(), "Where the page starts: a position, `earliest`, or `last:N`.")
        .optional("limit", whole(), "Events on the page, at most.")
        .optional("reverse", truth(), "Newest first.")
}

pub(super) fn page(object: Object) -> Object {
    start(
        object
            .field("events", list_of(reference(EVENT)), "In the order of the page.")
            .field("position", reference(POSITION), "The newest position of the channel.")
            .optional("more", truth(), "There is more in the direction of the page."),
    )
}

pub(super) fn since() -> Value {
    json!({ "type": "string", "examples": [SOME_POSITION, "earliest", "last:20"] })
}

pub(super) fn base64() -> Value {
    json!({ "type": "string", "contentEncoding": "base64" })
}

fn key() -> Value {
    json!({ "type": "string", "maxLength": IDEMPOTENCY_KEY_BYTES })
}
