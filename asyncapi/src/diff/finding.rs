//! What was found: one difference, whom it concerns and how much.

use serde_json::Value;
use std::fmt;

/// One difference between two catalogs.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is about: the name of an event type, or the address of a channel.
    pub subject: String,
    /// Whom it concerns.
    pub side: Side,
    /// How much.
    pub class: Class,
    /// The rule that found it, such as `field-removed`.
    pub rule: &'static str,
    /// The place in an event's data, by JSON pointer; `*` stands for every item or field. Empty: the whole.
    pub pointer: String,
    /// A sentence.
    pub message: String,
    /// What shows it. None: the rule alone.
    pub witness: Option<Witness>,
}

/// Whom a difference concerns.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// Publishers that do not know of the change.
    Publish,
    /// Subscribers that do not know of the change.
    Deliver,
}

/// How much a difference concerns them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// It does them no harm.
    Compatible,
    /// It does no harm to those who are prepared, such as for values that they do not know.
    Risky,
    /// It breaks them.
    Breaking,
}

/// Something that was good and is not any more.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The value: data of an event, or a name.
    pub value: Value,
    /// What is wrong with it on the other side of the change.
    pub fault: String,
}

impl Side {
    /// Its word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Publish => "publish",
            Side::Deliver => "deliver",
        }
    }
}

impl Class {
    /// Its word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Compatible => "compatible",
            Class::Risky => "risky",
            Class::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Finding {
    pub(super) fn new(
        subject: &str,
        side: Side,
        class: Class,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Finding {
            subject: subject.to_owned(),
            side,
            class,
            rule,
            pointer: String::new(),
            message: message.into(),
            witness: None,
        }
    }

    pub(super) fn with_witness(
        mut self,
        value: impl Into<Value>,
        fault: impl Into<String>,
    ) -> Self {
        self.witness = Some(Witness { value: value.into(), fault: fault.into() });
        self
    }
}
