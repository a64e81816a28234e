//! How a request is refused: with its status, or, where a status would stop the client for ever, with a stream that
//! says when to come back.
//!
//! A native `EventSource` takes every answer but 200 as final. It cannot set headers, which is how it is told from the
//! clients that read a status and come back by themselves.

use crate::handshake::stream_head;
use crate::limits::RETRY_MIN;
use crate::message;
use axum::body::Body;
use axum::response::Response;
use fanline_core::Refusal;
use fanline_core::random::Random;
use fanline_edge::http_error::problem;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::time::Duration;

/// The answer to a refused request.
pub(crate) fn refuse(refusal: &Refusal, request: &HeaderMap, random: &Random) -> Response {
    match refusal.retry_after() {
        Some(after) if !request.contains_key(AUTHORIZATION) => come_back(refusal, after, random),
        Some(_) | None => problem(refusal).map(Body::from),
    }
}

/// A stream of one block.
fn come_back(refusal: &Refusal, after: Duration, random: &Random) -> Response {
    let shortest = after.max(RETRY_MIN);
    let mut block = Vec::new();
    message::retry(&mut block, refusal.reason(), random.between(shortest, 2 * shortest));
    stream_head(Body::from(block), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::Reason;
    use http::HeaderValue;

    fn answer(refusal: &Refusal, authorized: bool) -> Response {
        let mut headers = HeaderMap::new();
        if authorized {
            headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        }
        refuse(refusal, &headers, &Random::seeded(1))
    }

    #[test]
    fn overload_is_told_as_a_stream_to_whoever_cannot_read_a_status() {
        let full = Refusal::new(Reason::LimitExceeded, "full").with_retry_after(RETRY_MIN);
        assert_eq!(answer(&full, false).status(), 200);
        assert_eq!(answer(&full, false).headers()["content-type"], "text/event-stream");
        assert_eq!(answer(&full, true).status(), 429);
        assert_eq!(answer(&full, true).headers()["retry-after"], "1");
    }

    #[test]
    fn what_would_not_get_better_keeps_its_status() {
        for (reason, status) in [
            (Reason::InvalidArgument, 400),
            (Reason::TokenExpired, 401),
            (Reason::PermissionDenied, 403),
            // More channels than a request may name.
            (Reason::LimitExceeded, 429),
        ] {
            assert_eq!(answer(&Refusal::new(reason, "no"), false).status(), status);
        }
    }
}
