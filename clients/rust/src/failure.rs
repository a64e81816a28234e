//! Why a call failed, and whether it may be tried again.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The domain of the hub's own reasons in `google.rpc.ErrorInfo`.
const DOMAIN: &str = "fanline";

/// What is said of something else at the URL of a hub.
const NO_HTTP2: &str =
    "what answers there is no gRPC in plain text; if it is TLS, the URL begins with https://";

/// A call failed: the hub refused it, or the way to the hub is broken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The gRPC status code.
    pub code: Code,
    /// The hub's reason, such as `PERMISSION_DENIED` or `RATE_LIMITED`; `UNREACHABLE` when it is not the hub that says no.
    pub reason: String,
    /// What is wrong, for people; it names the field at fault.
    pub message: String,
    /// How long the hub asks to wait before the next attempt.
    pub retry_after: Option<Duration>,
    retryable: bool,
    /// As it came. All that it says stands above, but for what lies beneath it, such as the error of a connection.
    status: Status,
}

impl Failure {
    /// Whether the same call may succeed later. What this crate retries by itself has been retried already.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The stream ended although the hub had reason to go on.
    pub(crate) fn ended() -> Self {
        Status::unavailable("the hub ended the stream").into()
    }

    /// The hub's answer lacks what the contract says is there.
    pub(crate) fn incomplete(what: &str) -> Self {
        let status = Status::internal(format!("the hub's answer has no {what}"));
        Self { reason: "INTERNAL".to_owned(), retryable: false, ..status.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.status.source()
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
        let retry_after = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
        let is_other = is_no_http2(&status);
        let (reason, retryable) = match info {
            Some(info) => (info.reason, hub_may_relent(status.code(), retry_after)),
            None => ("UNREACHABLE".to_owned(), !is_other && way_may_mend(status.code())),
        };
        let message = if is_other { NO_HTTP2 } else { status.message() }.to_owned();
        Self { code: status.code(), reason, message, retry_after, retryable, status }
    }
}

/// What the hub says is true for a moment only.
fn hub_may_relent(code: Code, retry_after: Option<Duration>) -> bool {
    // A bound that says when there is room again passes by waiting; the others do not.
    let has_room_later = code == Code::ResourceExhausted && retry_after.is_some();
    has_room_later || matches!(code, Code::Unavailable | Code::DeadlineExceeded)
}

/// What is at the URL answers, and not in HTTP/2: the head of its first bytes is no frame that HTTP/2 allows. Who says so is
/// our own side of the connection, which may take a server's alert of TLS for one.
fn is_no_http2(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        let of_http2 = error.downcast_ref::<h2::Error>();
        if of_http2.is_some_and(|error| {
            error.is_library() && error.reason() == Some(h2::Reason::FRAME_SIZE_ERROR)
        }) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The codes that a gRPC library, or a proxy, makes of a connection that is broken, refused or too slow.
fn way_may_mend(code: Code) -> bool {
    matches!(
        code,
        Code::Ok
            | Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use tonic_types::ErrorDetails;

    fn from_hub(code: Code, reason: &str, retry_after: Option<Duration>) -> Failure {
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        if retry_after.is_some() {
            details.set_retry_info(retry_after);
        }
        Status::with_error_details(code, "it is so", details).into()
    }

    #[test]
    fn the_hub_is_asked_again_only_where_time_helps() {
        let second = Some(Duration::from_secs(1));
        let table = [
            (from_hub(Code::Unavailable, "BROKER_UNAVAILABLE", second), true),
            (from_hub(Code::DeadlineExceeded, "HANDLER_TIMEOUT", None), true),
            (from_hub(Code::ResourceExhausted, "RATE_LIMITED", second), true),
            (from_hub(Code::ResourceExhausted, "LIMIT_EXCEEDED", None), false),
            (from_hub(Code::PermissionDenied, "PERMISSION_DENIED", None), false),
            (from_hub(Code::InvalidArgument, "TOO_LARGE", None), false),
            (from_hub(Code::Internal, "INTERNAL", None), false),
        ];
        for (failure, retryable) in table {
            assert_eq!(failure.is_retryable(), retryable, "{failure}");
        }
        assert_eq!(from_hub(Code::ResourceExhausted, "RATE_LIMITED", second).retry_after, second);
    }

    #[test]
    fn a_broken_way_is_tried_again_and_a_wrong_one_is_not() {
        for code in [Code::Unavailable, Code::Unknown, Code::Internal, Code::Cancelled] {
            let failure = Failure::from(Status::new(code, "connection reset"));
            assert!(failure.is_retryable(), "{failure}");
            assert_eq!(failure.reason, "UNREACHABLE");
        }
        // What answers there is no hub of this contract.
        assert!(!Failure::from(Status::unimplemented("no such service")).is_retryable());
        assert!(Failure::ended().is_retryable());
        assert!(!Failure::incomplete("position").is_retryable());
    }
}
