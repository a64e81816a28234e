//! What requests and answers look like.
//!
//! These types are only descriptions: answers are written by `fanline_edge::answer`, which passes published JSON on byte
//! for byte.
#![expect(dead_code, reason = "descriptions are never built")]

use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// An event to publish.
#[derive(ToSchema)]
pub(crate) struct Publish {
    /// Where to.
    #[schema(example = "chat:lobby", min_length = 1, max_length = 255)]
    channel: String,
    /// The event's type. Default: `message`.
    #[schema(example = "message")]
    r#type: Option<String>,
    /// Any JSON; passed on byte for byte.
    #[schema(example = json!({"text": "hello"}))]
    data: Value,
    /// An idempotency key: publishes once within its window.
    #[schema(max_length = 128)]
    key: Option<String>,
    /// Whether a poll with the same token receives the event too. Default: true.
    echo: Option<bool>,
}

/// Where an event went.
#[derive(ToSchema)]
pub(crate) struct Published {
    channel: String,
    event_id: String,
    /// Opaque; start from it to receive what follows.
    position: String,
    /// True when the key was known: nothing was published now.
    #[schema(required = false)]
    duplicate: Option<bool>,
}

/// A call.
#[derive(ToSchema)]
pub(crate) struct Call {
    /// What to call.
    #[schema(example = "chat.rename")]
    method: String,
    /// The channel that the call is about, if it is about one.
    channel: Option<String>,
    /// Any JSON; handed over byte for byte.
    data: Option<Value>,
    /// An idempotency key: lets a second backend answer when the first went away.
    key: Option<String>,
    /// The trace context (W3C), if not in the header of that name.
    traceparent: Option<String>,
}

/// A backend's reply.
#[derive(ToSchema)]
pub(crate) struct Reply {
    /// The JSON of the backend.
    #[schema(required = false)]
    data: Option<Value>,
    /// With `data_base64` in place of `data`: what it is.
    #[schema(required = false)]
    content_type: Option<String>,
    #[schema(required = false)]
    data_base64: Option<String>,
    /// Further replies follow.
    #[schema(required = false)]
    more: Option<bool>,
}

/// A credential for one request.
#[derive(ToSchema)]
pub(crate) struct Ticket {
    /// What to send as `ticket` in the query.
    ticket: String,
    /// For how many seconds it is good.
    expires_in: u64,
}

/// The members of a channel.
#[derive(ToSchema)]
pub(crate) struct Presence {
    channel: String,
    members: Vec<Member>,
    /// How many there are, when not all are listed.
    #[schema(required = false)]
    total: Option<u64>,
}

/// A connection present in a channel.
#[derive(ToSchema)]
pub(crate) struct Member {
    connection: String,
    /// None: anonymous.
    #[schema(required = false)]
    user: Option<String>,
    /// What its token shows of it.
    #[schema(required = false)]
    info: Option<Value>,
    #[schema(format = DateTime)]
    joined_at: String,
}

/// A page of history.
#[derive(ToSchema)]
pub(crate) struct History {
    channel: String,
    events: Vec<Event>,
    /// The newest position of the channel.
    position: String,
    #[serde(flatten)]
    recovery: Recovery,
    /// There are more in this direction: ask again from the position of the last event.
    #[schema(required = false)]
    more: Option<bool>,
}

/// An event, the same on every transport.
#[derive(ToSchema)]
pub(crate) struct Event {
    channel: String,
    position: String,
    id: String,
    r#type: String,
    #[schema(format = DateTime)]
    time: String,
    /// The published JSON.
    #[schema(required = false)]
    data: Option<Value>,
    /// With `data_base64` in place of `data`: what it is.
    #[schema(required = false)]
    content_type: Option<String>,
    #[schema(required = false)]
    data_base64: Option<String>,
    /// The user who published, when it was a client.
    #[schema(required = false)]
    user: Option<String>,
    #[schema(required = false)]
    headers: Option<BTreeMap<String, String>>,
}

/// Whether everything after an asked position follows.
#[derive(ToSchema)]
pub(crate) struct Recovery {
    /// Present when a position was asked for.
    #[schema(required = false)]
    recovered: Option<bool>,
    /// Why not.
    #[schema(required = false)]
    reason: Option<Loss>,
}

/// Why a position could not be resumed from.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Loss {
    Expired,
    Trimmed,
    EpochChanged,
    Future,
    Invalid,
    NoHistory,
}

/// Where the events of a channel start.
#[derive(ToSchema)]
pub(crate) struct ChannelStart {
    /// The first event that follows is the next after this.
    position: String,
    #[serde(flatten)]
    recovery: Recovery,
}

/// What a poll is answered.
#[derive(ToSchema)]
pub(crate) struct Batch {
    events: Vec<Event>,
    /// What to ask with next.
    cursor: String,
    /// There is more at once: the next poll need not wait.
    more: bool,
    /// Where each channel starts.
    channels: BTreeMap<String, ChannelStart>,
}

/// What was asked for is not in history any more.
#[derive(ToSchema)]
pub(crate) struct LostProblem {
    #[serde(flatten)]
    problem: Problem,
    /// True: the cursor of the request leads nowhere.
    reset: bool,
    /// A cursor from which what history still holds follows.
    oldest: String,
    /// A cursor from which only what comes from now on follows, where something was lost.
    cursor: String,
    /// Where each channel starts with `oldest`, and which of them lost something, and why.
    channels: BTreeMap<String, ChannelStart>,
}

/// A problem document (RFC 9457).
#[derive(ToSchema)]
pub(crate) struct Problem {
    status: u16,
    title: String,
    /// For people.
    detail: String,
    /// For programs.
    reason: String,
    /// The field of the request that is wrong.
    #[schema(required = false)]
    field: Option<String>,
    /// The channel that is at fault, when the request is about several.
    #[schema(required = false)]
    channel: Option<String>,
    /// What exactly is wrong with an event's data.
    #[schema(required = false)]
    violations: Option<Vec<Violation>>,
}

/// What is wrong with an event's data.
#[derive(ToSchema)]
pub(crate) struct Violation {
    /// Which value (JSON Pointer, RFC 6901).
    pointer: String,
    rule: String,
    message: String,
}

/// The refusals that every route has.
#[derive(IntoResponses)]
pub(crate) enum Problems {
    /// A parameter, a field or the body is wrong.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// No token, or one that is not good (any more); `www-authenticate` says which.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// The token does not grant it.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// Too many, or too fast: `retry-after` says when to come back.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// A defect of the hub.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// Not now: `retry-after` says when to come back. Whether a publish happened is not known.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// The refusals of routes that are about something.
#[derive(IntoResponses)]
pub(crate) enum NotFound {
    /// There is no such namespace, or nobody answers the method.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
}

/// The refusals of routes that read a body.
#[derive(IntoResponses)]
pub(crate) enum BadBody {
    /// More bytes than allowed.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
}

/// A channel.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChannelParameter {
    /// Which channel.
    #[param(example = "chat:lobby")]
    channel: String,
}

/// Which page of history.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryParameters {
    /// Of which channel.
    #[param(example = "chat:lobby")]
    channel: String,
    /// Where to start: a position, `earliest` or `last:20`. Default: the beginning, or backward the end.
    since: Option<String>,
    /// Most events.
    limit: Option<u32>,
    /// Newest first.
    reverse: Option<bool>,
}

/// What a poll asks for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PollParameters {
    /// Of which channels; may stand several times.
    #[param(style = Form, explode, min_items = 1)]
    channel: Vec<String>,
    /// The cursor of the last answer. Without one, the answer comes at once.
    cursor: Option<String>,
    /// Without a cursor, where to start: `earliest`, `last:20` or a position. Default: now.
    since: Option<String>,
    /// Seconds to wait for news. Default: 25; more than the hub allows is cut.
    wait: Option<u32>,
    /// Most events; more than the hub allows is cut.
    max: Option<u32>,
}
