//! The structure of a document: the official JSON Schema.

use super::finding::Unplaced;
use crate::checker::Checker;
use serde_json::{Value, json};

/// See `asyncapi/schemas/README.md`.
const SCHEMA: &str = include_str!("../../schemas/asyncapi-3.1.0.json");

/// The versions that the schema fits, itself aside.
const VERSIONS: [&str; 2] = ["3.0.0", "3.1.0"];

pub(super) fn check(document: &Value) -> Vec<Unplaced> {
    if let Some(finding) = version(document) {
        return vec![finding];
    }
    let mut schema: Value = serde_json::from_str(SCHEMA).expect("it is part of this crate");
    schema["properties"]["asyncapi"] = json!({ "enum": VERSIONS });
    let checker = Checker::alone(&schema).expect("it is part of this crate");
    checker
        .causes(document)
        .into_iter()
        .map(|violation| Unplaced::error(violation.pointer, &violation.rule, violation.message))
        .collect()
}

/// What keeps the document from being looked at with this schema.
fn version(document: &Value) -> Option<Unplaced> {
    let known = VERSIONS.join(" and ");
    let complain = |pointer, message| Some(Unplaced::error(pointer, "version", message));
    match document.get("asyncapi") {
        Some(Value::String(version)) if VERSIONS.contains(&version.as_str()) => None,
        Some(Value::String(version)) if version.starts_with("2.") => complain(
            "/asyncapi",
            format!(
                "this is AsyncAPI {version}; convert it to version 3 first (`asyncapi convert` of the AsyncAPI CLI does)"
            ),
        ),
        Some(version) => {
            complain("/asyncapi", format!("the version is {version}; known are {known}"))
        }
        None if document.is_object() => complain(
            "",
            format!(
                "this is no AsyncAPI document: it has no field `asyncapi` with its version ({known})"
            ),
        ),
        None => complain("", "this is no AsyncAPI document: it is no object".to_owned()),
    }
}
