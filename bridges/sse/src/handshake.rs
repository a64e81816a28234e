//! The request for a stream: who may open one, decided before there is one.

use crate::accept::{EVENT_STREAM, takes_event_stream};
use crate::overload;
use crate::question::Question;
use crate::stream::Stream;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use fanline_core::connections::Transport;
use fanline_core::{Cursor, Reason, Refusal};
use fanline_edge::cors::cors;
use fanline_edge::edge::Entrance;
use fanline_edge::http_error::{method_not_allowed, problem_as, token_required};
use fanline_edge::{Client, Edge};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use std::net::SocketAddr;

/// Where a stream starts, for those who read headers.
const CURSOR: HeaderName = HeaderName::from_static("fanline-cursor");
/// Asks proxies of one kind not to collect the bytes before they pass them on.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET /v1/sse`. Needs the peer's address as [`ConnectInfo`].
pub fn router(edge: Edge) -> Router {
    let cors = from_fn_with_state(edge.origins.clone(), cors);
    Router::new()
        .route("/v1/sse", get(answer))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(cors)
        .with_state(edge)
}

async fn answer(
    State(edge): State<Edge>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (request, _no_body) = request.into_parts();
    if !takes_event_stream(&request.headers) {
        return not_acceptable(&edge);
    }
    let entrance = match edge.enter_http(peer.ip(), &request).await {
        Ok(entrance) => entrance,
        Err(refusal) => return overload::refuse(&refusal, &request.headers, edge.hub.random()),
    };
    if entrance.identity.is_none() {
        edge.metrics.refused(Reason::Unauthenticated);
        return token_required().map(Body::from);
    }
    match open(&edge, entrance, &request).await {
        Ok((stream, cursor)) => stream_head(Body::new(stream), cursor.as_ref()),
        Err(refusal) => {
            edge.metrics.refused(refusal.reason());
            overload::refuse(&refusal, &request.headers, edge.hub.random())
        }
    }
}

async fn open(
    edge: &Edge,
    entrance: Entrance,
    request: &Parts,
) -> Result<(Stream, Option<Cursor>), Refusal> {
    let Entrance { admitted, identity } = entrance;
    let identity = identity
        .ok_or_else(|| Refusal::new(Reason::Unauthenticated, "the request carries no token"))?;
    let Question { channels, since, named } =
        Question::read(request, &identity, edge.hub.limits())?;
    let id = edge.hub.connection_id();
    let client = Client::new(edge.hub.clone(), id, Transport::Sse, identity);
    let entries = client.join_all(&channels, &since).await?;
    Ok(Stream::new(edge.clone(), client, admitted, entries, named))
}

/// The answer that a stream is the body of.
pub(crate) fn stream_head(body: Body, cursor: Option<&Cursor>) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(cursor) = cursor.and_then(|cursor| HeaderValue::try_from(cursor.to_string()).ok()) {
        headers.insert(CURSOR, cursor);
    }
    response
}

/// 406 says what is spoken here (RFC 9110, section 15.5.7).
fn not_acceptable(edge: &Edge) -> Response {
    let refusal = Refusal::invalid("accept", "here is an event stream: `text/event-stream`");
    edge.metrics.refused(refusal.reason());
    problem_as(StatusCode::NOT_ACCEPTABLE, &refusal).map(Body::from)
}
