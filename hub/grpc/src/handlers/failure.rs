//! Why a call of a handler came to nothing, and what follows from it.

use crate::convert_command as convert;
use fanline_core::command::{BackendError, CommandError, ErrorCode};
use fanline_core::{Reason, Refusal};
use std::error::Error;
use std::iter::successors;
use std::time::Duration;
use tonic::{Code, ConnectError, Status};
use tonic_types::pb;
use tower::BoxError;
use tower::timeout::error::Elapsed;

/// When a client may ask again whose command found no connection.
const RETRY_UNREACHABLE: Duration = Duration::from_secs(1);

/// A call that came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection: the handler was not asked.
    Unreachable(Status),
    /// The circuit breaker is open for so long: the handler was not asked.
    Paused(Duration),
    /// The connection broke while the handler had the command.
    Lost(Status),
    /// No answer in time.
    TimedOut,
    /// The handler's own error.
    Told(Status),
}

impl Failure {
    /// What a status means: the client half of gRPC makes its own for what it finds itself, with the cause behind it.
    pub(super) fn of_status(status: Status) -> Self {
        let mut causes = successors(status.source(), |&cause| Error::source(cause));
        if causes.any(|cause| cause.is::<ConnectError>()) {
            return Failure::Unreachable(status);
        }
        // The deadline travels with the call: whichever side sees it pass says so, each in its own words.
        if matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled) {
            return Failure::TimedOut;
        }
        if status.source().is_some() { Failure::Lost(status) } else { Failure::Told(status) }
    }

    /// What the timeout layer gives back: its own error, or one that passed through it.
    pub(super) fn of_layer(error: BoxError) -> Self {
        match error.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(error) if error.is::<Elapsed>() => Failure::TimedOut,
            Err(error) => Failure::Lost(Status::from_error(error)),
        }
    }

    /// Whether it speaks of the handler's health, and not of one command.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Failure::Unreachable(_) | Failure::Lost(_) | Failure::TimedOut => true,
            Failure::Told(status) => status.code() == Code::Unavailable,
            Failure::Paused(_) => false,
        }
    }

    /// Whether a second try may help and cannot carry the command out twice. With a key the handler sees that it was asked
    /// before. A handler that is slow is not given more to do.
    pub(super) fn may_retry(&self, has_key: bool) -> bool {
        match self {
            Failure::Unreachable(_) => true,
            Failure::Lost(_) => has_key,
            Failure::Told(status) => has_key && status.code() == Code::Unavailable,
            Failure::Paused(_) | Failure::TimedOut => false,
        }
    }

    /// What the client is told.
    pub(super) fn told_to_client(&self) -> CommandError {
        let refusal = match self {
            Failure::Unreachable(_) => {
                Refusal::new(Reason::HandlerUnavailable, "the backend cannot be reached")
                    .with_retry_after(RETRY_UNREACHABLE)
            }
            Failure::Paused(left) => {
                let message = "the backend failed several times and is given a pause";
                Refusal::new(Reason::HandlerUnavailable, message).with_retry_after(*left)
            }
            Failure::Lost(_) => {
                let message =
                    "the backend went away; whether the command was carried out is not known";
                Refusal::new(Reason::HandlerTimeout, message)
            }
            Failure::TimedOut => {
                let message = "the backend did not answer in time; whether the command was carried out is not known";
                Refusal::new(Reason::HandlerTimeout, message)
            }
            Failure::Told(status) => return CommandError::Backend(backend_error(status)),
        };
        refusal.into()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Unreachable(status) => {
                // The status says only that connecting failed; the end of the chain says why.
                let cause = successors(status.source(), |&cause| Error::source(cause)).last();
                match cause {
                    Some(cause) => write!(f, "no connection: {cause}"),
                    None => f.write_str("no connection"),
                }
            }
            Failure::Paused(left) => write!(f, "paused for {left:?}"),
            Failure::Lost(status) => write!(f, "the connection broke: {}", status.message()),
            Failure::TimedOut => f.write_str("no answer in time"),
            Failure::Told(status) => write!(f, "{:?}: {}", status.code(), status.message()),
        }
    }
}

impl Error for Failure {}

fn backend_error(status: &Status) -> BackendError {
    // Details that are no google.rpc.Status are left out, like those of a peer that sends none.
    let details: pb::Status = prost::Message::decode(status.details()).unwrap_or_default();
    let status = pb::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: details.details,
    };
    convert::error(&status)
        .unwrap_or_else(|| BackendError::new(ErrorCode::Unknown, None, &status.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connecting() -> Status {
        Status::from_error(Box::new(ConnectError("refused".into())))
    }

    fn broken() -> Status {
        Status::from_error(Box::new(std::io::Error::other("reset")))
    }

    #[test]
    fn a_client_is_told_what_is_known_of_its_command() {
        let table = [
            (Failure::of_status(connecting()), "HANDLER_UNAVAILABLE"),
            (Failure::Paused(Duration::from_secs(2)), "HANDLER_UNAVAILABLE"),
            (Failure::of_status(broken()), "HANDLER_TIMEOUT"),
            (Failure::of_status(Status::deadline_exceeded("")), "HANDLER_TIMEOUT"),
            (Failure::of_layer(Box::new(Elapsed::new())), "HANDLER_TIMEOUT"),
            (Failure::of_layer(Box::new(Failure::TimedOut)), "HANDLER_TIMEOUT"),
            (Failure::of_status(Status::unavailable("busy")), "UNAVAILABLE"),
            (Failure::of_status(Status::permission_denied("no")), "PERMISSION_DENIED"),
        ];
        for (failure, reason) in table {
            assert_eq!(failure.told_to_client().reason(), reason, "{failure:?}");
        }
    }

    #[test]
    fn a_command_without_a_key_is_sent_again_only_if_nobody_was_asked() {
        let table = [
            (Failure::of_status(connecting()), true, true),
            (Failure::of_status(broken()), false, true),
            (Failure::of_status(Status::unavailable("busy")), false, true),
            (Failure::of_status(Status::aborted("no")), false, false),
            (Failure::TimedOut, false, false),
            (Failure::Paused(Duration::ZERO), false, false),
        ];
        for (failure, without_key, with_key) in table {
            let may = (failure.may_retry(false), failure.may_retry(true));
            assert_eq!(may, (without_key, with_key), "{failure:?}");
        }
    }

    #[test]
    fn a_handler_that_answers_with_errors_is_not_away() {
        assert!(!Failure::of_status(Status::internal("a defect")).is_outage());
        assert!(!Failure::of_status(Status::resource_exhausted("slower")).is_outage());
        assert!(Failure::of_status(Status::unavailable("starting")).is_outage());
        assert!(Failure::of_status(connecting()).is_outage() && Failure::TimedOut.is_outage());
    }
}
