//! References: each leads to something, and none only back to itself.

use super::finding::Unplaced;
use crate::checker::Effort;
use crate::json::{pointed_to, push_name};
use serde_json::Value;

/// Fields whose values are data of somebody else, in which `$ref` has no meaning.
const DATA: [&str; 4] = ["examples", "default", "const", "enum"];

/// References that are followed from one to the next, at most. Longer chains are circles.
const HOPS: usize = 64;

pub(super) fn check(document: &Value) -> Vec<Unplaced> {
    let mut found = Vec::new();
    let mut effort = Effort::of(document);
    look(document, document, &mut String::new(), false, &mut effort, &mut found);
    found
}

/// Where a reference of the document leads in the end: the pointer and the value. None: to nothing, or into another
/// document.
pub(super) fn follow<'a>(
    document: &'a Value,
    value: &'a Value,
    pointer: &str,
) -> Option<(String, &'a Value)> {
    let (mut pointer, mut value) = (pointer.to_owned(), value);
    for _ in 0..HOPS {
        match reference(value) {
            None => return Some((pointer, value)),
            Some(next) => {
                pointer = pointed_to(next)?;
                value = document.pointer(&pointer)?;
            }
        }
    }
    None
}

/// What an object refers to instead of being something itself.
pub(super) fn reference(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()
}

/// `names`: the value is a map from names to objects, so none of its fields has a meaning by its name.
fn look<'a>(
    document: &'a Value,
    value: &Value,
    pointer: &mut String,
    names: bool,
    effort: &mut Effort<'a>,
    found: &mut Vec<Unplaced>,
) {
    let before = pointer.len();
    match value {
        Value::Object(object) => {
            if !names && let Some(Value::String(reference)) = object.get("$ref") {
                let place = format!("{pointer}/$ref");
                found.extend(fault_of(document, reference, place, effort));
            }
            for (name, inner) in object {
                if !names && (DATA.contains(&name.as_str()) || name.starts_with("x-")) {
                    continue;
                }
                push_name(pointer, name);
                look(document, inner, pointer, !names && holds_names(name), effort, found);
                pointer.truncate(before);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                push_name(pointer, &index.to_string());
                look(document, inner, pointer, false, effort, found);
                pointer.truncate(before);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Fields whose own fields are named by the author: a property of a payload may well be called `examples`, and a channel
/// `default`. `externalDocs` is such a map among the components only, and something else wherever it is common.
#[rustfmt::skip]
fn holds_names(field: &str) -> bool {
    matches!(
        field,
        // Of JSON Schema.
        "properties" | "patternProperties" | "definitions" | "$defs" | "dependencies"
        // Of AsyncAPI.
        | "servers" | "channels" | "operations" | "messages" | "schemas" | "parameters" | "variables"
        | "serverVariables" | "securitySchemes" | "replies" | "replyAddresses" | "correlationIds" | "tags"
        | "operationTraits" | "messageTraits"
        | "serverBindings" | "channelBindings" | "operationBindings" | "messageBindings"
    )
}

fn fault_of<'a>(
    document: &'a Value,
    reference: &str,
    place: String,
    effort: &mut Effort<'a>,
) -> Option<Unplaced> {
    let complain = |message| Some(Unplaced::error(place.clone(), "reference", message));
    if !reference.starts_with('#') {
        let message =
            format!("`{reference}` is another document: what stands there is not looked at");
        return Some(Unplaced::warning(place, "reference", message));
    }
    let Some(pointer) =
        pointed_to(reference).filter(|pointer| pointer.is_empty() || pointer.starts_with('/'))
    else {
        return complain(format!(
            "`{reference}` is no reference: write `#/` and the path in the document"
        ));
    };
    match document.pointer(&pointer) {
        None => complain(format!("`{reference}` leads to nothing{}", nearest(document, &pointer))),
        Some(target) if is_circle(document, target) => {
            complain(format!("`{reference}` leads round in a circle of references"))
        }
        Some(target) => {
            effort.fault(target).and_then(|fault| complain(format!("`{reference}`: {fault}")))
        }
    }
}

/// Whether a value is a reference that leads to references without end.
fn is_circle(document: &Value, value: &Value) -> bool {
    let mut value = value;
    for _ in 0..HOPS {
        let next = reference(value).and_then(pointed_to);
        match next.and_then(|pointer| document.pointer(&pointer)) {
            None => return false,
            Some(next) => value = next,
        }
    }
    true
}

/// What was perhaps meant: the names beside the first step that is not there, the most alike first.
fn nearest(document: &Value, pointer: &str) -> String {
    let mut here = document;
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let item = name.parse().ok().and_then(|index: usize| here.get(index));
        let inner = item.or_else(|| here.get(&name));
        match (inner, here) {
            (Some(inner), _) => here = inner,
            (None, Value::Object(object)) => {
                let alike = |other: &&String| strsim::damerau_levenshtein(other, &name);
                let best = object.keys().min_by_key(alike);
                let is_near = |best: &&String| alike(best) <= name.chars().count() / 3 + 1;
                return match best.filter(is_near) {
                    Some(best) => format!(": there is no `{name}`; perhaps `{best}` is meant"),
                    None => format!(": there is no `{name}`"),
                };
            }
            (None, _) => return format!(": there is no `{name}`"),
        }
    }
    String::new()
}
