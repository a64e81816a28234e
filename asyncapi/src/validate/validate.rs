//! All that is wrong with the text of a document.

use super::finding::{Finding, Severity, Unplaced};
use super::text::Text;
use super::{examples, references, rules, structure};
use crate::limits::FINDINGS;
use serde_json::Value;
use std::cmp::Reverse;

/// Judges the text of an AsyncAPI 3 document, JSON or YAML. What is found comes in the order of the lines; nothing: it is
/// a good document. At most [`FINDINGS`] are told, the errors before the warnings.
#[must_use]
pub fn validate(text: &str) -> Vec<Finding> {
    let text = match Text::read(text) {
        Ok(text) => text,
        Err(finding) => return vec![finding],
    };
    let mut found: Vec<Finding> = judge(&text.value)
        .into_iter()
        .map(|Unplaced { severity, pointer, rule, message }| {
            let (line, column) = text.place(&pointer);
            Finding { severity, line, column, pointer, rule, message }
        })
        .collect();
    let by_place = |one: &Finding, other: &Finding| {
        (one.line, one.column, &one.rule).cmp(&(other.line, other.column, &other.rule))
    };
    found.sort_by(by_place);
    found.dedup();
    // Warnings are cut first: without its errors a bad document would pass.
    found.sort_by_key(|finding| Reverse(finding.severity));
    found.truncate(FINDINGS);
    found.sort_by(by_place);
    found
}

/// The specification builds on itself: of a document whose structure is wrong, only what cannot follow from that is asked
/// as well.
fn judge(document: &Value) -> Vec<Unplaced> {
    let mut found = structure::check(document);
    found.extend(references::check(document));
    if found.iter().all(|finding| finding.severity == Severity::Warning) {
        found.extend(rules::check(document));
        found.extend(examples::check(document));
    }
    found
}
