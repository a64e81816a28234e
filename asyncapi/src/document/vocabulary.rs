//! What all transports speak of: the event object, positions, members, reasons, and the body of a refused request.

use super::facts::HubFacts;
use super::object::{Object, anything, constant, list_of, map_of, reference, text, truth, whole};
use super::parts::{Message, Parts};
use fanline_core::catchup::LossReason;
use fanline_core::limits::CHANNEL_NAME_BYTES;
use serde_json::{Value, json};

pub(super) const CHANNEL: &str = "fanline.ChannelName";
pub(super) const EVENT: &str = "fanline.Event";
pub(super) const LOSS: &str = "fanline.LossReason";
pub(super) const MEMBER: &str = "fanline.Member";
pub(super) const POSITION: &str = "fanline.Position";
pub(super) const PROBLEM: &str = "fanline.Problem";
pub(super) const REASON: &str = "fanline.Reason";
pub(super) const REQUEST_ID: &str = "fanline.RequestId";
pub(super) const VIOLATION: &str = "fanline.Violation";

/// The message of a refused HTTP request.
pub(super) const PROBLEM_MESSAGE: &str = "fanline.problem";

/// Examples that appear in several places and should agree.
pub(super) const SOME_CONNECTION: &str = "01991e2a-6c00-7000-8000-3f1d2c4b5a69";
pub(super) const SOME_POSITION: &str = "k3Xq9TzB-41";
pub(super) const SOME_TIME: &str = "2026-11-24T09:30:00.123Z";

/// Adds the schemas.
pub(super) fn add(parts: &mut Parts, facts: &HubFacts) {
    parts.schema(
        CHANNEL,
        json!({
            "title": "ChannelName",
            "type": "string",
            "description": "`namespace:rest`; without a colon it is in the namespace `default`. Printable ASCII without \
                            space, `\"`, `\\`, `*`, `{` and `}`.",
            "minLength": 1,
            "maxLength": CHANNEL_NAME_BYTES,
        }),
    );
    parts.schema(
        POSITION,
        json!({
            "title": "Position",
            "type": "string",
            "description": "A place in a channel. Opaque to clients: keep it, and give it back to go on after it.",
            "pattern": "^[A-Za-z0-9]+-[0-9]+$",
        }),
    );
    parts.schema(
        REQUEST_ID,
        json!({
            "title": "RequestId",
            "type": ["integer", "number", "string"],
            "description": "Chosen by the client; comes back in the answer.",
        }),
    );
    parts.schema(REASON, reasons(facts));
    parts.schema(LOSS, losses());
    parts.schema(MEMBER, member());
    parts.schema(EVENT, event_object("Event", anything(), text(), None));
    parts.schema(VIOLATION, violation());
    parts.schema(PROBLEM, problem());
    parts.message(
        Message::new(
            PROBLEM_MESSAGE,
            "Problem",
            "The request is refused; the HTTP status is in `status`.",
            reference(PROBLEM),
        )
        .example(json!({
            "status": 403, "title": "Forbidden", "detail": "the token does not let you publish in `chat:lobby`",
            "reason": "PERMISSION_DENIED",
        })),
    );
}

/// The event object, the same JSON on every transport: what a reader looks for first, then the envelope.
pub(super) fn event_object(
    title: &str,
    data: Value,
    kind: Value,
    description: Option<&str>,
) -> Value {
    let mut object = Object::new(title).field("type", kind, "The type of the event.");
    // Data that is not JSON is the exception of events that no catalog describes.
    let described = description.is_some();
    object = if described {
        object.field("data", data, "")
    } else {
        object
            .optional("data", data, "What was published, byte for byte.")
            .optional("content_type", text(), "What the data is, when it is not JSON.")
            .optional(
                "data_base64",
                json!({ "type": "string", "contentEncoding": "base64" }),
                "Data that is not JSON; then there is no `data`.",
            )
    };
    let mut schema = object
        .field("channel", reference(CHANNEL), "The channel it was published in.")
        .field("position", reference(POSITION), "Its place in the channel.")
        .field("id", text(), "The id of the event, the same for everybody who receives it.")
        .field("time", json!({ "type": "string", "format": "date-time" }), "When the hub took it.")
        .optional("user", text(), "The user who published it, when it was a client.")
        .optional("headers", map_of(text()), "What its publisher added beside the data.")
        .build();
    if let Some(description) = description {
        schema["description"] = description.into();
    }
    schema
}

fn member() -> Value {
    Object::new("Member")
        .field("connection", text(), "The id of the connection.")
        .optional("user", text(), "Its user; missing when it is anonymous.")
        .optional("info", anything(), "What its token says to show.")
        .field(
            "joined_at",
            json!({ "type": "string", "format": "date-time" }),
            "When it joined the channel.",
        )
        .build()
}

fn violation() -> Value {
    Object::new("Violation")
        .field("pointer", text(), "Where in the data: a JSON pointer; empty is the whole.")
        .field("rule", text(), "The rule of the schema that is broken.")
        .field("message", text(), "What is wrong, for people.")
        .build()
}

/// The body of a refused HTTP request (RFC 9457).
fn problem() -> Value {
    Object::new("Problem")
        .field("status", whole(), "The HTTP status.")
        .optional("title", text(), "The status in words.")
        .field("detail", text(), "What is wrong, for people.")
        .field("reason", reference(REASON), "What is wrong, for programs.")
        .optional("field", text(), "The field of the request that is wrong.")
        .optional("channel", text(), "The channel at fault, when the request is about several.")
        .optional(
            "violations",
            list_of(reference(VIOLATION)),
            "What the schema of the event finds, with `SCHEMA_VIOLATION`.",
        )
        .build()
}

/// What an `error` frame and a problem share is said by the same words.
pub(super) fn refused(op: &str) -> Value {
    Object::new("WsError")
        .field("op", constant(op), "")
        .optional("id", reference(REQUEST_ID), "The request that failed, where it could be read.")
        .field("reason", reference(REASON), "What is wrong, for programs.")
        .field("message", text(), "What is wrong, for people.")
        .optional("field", text(), "The field of the request that is wrong.")
        .optional(
            "violations",
            list_of(reference(VIOLATION)),
            "What the schema of the event finds, with `SCHEMA_VIOLATION`.",
        )
        .optional("retry_after_ms", whole(), "When a retry makes sense, in milliseconds.")
        .build()
}

fn reasons(facts: &HubFacts) -> Value {
    let names: Vec<_> = facts.reasons.iter().map(|reason| reason.name).collect();
    json!({
        "title": "Reason",
        "type": "string",
        "description": "Why something was refused: the same names on every transport.",
        "enum": names,
    })
}

fn losses() -> Value {
    let names: Vec<_> = LossReason::ALL.iter().map(|reason| reason.as_str()).collect();
    let about: Vec<_> = LossReason::ALL
        .iter()
        .map(|reason| format!("`{}`: {}", reason.as_str(), reason.about()))
        .collect();
    json!({
        "title": "LossReason",
        "type": "string",
        "description": about.join(" "),
        "enum": names,
    })
}

/// Where a stream starts, as answers to a join, an open stream and a poll tell it.
pub(super) fn start(object: Object) -> Object {
    object
        .optional(
            "recovered",
            truth(),
            "Present when a position was asked for. True: everything after it follows. False: `reason` says why not.",
        )
        .optional("reason", reference(LOSS), "Why it could not be resumed from.")
}
