//! Why a command was not carried out: the hub's reasons, and those of the backend.

use crate::limits::{BACKEND_MESSAGE_BYTES, BACKEND_REASON_BYTES};
use crate::{Reason, Refusal};
use std::fmt;
use std::time::Duration;

/// A command that failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CommandError {
    /// The hub has no answer: nobody to ask, no time left, or a limit.
    Hub(Refusal),
    /// The backend's own error, passed on as it is.
    Backend(BackendError),
}

/// An error of a backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackendError {
    code: ErrorCode,
    reason: Box<str>,
    message: Box<str>,
    retry_after: Option<Duration>,
}

/// The canonical codes of RPC errors (google.rpc.Code), by which an edge finds its own status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    missing_docs,
    reason = "the names are those of google.rpc.Code, whose documents explain them"
)]
pub enum ErrorCode {
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl BackendError {
    /// An error by its code, with a reason for programs (none: the name of the code) and a message for people. Both are cut
    /// to their limits; a reason that a program could not compare is left out.
    #[must_use]
    pub fn new(code: ErrorCode, reason: Option<&str>, message: &str) -> Self {
        let is_a_name = |reason: &&str| {
            (1..=BACKEND_REASON_BYTES).contains(&reason.len())
                && reason.bytes().all(|b| matches!(b, 0x21..=0x7e))
        };
        let reason = reason.filter(is_a_name).unwrap_or(code.as_str());
        let end = message.floor_char_boundary(BACKEND_MESSAGE_BYTES);
        BackendError {
            code,
            reason: reason.into(),
            message: message[..end].into(),
            retry_after: None,
        }
    }

    /// Says when a retry makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }
}

impl CommandError {
    /// The reason, for programs: one of ours, or whatever the backend says.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            CommandError::Hub(refusal) => refusal.reason().as_str(),
            CommandError::Backend(error) => &error.reason,
        }
    }

    /// The sentence, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            CommandError::Hub(refusal) => refusal.message(),
            CommandError::Backend(error) => &error.message,
        }
    }

    /// The field of the request that is wrong, when it is one field and the hub found it.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            CommandError::Hub(refusal) => refusal.field(),
            CommandError::Backend(_) => None,
        }
    }

    /// When a retry makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            CommandError::Hub(refusal) => refusal.retry_after(),
            CommandError::Backend(error) => error.retry_after,
        }
    }

    /// Nobody answers the method.
    pub(crate) fn no_handler() -> Self {
        let message = "no backend answers this method";
        CommandError::Hub(Refusal::new(Reason::NoHandler, message).with_field("method"))
    }

    /// The deadline passed, or the backend went away with the command.
    pub(crate) fn timeout(message: &'static str) -> Self {
        CommandError::Hub(Refusal::new(Reason::HandlerTimeout, message))
    }

    /// There is no room for the command or its answer.
    pub(crate) fn limit(message: &'static str) -> Self {
        let refusal = Refusal::new(Reason::LimitExceeded, message);
        CommandError::Hub(refusal.with_retry_after(Duration::from_secs(1)))
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        CommandError::Hub(refusal)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason(), self.message())
    }
}

impl std::error::Error for CommandError {}

impl ErrorCode {
    /// The code of a number of google.rpc.Code. None: OK, which is no error. A number that nobody defined is `UNKNOWN`.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            0 => return None,
            1 => ErrorCode::Cancelled,
            3 => ErrorCode::InvalidArgument,
            4 => ErrorCode::DeadlineExceeded,
            5 => ErrorCode::NotFound,
            6 => ErrorCode::AlreadyExists,
            7 => ErrorCode::PermissionDenied,
            8 => ErrorCode::ResourceExhausted,
            9 => ErrorCode::FailedPrecondition,
            10 => ErrorCode::Aborted,
            11 => ErrorCode::OutOfRange,
            12 => ErrorCode::Unimplemented,
            13 => ErrorCode::Internal,
            14 => ErrorCode::Unavailable,
            15 => ErrorCode::DataLoss,
            16 => ErrorCode::Unauthenticated,
            _ => ErrorCode::Unknown,
        })
    }

    /// The code of a name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        (1..=16).filter_map(ErrorCode::from_number).find(|code| code.as_str() == name)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorCode::Cancelled => "CANCELLED",
            ErrorCode::Unknown => "UNKNOWN",
            ErrorCode::InvalidArgument => "INVALID_ARGUMENT",
            ErrorCode::DeadlineExceeded => "DEADLINE_EXCEEDED",
            ErrorCode::NotFound => "NOT_FOUND",
            ErrorCode::AlreadyExists => "ALREADY_EXISTS",
            ErrorCode::PermissionDenied => "PERMISSION_DENIED",
            ErrorCode::ResourceExhausted => "RESOURCE_EXHAUSTED",
            ErrorCode::FailedPrecondition => "FAILED_PRECONDITION",
            ErrorCode::Aborted => "ABORTED",
            ErrorCode::OutOfRange => "OUT_OF_RANGE",
            ErrorCode::Unimplemented => "UNIMPLEMENTED",
            ErrorCode::Internal => "INTERNAL",
            ErrorCode::Unavailable => "UNAVAILABLE",
            ErrorCode::DataLoss => "DATA_LOSS",
            ErrorCode::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_backends_own_where_a_program_can_compare_it() {
        let reason = |reason| {
            let error = BackendError::new(ErrorCode::Aborted, reason, "no");
            CommandError::Backend(error).reason().to_owned()
        };
        assert_eq!(reason(Some("ROOM_LOCKED")), "ROOM_LOCKED");
        let long = "A".repeat(BACKEND_REASON_BYTES + 1);
        for unfit in [None, Some(""), Some("room locked"), Some("ä"), Some(long.as_str())] {
            assert_eq!(reason(unfit), "ABORTED", "{unfit:?}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_letters() {
        let message = "ä".repeat(BACKEND_MESSAGE_BYTES);
        let error = BackendError::new(ErrorCode::Unknown, None, &message);
        assert_eq!(error.message.len(), BACKEND_MESSAGE_BYTES);
    }
}
