//! Answers: JSON, or a problem document.

use axum::body::Body;
use axum::response::Response;
use fanline_core::Refusal;
use fanline_edge::Edge;
use fanline_edge::answer::write_json;
use fanline_edge::http_error::problem;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use serde::Serialize;

/// A JSON text as the answer. It belongs to whoever asked: no cache may keep it or hand it to another.
pub(crate) fn json_text(text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("authorization, cookie"));
    response
}

/// A message as the answer.
pub(crate) fn json(message: &impl Serialize) -> Response {
    let mut text = Vec::new();
    write_json(&mut text, message);
    json_text(text)
}

/// The answer, or the refusal, which is counted.
pub(crate) fn respond(edge: &Edge, answer: Result<Response, Refusal>) -> Response {
    answer.unwrap_or_else(|refusal| {
        edge.metrics.refused(refusal.reason());
        problem(&refusal).map(Body::from)
    })
}
