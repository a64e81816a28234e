//! Answers to requests that no route takes: RFC 9457 problem documents.
//!
//! Refusals with a reason of their own are made where they happen; this is only the rest.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri, header};
use serde_json::json;

/// Answers 404.
pub(crate) async fn not_found(uri: Uri) -> Response {
    let problem = json!({
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": format!("there is nothing at {}", uri.path()),
    });
    (
        StatusCode::NOT_FOUND,
        [(header::CONTENT_TYPE, "application/problem+json")],
        problem.to_string(),
    )
        .into_response()
}
