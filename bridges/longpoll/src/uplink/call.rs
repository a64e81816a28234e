//! `POST /v1/call`: a command, answered by its last reply, or by all of them as they come.

use super::parse;
use super::span::traceparent;
use crate::call::{Call, read_body};
use crate::openapi::{self, BadBody, NotFound, Problems};
use crate::reply::{json, respond};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use fanline_core::Refusal;
use fanline_core::command::{self, CommandError, Reply};
use fanline_edge::Edge;
use fanline_edge::answer::{CallAnswer, write_json};
use fanline_edge::http_error::call_problem;
use fanline_edge::request::CallFields;
use futures_util::stream;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use std::borrow::Cow;
use std::convert::Infallible;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Span;

/// All replies, a line each (<https://github.com/ndjson/ndjson-spec>).
const NDJSON: &str = "application/x-ndjson";

/// Call a method that a backend answers.
///
/// The answer is the last reply. With `accept: application/x-ndjson` it is every reply, a line each, as soon as it comes;
/// a call that fails after its first reply ends with a line that is a problem document. A request is no connection, so
/// that channels which the backend joins or leaves are ignored.
#[utoipa::path(
    post, path = "/v1/call", tag = "uplink", operation_id = "call",
    request_body = openapi::Call,
    responses(
        (status = 200, description = "The answer", content(
            (openapi::Reply = "application/json"),
            (openapi::Reply = "application/x-ndjson"),
        )),
        (status = 409, description = "The backend's own error, as those of 5xx",
            body = openapi::Problem, content_type = "application/problem+json"),
        (status = 501, description = "The backend's own error",
            body = openapi::Problem, content_type = "application/problem+json"),
        (status = 504, description = "No backend answered in time",
            body = openapi::Problem, content_type = "application/problem+json"),
        Problems,
        NotFound,
        BadBody,
    ),
)]
pub(crate) async fn call(State(edge): State<Edge>, call: Call, body: Body) -> Response {
    let wants_all = accepts_ndjson(&call.headers);
    let mut under_way = match begin(&edge, &call, body).await {
        Ok(under_way) => under_way,
        Err(refusal) => return respond(&edge, Err(refusal)),
    };
    // Known before the head is sent: a call that has no answer at all is refused with its status.
    let first = match under_way.next().await {
        Ok(reply) => reply,
        Err(error) => return under_way.refuse(&error),
    };
    if wants_all {
        return under_way.lines(first);
    }
    let mut last = first;
    while last.more {
        last = match under_way.next().await {
            Ok(reply) => reply,
            Err(error) => return under_way.refuse(&error),
        };
    }
    json(&CallAnswer::new(&Reply { more: false, ..last }))
}

async fn begin(edge: &Edge, call: &Call, body: Body) -> Result<UnderWay, Refusal> {
    let body = read_body(body, edge.hub.limits().body_bytes).await?;
    let mut asked = parse::<CallFields<'_>>(&body)?;
    let header = traceparent(&call.headers);
    let has_its_own = asked.traceparent.is_some();
    asked.traceparent = asked.traceparent.or(header.map(Cow::Borrowed));
    let permit = call.caller.begin_call()?;
    let mut asked = asked.check()?;
    if !has_its_own {
        asked.trace = edge.hub.spans().context(&Span::current()).or(asked.trace);
    }
    let call = call.client().call(asked).await?;
    Ok(UnderWay { edge: edge.clone(), call, _permit: permit })
}

/// A call that the client waits for.
struct UnderWay {
    edge: Edge,
    call: command::Call,
    _permit: OwnedSemaphorePermit,
}

impl UnderWay {
    async fn next(&mut self) -> Result<Reply, CommandError> {
        let silent = || {
            let refusal = Refusal::new(fanline_core::Reason::Internal, "the call ended in silence");
            CommandError::Hub(refusal)
        };
        self.call.next().await.unwrap_or_else(|| Err(silent()))
    }

    fn refuse(&self, error: &CommandError) -> Response {
        if let CommandError::Hub(refusal) = error {
            self.edge.metrics.refused(refusal.reason());
        }
        call_problem(error).map(Body::from)
    }

    fn lines(self, first: Reply) -> Response {
        let more = first.more;
        let head = (Some(self), more, Some(line(&CallAnswer::new(&first))));
        let lines = stream::unfold(head, |(under_way, more, ready)| async move {
            if let Some(line) = ready {
                return Some((Ok::<_, Infallible>(line), (under_way, more, None)));
            }
            let mut under_way = under_way.filter(|_| more)?;
            Some(match under_way.next().await {
                Ok(reply) => {
                    (Ok(line(&CallAnswer::new(&reply))), (Some(under_way), reply.more, None))
                }
                Err(error) => {
                    let mut problem = call_problem(&error).into_body().to_vec();
                    problem.push(b'\n');
                    (Ok(problem.into()), (None, false, None))
                }
            })
        });
        let mut response = json(&());
        *response.body_mut() = Body::from_stream(lines);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
        response
    }
}

fn line(answer: &CallAnswer<'_>) -> Bytes {
    let mut text = Vec::new();
    write_json(&mut text, answer);
    text.push(b'\n');
    text.into()
}

fn accepts_ndjson(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|range| {
        range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(NDJSON))
    })
}
