//! What an operation says when it does not do what was asked.

use crate::Reason;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A refused or failed operation: the [`Reason`] for programs, a sentence for people, and the remedy.
///
/// Every operation of the hub fails with this one type, because every edge does the same with it: map the reason to
/// its own status and pass the rest on. What must not leave the process (addresses, internal errors) belongs in the
/// log, not here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    reason: Reason,
    message: Cow<'static, str>,
    field: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with its sentence: lower case, no full stop, naming the remedy where there is one.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal { reason, message: message.into(), field: None, retry_after: None }
    }

    /// An [`INVALID_ARGUMENT`](Reason::InvalidArgument) of one field.
    pub fn invalid(field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal::new(Reason::InvalidArgument, message).with_field(field)
    }

    /// Names the field of the request that is wrong.
    #[must_use]
    pub fn with_field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// Says when a retry makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The reason, for programs.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The sentence, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The field of the request that is wrong, when it is one field.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    /// When a retry makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "{}: {field}: {}", self.reason, self.message),
            None => write!(f, "{}: {}", self.reason, self.message),
        }
    }
}

impl std::error::Error for Refusal {}
