//! From a refusal to a gRPC status with its details.

use axum::extract::{Request, State};
use axum::middleware::Next;
use fanline_core::refusal::Violation;
use fanline_core::{Reason, Refusal};
use prost::Message;
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Response, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt, pb};

/// The domain of our reasons in `google.rpc.ErrorInfo`.
const DOMAIN: &str = "fanline";
/// Bytes of violations in one status. They travel in a trailer, and there are peers that take no more than 8 KiB of
/// those, in base64; the rest is left out.
const VIOLATIONS_BYTES: usize = 3 * 1024;

/// The status of a refusal: its code, and `ErrorInfo`, `BadRequest` and `RetryInfo` where they say more.
pub(crate) fn of(refusal: &Refusal) -> Status {
    let code = code(refusal.reason());
    let metadata: HashMap<_, _> =
        refusal.field().map(|field| ("field".to_owned(), field.to_owned())).into_iter().collect();
    let mut details = ErrorDetails::with_error_info(refusal.reason().as_str(), DOMAIN, metadata);
    if let Some(field) = refusal.field().filter(|_| code == Code::InvalidArgument) {
        match refusal.violations() {
            [] => drop(details.add_bad_request_violation(field, refusal.message())),
            violations => {
                details.set_bad_request(field_violations(field, violations));
            }
        }
    }
    if let Some(after) = refusal.retry_after() {
        details.set_retry_info(Some(after));
    }
    let message = match refusal.field() {
        Some(field) => format!("{field}: {}", refusal.message()),
        None => refusal.message().to_owned(),
    };
    Status::with_error_details(code, message, details)
}

/// What breaks a schema: the pointer behind the field, and the rule as a reason (`maxLength`: `MAX_LENGTH`).
fn field_violations(field: &str, violations: &[Violation]) -> Vec<FieldViolation> {
    let mut room = VIOLATIONS_BYTES;
    let one = |violation: &Violation| FieldViolation {
        field: format!("{field}{}", violation.pointer),
        description: violation.message.clone(),
        reason: screaming(&violation.rule),
        localized_message: None,
    };
    violations
        .iter()
        .map(one)
        .take_while(|violation| {
            let bytes =
                violation.field.len() + violation.description.len() + violation.reason.len();
            room = room.saturating_sub(bytes);
            room > 0
        })
        .collect()
}

fn screaming(rule: &str) -> String {
    let mut name = String::new();
    for letter in rule.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// The answer of a call that gives one message.
pub(crate) fn answer<T>(outcome: Result<T, Refusal>) -> Result<Response<T>, Status> {
    outcome.map(Response::new).map_err(|refusal| of(&refusal))
}

/// The same as a message, for an answer that fails inside a call that goes on.
pub(crate) fn message(refusal: &Refusal) -> pb::Status {
    // The details of a status are this very message, encoded (google.rpc.Status, as gRPC carries it in a header).
    pb::Status::decode(of(refusal).details()).expect("it was encoded one line above")
}

/// The code of a reason (contract section 8).
#[must_use]
pub fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidArgument
        | Reason::InvalidChannel
        | Reason::UnknownOperation
        | Reason::SchemaViolation
        | Reason::TooLarge => Code::InvalidArgument,
        Reason::Unauthenticated | Reason::TokenExpired | Reason::TokenRevoked => {
            Code::Unauthenticated
        }
        Reason::PermissionDenied | Reason::OriginDenied | Reason::Disconnected => {
            Code::PermissionDenied
        }
        Reason::UnknownNamespace | Reason::UnknownEventType => Code::NotFound,
        Reason::NoHandler => Code::Unimplemented,
        Reason::AlreadyJoined | Reason::NotJoined => Code::FailedPrecondition,
        Reason::PositionLost => Code::OutOfRange,
        Reason::LimitExceeded | Reason::RateLimited => Code::ResourceExhausted,
        Reason::HandlerTimeout => Code::DeadlineExceeded,
        Reason::HandlerUnavailable | Reason::BrokerUnavailable | Reason::Draining => {
            Code::Unavailable
        }

        Reason::Internal => Code::Internal,
    }
}

/// The name of a code, as the gRPC documents write it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The refusal of a node that stops. Another node takes the call at once, so a client need not wait for long.
pub(crate) fn draining() -> Refusal {
    Refusal::new(Reason::Draining, "this node stops; call again, on another node")
        .with_retry_after(Duration::from_secs(1))
}

/// Our own words for a request that could not be read, which was told by tonic. All of our own statuses have details.
pub(crate) fn explained(status: Status, message_bytes_max: usize) -> Status {
    if !status.details().is_empty() {
        return status;
    }
    if status.code() == Code::OutOfRange {
        // The decoder stops at the length in the prefix, so it cannot be told which field was too long; with an event it
        // is its data.
        let message = format!("a message has at most {message_bytes_max} bytes");
        return of(&Refusal::new(Reason::TooLarge, message));
    }
    if status.code() == Code::Internal {
        // The fault is in the message, not in the hub: nothing was done, and the same will not do another time.
        let message = format!("the message cannot be read: {}", status.message());
        return of(&Refusal::new(Reason::InvalidArgument, message));
    }
    status
}

/// Replaces the decoder's own answer to a message that it cannot read by ours, so that each fault has one status.
pub(crate) async fn explain_unreadable(
    State(message_bytes_max): State<usize>,
    request: Request,
    next: Next,
) -> axum::response::Response {
    let response = next.run(request).await;
    let status = Status::from_header_map(response.headers());
    let foreign = status.filter(|status| status.details().is_empty());
    match foreign.map(|status| explained(status, message_bytes_max)) {
        Some(status) if !status.details().is_empty() => status.into_http(),
        Some(_) | None => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_the_code_of_the_contract() {
        let expected = |reason| match reason {
            Reason::InvalidArgument => "INVALID_ARGUMENT",
            Reason::InvalidChannel => "INVALID_ARGUMENT",
            Reason::UnknownOperation => "INVALID_ARGUMENT",
            Reason::TooLarge => "INVALID_ARGUMENT",
            Reason::Unauthenticated => "UNAUTHENTICATED",
            Reason::TokenExpired | Reason::TokenRevoked => "UNAUTHENTICATED",
            Reason::PermissionDenied | Reason::Disconnected => "PERMISSION_DENIED",
            Reason::OriginDenied => "PERMISSION_DENIED",
            Reason::UnknownNamespace => "NOT_FOUND",
            Reason::SchemaViolation => "INVALID_ARGUMENT",
            Reason::UnknownEventType => "NOT_FOUND",
            Reason::NoHandler => "UNIMPLEMENTED",
            Reason::AlreadyJoined => "FAILED_PRECONDITION",
            Reason::NotJoined => "FAILED_PRECONDITION",
            Reason::PositionLost => "OUT_OF_RANGE",
            Reason::LimitExceeded => "RESOURCE_EXHAUSTED",
            Reason::RateLimited => "RESOURCE_EXHAUSTED",
            Reason::HandlerTimeout => "DEADLINE_EXCEEDED",
            Reason::HandlerUnavailable => "UNAVAILABLE",
            Reason::BrokerUnavailable => "UNAVAILABLE",
            Reason::Draining => "UNAVAILABLE",
            Reason::Internal => "INTERNAL",
        };
        for reason in Reason::ALL {
            let status = of(&Refusal::new(reason, "no"));
            let name = format!("{:?}", status.code());
            assert_eq!(name.to_uppercase(), expected(reason).replace('_', ""), "{reason}");
            let info = status.get_details_error_info().unwrap();
            assert_eq!((&*info.domain, &*info.reason), ("fanline", reason.as_str()));
        }
    }

    #[test]
    fn a_wrong_field_is_named_and_a_retry_is_timed() {
        let status = of(&Refusal::invalid("ttl", "a time to live is longer than zero"));
        assert_eq!(status.message(), "ttl: a time to live is longer than zero");
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].field, "ttl");
        assert!(status.get_details_retry_info().is_none());

        let refusal = Refusal::new(Reason::UnknownNamespace, "no").with_field("channel");
        let status = of(&refusal.with_retry_after(Duration::from_millis(1500)));
        assert!(
            status.get_details_bad_request().is_none(),
            "a name that is not known is not malformed"
        );
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.metadata["field"], "channel");
        let retry = status.get_details_retry_info().unwrap().retry_delay;
        assert_eq!(retry, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn each_violation_of_a_schema_is_a_field_violation_as_far_as_a_trailer_has_room() {
        let violation = Violation {
            pointer: "/author/name".to_owned(),
            rule: "maxLength".into(),
            message: "longer than 10 characters".to_owned(),
        };
        let refusal = |violations| {
            Refusal::new(Reason::SchemaViolation, "no")
                .with_field("data")
                .with_violations(violations)
        };
        let fields = |status: Status| status.get_details_bad_request().unwrap().field_violations;
        let few = fields(of(&refusal(vec![violation.clone(); 2])));
        assert_eq!(few.len(), 2);
        assert_eq!(few[0].field, "data/author/name");
        assert_eq!(few[0].reason, "MAX_LENGTH");
        let long = Violation { message: "x".repeat(1000), ..violation };
        let many = of(&refusal(vec![long; 100]));
        assert!(many.details().len() < 4 * 1024);
        assert!(fields(many).len() > 5);
    }

    #[test]
    fn what_could_not_be_read_is_the_fault_of_the_message() {
        for (unread, expected) in [
            (Status::out_of_range("decoded message length too large"), Reason::TooLarge),
            (Status::internal("invalid string value"), Reason::InvalidArgument),
        ] {
            let status = explained(unread, 7);
            assert_eq!(status.code(), Code::InvalidArgument);
            assert_eq!(status.get_details_error_info().unwrap().reason, expected.as_str());
        }
        let ours = of(&Refusal::new(Reason::Internal, "a defect"));
        assert_eq!(explained(ours, 7).code(), Code::Internal);
        assert_eq!(explained(Status::unimplemented("gzip"), 7).code(), Code::Unimplemented);
    }

    #[test]
    fn the_message_says_what_the_status_says() {
        let refusal = Refusal::invalid("data", "not valid JSON");
        let message = message(&refusal);
        assert_eq!(message.code, Code::InvalidArgument as i32);
        assert_eq!(message.message, "data: not valid JSON");
        let types: Vec<_> = message
            .details
            .iter()
            .map(|detail| detail.type_url.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(types, ["google.rpc.ErrorInfo", "google.rpc.BadRequest"]);
    }
}
