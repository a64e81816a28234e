//! What keeps a message from being JSON.

use crate::json;
use fanline_core::refusal::Violation;

/// What is at fault, and the steps to it from the inside out: a message without fault costs no path.
#[derive(Debug)]
pub(super) struct Fault {
    rule: &'static str,
    message: String,
    path: Vec<String>,
}

impl Fault {
    pub(super) fn new(rule: &'static str, message: String) -> Self {
        Fault { rule, message, path: Vec::new() }
    }

    /// A message of a type that has a JSON form of its own, which has none for this one.
    pub(super) fn no_json(name: &str, why: &str) -> Self {
        Fault::new("protobuf", format!("a `{name}` without a JSON form: {why}"))
    }

    /// The same, seen from one step further out.
    pub(super) fn below(mut self, step: impl ToString) -> Self {
        self.path.push(step.to_string());
        self
    }

    pub(super) fn into_violation(self) -> Violation {
        let mut pointer = String::new();
        self.path.iter().rev().for_each(|step| json::push_name(&mut pointer, step));
        Violation { pointer, rule: self.rule.into(), message: self.message }
    }
}
