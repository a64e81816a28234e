//! What the library complains of, as what people can act on.

use super::compiled::VIOLATIONS_MAX;
use crate::json::below;
use fanline_core::refusal::Violation;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

/// One complaint: a field that should not be there or is missing is named by its own pointer, not by its object's.
pub(super) fn explain(error: &ValidationError<'_>) -> Vec<Violation> {
    let pointer = error.instance_path().to_string();
    let keyword = error.kind().keyword().to_owned();
    let of_field = |name: &str, message: String| {
        let pointer = below(&pointer, name);
        Violation { pointer, rule: keyword.clone().into(), message }
    };
    if let Kind::AdditionalProperties { unexpected } = error.kind() {
        let message = |name: &String| of_field(name, format!("there is no field `{name}`"));
        return unexpected.iter().take(VIOLATIONS_MAX).map(message).collect();
    }
    if let Kind::Required { property: Value::String(name) } = error.kind() {
        return vec![of_field(name, format!("the field `{name}` is missing"))];
    }
    // The value itself may be long, and is the sender's own: the rule is what helps.
    vec![Violation {
        pointer,
        rule: keyword.into(),
        message: error.masked_with("the value").to_string(),
    }]
}

/// One complaint, taken apart: "it fits none of the forms" helps nobody, so what keeps it from the closest form is said.
pub(super) fn causes(error: &ValidationError<'_>) -> Vec<Violation> {
    let (Kind::OneOfNotValid { context } | Kind::AnyOf { context }) = error.kind() else {
        return explain(error);
    };
    let depth = error.instance_path().iter().count();
    match context.iter().min_by_key(|form| distance(form, depth)) {
        Some(closest) => closest.iter().flat_map(causes).collect(),
        None => explain(error),
    }
}

/// How far a value at some depth is from a form of which these are the complaints.
///
/// A value of another type is not meant to be one of this form, nor is one that says by a constant (`"type": "http"`) that
/// it is another, nor one without `$ref` a reference. All else are mistakes within the form.
fn distance(form: &[ValidationError<'_>], depth: usize) -> usize {
    form.iter()
        .map(|error| {
            let below = error.instance_path().iter().count().saturating_sub(depth);
            match (error.kind(), below) {
                (Kind::Type { .. }, 0) => 1_000,
                (Kind::Required { property }, 0) if property == "$ref" => 100,
                (Kind::Constant { .. } | Kind::Enum { .. }, 0 | 1) => 10,
                (Kind::OneOfNotValid { context } | Kind::AnyOf { context }, 0) => {
                    context.iter().map(|form| distance(form, depth)).min().unwrap_or(1)
                }
                (_, _) => 1,
            }
        })
        .sum()
}
