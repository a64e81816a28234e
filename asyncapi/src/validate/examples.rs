//! Examples: each is what its message says, and of the messages of an operation it is one only.

use super::finding::Unplaced;
use super::references::follow;
use super::rules::objects;
use crate::checker::{Checker, SchemaLibrary};
use serde_json::Value;
use std::collections::BTreeMap;

/// The parts of a message that have schemas, and examples beside them.
const PARTS: [&str; 2] = ["payload", "headers"];

pub(super) fn check(document: &Value) -> Vec<Unplaced> {
    let Some(library) = SchemaLibrary::new(document) else { return Vec::new() };
    let mut found = Vec::new();
    let mut checkers = BTreeMap::new();
    for (pointer, message) in messages(document) {
        for part in PARTS {
            let checker = checker(document, &library, message, &format!("{pointer}/{part}"), part);
            match checker {
                Some(Ok(checker)) => {
                    check_part(&pointer, message, part, &checker, &mut found);
                    if part == "payload" {
                        checkers.insert(pointer.clone(), checker);
                    }
                }
                Some(Err(finding)) => found.push(finding),
                None => {}
            }
        }
    }
    check_distinct(document, &checkers, &mut found);
    found
}

/// Every message of the document, once: those of its channels and those of its components.
fn messages(document: &Value) -> BTreeMap<String, &Value> {
    let mut messages: BTreeMap<_, _> =
        objects(document, "/components/messages").into_iter().collect();
    for (channel, _) in
        objects(document, "/channels").into_iter().chain(objects(document, "/components/channels"))
    {
        messages.extend(objects(document, &format!("{channel}/messages")));
    }
    messages
}

/// The schema of a part of a message. None: it has none, or one in a language that is not JSON Schema.
fn checker(
    document: &Value,
    library: &SchemaLibrary,
    message: &Value,
    pointer: &str,
    part: &str,
) -> Option<Result<Checker, Unplaced>> {
    let (mut pointer, schema) = follow(document, message.get(part)?, pointer)?;
    if schema.get("schema").is_some() {
        let format = schema.get("schemaFormat").and_then(Value::as_str).unwrap_or_default();
        let is_json_schema = format.starts_with("application/vnd.aai.asyncapi")
            || (format.starts_with("application/schema+") && format.contains("draft-07"));
        if !is_json_schema {
            return None;
        }
        pointer.push_str("/schema");
    }
    Some(library.at(&pointer)?.map_err(|message| Unplaced::error(pointer, "schema", message)))
}

fn check_part(
    pointer: &str,
    message: &Value,
    part: &str,
    checker: &Checker,
    found: &mut Vec<Unplaced>,
) {
    for (index, example) in examples(message) {
        let Some(value) = example.get(part) else { continue };
        found.extend(checker.causes(value).into_iter().map(|violation| {
            let pointer = format!("{pointer}/examples/{index}/{part}{}", violation.pointer);
            let message = format!("the example is not what its schema says: {}", violation.message);
            Unplaced::error(pointer, &violation.rule, message)
        }));
    }
}

fn examples(message: &Value) -> impl Iterator<Item = (usize, &Value)> {
    message.get("examples").and_then(Value::as_array).into_iter().flatten().enumerate()
}

/// Whoever gets a message of an operation must be able to tell which one it is; examples show whether that is so. Messages
/// with other bindings are told apart by their transport, as the blocks of SSE are by their `event`.
fn check_distinct(
    document: &Value,
    checkers: &BTreeMap<String, Checker>,
    found: &mut Vec<Unplaced>,
) {
    for (pointer, operation) in objects(document, "/operations") {
        let listed = operation.get("messages").and_then(Value::as_array).into_iter().flatten();
        let listed: Vec<_> = listed.filter_map(|message| follow(document, message, "")).collect();
        for (own, message) in &listed {
            let fits = |other: &str, payload: &Value| {
                checkers.get(other).is_some_and(|checker| checker.is_valid(payload))
            };
            let payloads: Vec<&Value> =
                examples(message).filter_map(|(_, example)| example.get("payload")).collect();
            let twin = listed.iter().find(|(other, second)| {
                other != own
                    && message.get("bindings") == second.get("bindings")
                    && payloads.iter().any(|payload| fits(other, payload))
            });
            if let Some((other, _)) = twin {
                let message = format!(
                    "an example of `#{own}` is a `#{other}` as well: give both a field with a `const` that tells them apart"
                );
                found.push(Unplaced::error(format!("{pointer}/messages"), "ambiguous", message));
            }
        }
    }
}
