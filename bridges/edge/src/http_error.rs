//! The HTTP answer to a request that is refused: a problem document (RFC 9457).
//!
//! For what never became a connection; a connection is refused in the words of its own protocol.

use crate::answer::ViolationsView;
use axum::body::Body;
use bytes::Bytes;
use fanline_core::command::{CommandError, ErrorCode};
use fanline_core::{Reason, Refusal};
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;
use std::time::Duration;

/// The answer to a refused request. A 401 says that the token is the fault; for a request without one see
/// [`token_required`].
#[must_use]
pub fn problem(refusal: &Refusal) -> Response<Bytes> {
    problem_with(refusal, &())
}

/// The same with more members, which `members` has as an object: what programs need besides the reason.
#[must_use]
pub fn problem_with(refusal: &Refusal, members: &impl Serialize) -> Response<Bytes> {
    let mut response = answer(http_status(refusal.reason()), refusal, members);
    // RFC 6750, section 3: the fault of a token is named, so that a client knows to get a new one.
    challenge(&mut response, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    response
}

/// The same with a status of HTTP's own, where that says more than the one of the reason.
#[must_use]
pub fn problem_as(status: StatusCode, refusal: &Refusal) -> Response<Bytes> {
    answer(status, refusal, &())
}

/// The answer to a method that a route does not know. For `axum::Router::method_not_allowed_fallback`, which adds `allow`.
pub async fn method_not_allowed(method: Method) -> Response<Body> {
    let message = format!("this is not there for {method}; the header `allow` says for what it is");
    let refusal = Refusal::new(Reason::UnknownOperation, message);
    problem_as(StatusCode::METHOD_NOT_ALLOWED, &refusal).map(Body::from)
}

/// The answer to a request that carries no token where one is needed.
#[must_use]
pub fn token_required() -> Response<Bytes> {
    let refusal = Refusal::new(Reason::Unauthenticated, "the request carries no token");
    let mut response = answer(http_status(refusal.reason()), &refusal, &());
    // RFC 6750, section 3.1: without a token in the request, no error is named.
    challenge(&mut response, HeaderValue::from_static("Bearer"));
    response
}

/// The status of a reason (contract section 8).
#[must_use]
pub fn http_status(reason: Reason) -> StatusCode {
    match reason {
        Reason::InvalidArgument | Reason::InvalidChannel | Reason::UnknownOperation => {
            StatusCode::BAD_REQUEST
        }
        Reason::SchemaViolation => StatusCode::UNPROCESSABLE_ENTITY,
        Reason::Unauthenticated | Reason::TokenExpired | Reason::TokenRevoked => {
            StatusCode::UNAUTHORIZED
        }
        Reason::PermissionDenied | Reason::OriginDenied | Reason::Disconnected => {
            StatusCode::FORBIDDEN
        }
        Reason::UnknownNamespace | Reason::UnknownEventType | Reason::NoHandler => {
            StatusCode::NOT_FOUND
        }
        Reason::AlreadyJoined | Reason::NotJoined => StatusCode::CONFLICT,
        Reason::PositionLost => StatusCode::GONE,
        Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::LimitExceeded | Reason::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Reason::HandlerTimeout => StatusCode::GATEWAY_TIMEOUT,
        Reason::HandlerUnavailable | Reason::BrokerUnavailable | Reason::Draining => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Reason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer to a call that failed: ours, or the backend's error with the HTTP status of its code.
#[must_use]
pub fn call_problem(error: &CommandError) -> Response<Bytes> {
    match error {
        CommandError::Hub(refusal) => problem(refusal),
        CommandError::Backend(backend) => {
            let status = backend_status(backend.code());
            let problem = Problem {
                status: status.as_u16(),
                title: status.canonical_reason(),
                detail: error.message(),
                reason: error.reason(),
                field: None,
                channel: None,
                violations: ViolationsView(&[]),
                members: &(),
            };
            respond(status, &problem, error.retry_after())
        }
    }
}

/// The HTTP status of a backend's code, as google.rpc.Code maps them. A backend that finds its caller not authenticated is
/// 403 here: 401 asks for another token of the hub, which would not help.
fn backend_status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidArgument | ErrorCode::FailedPrecondition | ErrorCode::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::PermissionDenied | ErrorCode::Unauthenticated => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::AlreadyExists | ErrorCode::Aborted => StatusCode::CONFLICT,
        ErrorCode::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Cancelled | ErrorCode::Unknown | ErrorCode::Internal | ErrorCode::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// The body. Without a `type` it is `about:blank`, whose title is the status in words (RFC 9457, section 4.2.1).
#[derive(Serialize)]
struct Problem<'a, T> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    detail: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "ViolationsView::is_empty")]
    violations: ViolationsView<'a>,
    #[serde(flatten)]
    members: &'a T,
}

fn answer(status: StatusCode, refusal: &Refusal, members: &impl Serialize) -> Response<Bytes> {
    let problem = Problem {
        status: status.as_u16(),
        title: status.canonical_reason(),
        detail: refusal.message(),
        reason: refusal.reason().as_str(),
        field: refusal.field(),
        channel: refusal.channel(),
        violations: ViolationsView(refusal.violations()),
        members,
    };
    respond(status, &problem, refusal.retry_after())
}

/// Says how to authenticate, where that is what is missing.
fn challenge(response: &mut Response<Bytes>, challenge: HeaderValue) {
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
}

fn respond(
    status: StatusCode,
    problem: &Problem<'_, impl Serialize>,
    retry_after: Option<Duration>,
) -> Response<Bytes> {
    let body = serde_json::to_vec(problem).expect("our messages have string keys");

    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(after) = retry_after {
        // Whole seconds are all that the header knows; rounded down, a client would come too early.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::command::BackendError;

    fn body(response: &Response<Bytes>) -> serde_json::Value {
        serde_json::from_slice(response.body()).unwrap()
    }

    #[test]
    fn a_problem_names_reason_and_remedy() {
        let refusal = Refusal::new(Reason::RateLimited, "slow down")
            .with_retry_after(Duration::from_millis(1001));
        let response = problem(&refusal);
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "2");
        assert!(!response.headers().contains_key("www-authenticate"));
        let expected = serde_json::json!({
            "status": 429, "title": "Too Many Requests", "detail": "slow down", "reason": "RATE_LIMITED",
        });
        assert_eq!(body(&response), expected);
    }

    #[test]
    fn a_bad_token_is_challenged_as_such_and_a_missing_one_is_not() {
        for reason in [Reason::Unauthenticated, Reason::TokenExpired] {
            let response = problem(&Refusal::new(reason, "no"));
            assert_eq!(response.status(), 401);
            assert_eq!(response.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
        }
        let response = token_required();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(body(&response)["reason"], "UNAUTHENTICATED");
    }

    #[test]
    fn the_status_in_a_problem_is_that_of_its_answer() {
        let refusal = Refusal::invalid("accept", "no");
        let response = problem_as(StatusCode::NOT_ACCEPTABLE, &refusal);
        let found = (response.status().as_u16(), &body(&response)["status"]);
        assert_eq!(found, (406, &serde_json::json!(406)));
        assert_eq!(body(&response)["title"], "Not Acceptable");
        assert_eq!(body(&response)["reason"], "INVALID_ARGUMENT");
    }

    #[test]
    fn the_field_at_fault_is_named_and_nothing_is_said_of_a_retry_that_would_not_help() {
        let response = problem(&Refusal::invalid("channel", "a \"quoted\" fault"));
        assert_eq!(response.status(), 400);
        assert!(!response.headers().contains_key("retry-after"));
        assert_eq!(body(&response)["field"], "channel");
        assert_eq!(body(&response)["detail"], "a \"quoted\" fault");
    }

    #[test]
    fn a_backends_error_has_the_status_of_its_code_and_its_own_reason() {
        let error = BackendError::new(ErrorCode::Aborted, Some("ROOM_LOCKED"), "it is locked");
        let error = CommandError::Backend(error.with_retry_after(Duration::from_secs(3)));
        let response = call_problem(&error);
        assert_eq!(response.status(), 409);
        assert_eq!(response.headers()["retry-after"], "3");
        assert_eq!(body(&response)["reason"], "ROOM_LOCKED");
        assert_eq!(body(&response)["detail"], "it is locked");

        let error = BackendError::new(ErrorCode::Unauthenticated, None, "who are you?");
        let response = call_problem(&CommandError::Backend(error));
        assert_eq!(response.status(), 403, "another token would not help");
        assert!(!response.headers().contains_key("www-authenticate"));
    }

    #[test]
    fn a_status_asks_for_a_retry_exactly_where_the_reason_does() {
        for reason in Reason::ALL {
            let status = http_status(reason);
            let asks = [429, 503, 504].contains(&status.as_u16());
            assert_eq!(asks, reason.is_retryable(), "{reason}");
            assert!(status.is_client_error() || status.is_server_error());
        }
    }
}
