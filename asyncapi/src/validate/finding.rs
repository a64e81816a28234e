//! What is found in a document.

use std::fmt;

/// One thing that is wrong with a document, or that could not be looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Whether the document is refused for it.
    pub severity: Severity,
    /// The line in the text, from 1.
    pub line: usize,
    /// The column in the line, from 1, in characters.
    pub column: usize,
    /// The place in the document, by JSON pointer (RFC 6901).
    pub pointer: String,
    /// The rule, in one word: that of JSON Schema, or one of ours.
    pub rule: String,
    /// A sentence that says what to do where that is not plain.
    pub message: String,
}

/// What a finding means for the document.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// It could not be looked at, or is not wise.
    Warning,
    /// It is wrong.
    Error,
}

/// As compilers write it, so that editors and pipelines find the line: `LINE:COLUMN: error: …`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { line, column, message, rule, .. } = self;
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{line}:{column}: {severity}: ")?;
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        write!(f, "{message} ({rule})")
    }
}

/// A finding whose line is not known yet.
#[derive(Debug)]
pub(super) struct Unplaced {
    pub(super) severity: Severity,
    pub(super) pointer: String,
    pub(super) rule: String,
    pub(super) message: String,
}

impl Unplaced {
    pub(super) fn error(
        pointer: impl Into<String>,
        rule: &str,
        message: impl Into<String>,
    ) -> Self {
        Unplaced {
            severity: Severity::Error,
            pointer: pointer.into(),
            rule: rule.to_owned(),
            message: message.into(),
        }
    }

    pub(super) fn warning(
        pointer: impl Into<String>,
        rule: &str,
        message: impl Into<String>,
    ) -> Self {
        Unplaced { severity: Severity::Warning, ..Unplaced::error(pointer, rule, message) }
    }
}
