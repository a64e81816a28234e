//! What an operation says when it does not do what was asked.

use crate::Reason;
use crate::limits::{REFUSAL_TEXT_BYTES, VIOLATION_TEXT_BYTES, VIOLATIONS};
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
    channel: Option<Box<str>>,
    retry_after: Option<Duration>,
    violations: Box<[Violation]>,
}

/// One rule of a schema that one value of an event's data breaks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The value, by JSON pointer (RFC 6901). Empty: the data as a whole.
    pub pointer: String,
    /// The rule: a keyword of JSON Schema, or a rule of the catalog.
    pub rule: Cow<'static, str>,
    /// A sentence for people.
    pub message: String,
}

impl Refusal {
    /// A refusal with its sentence: lower case, no full stop, naming the remedy where there is one. One that quotes what
    /// was sent is cut at [`REFUSAL_TEXT_BYTES`].
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal {
            reason,
            message: match message.into() {
                Cow::Owned(message) => Cow::Owned(shorten(message, REFUSAL_TEXT_BYTES)),
                ours => ours,
            },
            field: None,
            channel: None,
            retry_after: None,
            violations: Box::default(),
        }
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

    /// Names the channel that is at fault, where a request is about several.
    #[must_use]
    pub fn with_channel(mut self, name: &str) -> Self {
        self.channel = Some(shorten(name.to_owned(), REFUSAL_TEXT_BYTES).into());
        self
    }

    /// Says when a retry makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Says what exactly is wrong with an event's data. Only the first [`VIOLATIONS`] are kept, and no text of theirs is
    /// longer than [`VIOLATION_TEXT_BYTES`]: an answer stays small whatever was sent.
    #[must_use]
    pub fn with_violations(mut self, violations: Vec<Violation>) -> Self {
        let bounded = |violation: Violation| Violation {
            pointer: shorten(violation.pointer, VIOLATION_TEXT_BYTES),
            message: shorten(violation.message, VIOLATION_TEXT_BYTES),
            ..violation
        };
        self.violations = violations.into_iter().take(VIOLATIONS).map(bounded).collect();
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

    /// The channel that is at fault, when the request is about several.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }

    /// What exactly is wrong with an event's data.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// When a retry makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// Cuts a text where it gets too long, between characters.
fn shorten(mut text: String, bytes_max: usize) -> String {
    const MARK: &str = "...";
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max - MARK.len()));
        text.push_str(MARK);
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_quotes_is_bounded() {
        let refusal = Refusal::new(Reason::UnknownEventType, "é".repeat(REFUSAL_TEXT_BYTES));
        assert!(refusal.message().len() <= REFUSAL_TEXT_BYTES);
        assert!(refusal.message().ends_with("..."), "and it says that it was cut");
    }

    #[test]
    fn violations_are_bounded_in_number_and_size() {
        let long = Violation {
            pointer: "/é".repeat(1000),
            rule: "maxLength".into(),
            message: "x".repeat(10_000),
        };
        let refusal = Refusal::invalid("data", "wrong").with_violations(vec![long; 1000]);
        assert_eq!(refusal.violations().len(), VIOLATIONS);
        for violation in refusal.violations() {
            assert!(violation.pointer.len() <= VIOLATION_TEXT_BYTES);
            assert!(violation.pointer.ends_with("..."), "and it says that it was cut");
            assert_eq!(violation.message.len(), VIOLATION_TEXT_BYTES);
        }
    }
}
