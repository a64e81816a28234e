//! The span of a request of the uplink: until the head of its answer.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use fanline_core::spans::TARGET;
use fanline_core::trace::TRACEPARENT;
use fanline_edge::Edge;
use http::HeaderMap;
use tracing::field::Empty;
use tracing::{Instrument, trace_span};

/// Has a request answered, with its span around that: a child of the client's.
pub(crate) async fn requests(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    // All routes of the uplink are without parameters: the path is the route.
    let (method, route) = (request.method().as_str(), request.uri().path());
    let span = trace_span!(
        target: TARGET,
        "http",
        "otel.name" = format_args!("{method} {route}"),
        "otel.kind" = "server",
        "otel.status_code" = Empty,
        "http.request.method" = method,
        "http.route" = route,
        "http.response.status_code" = Empty,
        "error.type" = Empty,
    );
    if span.is_disabled() {
        return next.run(request).await;
    }
    if let Some(parent) = traceparent(request.headers()).and_then(|text| text.parse().ok()) {
        edge.hub.spans().adopt(&span, &parent);
    }
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_client_error() || status.is_server_error() {
        span.record("error.type", status.as_str());
    }
    // What the client did wrong is no failure of the server (semantic conventions for HTTP, "Status").
    if status.is_server_error() {
        span.record("otel.status_code", "error");
    }
    response
}

/// The trace context of a request.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get(TRACEPARENT)?.to_str().ok()
}
