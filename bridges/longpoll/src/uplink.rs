//! The uplink: the operations of WebSocket rooms, each as a request of its own, with the same fields and the same errors
//! (contract section 7).

pub(crate) mod call;
pub(crate) mod span;
pub(crate) mod ticket;

use crate::call::{Call, read_body};
use crate::openapi::{self, BadBody, NotFound, Problems};
use crate::reply::{json, json_text, respond};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use fanline_core::{Reason, Refusal};
use fanline_edge::Edge;
use fanline_edge::answer::{
    HistoryAnswer, PresenceAnswer, PublishAnswer, close_with_events, write_json,
};
use fanline_edge::request::{self, HistoryFields, PublishFields};
use serde::Deserialize;

/// Publish an event.
///
/// The answer comes once the event is in history and on its way. With `key`, a repetition within the window publishes
/// nothing and is answered like the first. A request is no connection, so that `echo` matters only to polls with the same
/// token on the same node.
#[utoipa::path(
    post, path = "/v1/publish", tag = "uplink", operation_id = "publish",
    request_body = openapi::Publish,
    responses(
        (status = 200, description = "Published", body = openapi::Published),
        (status = 422, description = "The event's data does not match its schema",
            body = openapi::Problem, content_type = "application/problem+json"),
        Problems,
        NotFound,
        BadBody,
    ),
)]
pub(crate) async fn publish(State(edge): State<Edge>, call: Call, body: Body) -> Response {
    let answer = async {
        let body = read_body(body, edge.hub.limits().body_bytes).await?;
        let event = parse::<PublishFields<'_>>(&body)?.check()?;
        let channel = event.channel.clone();
        let published = call.client().publish(event).await?;
        Ok(json(&PublishAnswer::new(&channel, published)))
    };
    respond(&edge, answer.await)
}

/// List the members of a channel.
#[utoipa::path(
    get, path = "/v1/presence", tag = "uplink", operation_id = "presence",
    params(openapi::ChannelParameter),
    responses((status = 200, description = "The members", body = openapi::Presence), Problems, NotFound),
)]
pub(crate) async fn presence(State(edge): State<Edge>, call: Call) -> Response {
    let answer = async {
        let channel = request::channel(call.query().one("channel")?.as_deref())?;
        let members = call.client().members(channel.clone()).await?;
        Ok(json(&PresenceAnswer::new(&channel, &members)))
    };
    respond(&edge, answer.await)
}

/// Read a page of a channel's history.
#[utoipa::path(
    get, path = "/v1/history", tag = "uplink", operation_id = "history",
    params(openapi::HistoryParameters),
    responses((status = 200, description = "The page", body = openapi::History), Problems, NotFound),
)]
pub(crate) async fn history(State(edge): State<Edge>, call: Call) -> Response {
    let answer = async {
        let query = call.query();
        let fields = HistoryFields {
            channel: query.one("channel")?,
            since: query.one("since")?,
            limit: query.number("limit")?,
            reverse: query.flag("reverse")?,
        };
        let (channel, request) = fields.check(edge.hub.limits().writer_bytes)?;
        let history = call.client().history(channel.clone(), request).await?;
        let mut text = Vec::new();
        write_json(&mut text, &HistoryAnswer::new(&channel, &history));
        close_with_events(&mut text, &history.events);
        Ok(json_text(text))
    };
    respond(&edge, answer.await)
}

/// Reads the fields of a body.
fn parse<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, Refusal> {
    let text = str::from_utf8(body)
        .map_err(|_| Refusal::new(Reason::InvalidArgument, "the body is not UTF-8"))?;
    request::read(text)
}
