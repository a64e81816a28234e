//! Answers to requests that no route takes: RFC 9457 problem documents, and to a gRPC client what it can read.
//!
//! Refusals with a reason of their own are made where they happen; this is only the rest.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use fanline_core::{Reason, Refusal};
use fanline_edge::http_error::problem_as;
use http::{HeaderMap, StatusCode, Uri, header};

/// What a gRPC client reads that came to another listener, and shall not try again. Letters that need no escape.
const NOT_GRPC: &str = "this listener does not speak gRPC; the one that does is [grpc] listen of the configuration, \
                        port 50051 by default";
/// UNIMPLEMENTED, by its number.
const UNIMPLEMENTED: &str = "12";

/// Answers 404; a gRPC call, for which that would be a broken connection, with a status of its own.
pub(crate) async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    if content_type.is_some_and(|value| value.starts_with(b"application/grpc")) {
        let head = [
            ("content-type", "application/grpc"),
            ("grpc-status", UNIMPLEMENTED),
            ("grpc-message", NOT_GRPC),
        ];
        return (StatusCode::OK, head).into_response();
    }
    let message = format!("there is nothing at {}", uri.path());
    let refusal = Refusal::new(Reason::UnknownOperation, message);
    problem_as(StatusCode::NOT_FOUND, &refusal).map(Body::from)
}
