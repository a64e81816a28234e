//! The schemas of a catalog as a comparison looks at them: in one view, and through references.

use crate::catalog::{PREFIX, Schema, View};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The schemas of a catalog in one view.
#[derive(Clone, Copy)]
pub(super) struct Schemas<'a> {
    pub(super) all: &'a BTreeMap<String, Schema>,
    pub(super) view: View,
}

impl<'a> Schemas<'a> {
    /// The schema behind references.
    pub(super) fn resolve(&self, schema: &'a Value) -> (&'a Value, Option<&'a str>) {
        let mut current = schema;
        let mut name = None;
        // A chain of references is no longer than there are schemas.
        for _ in 0..=self.all.len() {
            let alone = |schema: &'a Value| match schema
                .get("allOf")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
            {
                // A reference with notes beside it.
                Some([one]) if one.get("$ref").is_some() && schema.get("properties").is_none() => {
                    Some(one)
                }
                Some(_) | None => None,
            };
            let reference = current.get("$ref").or_else(|| alone(current)?.get("$ref"));
            let target =
                reference.and_then(Value::as_str).and_then(|target| target.strip_prefix(PREFIX));
            match target.and_then(|target| self.all.get_key_value(target)) {
                Some((target, schema)) => {
                    name = Some(target.as_str());
                    current = schema.view(self.view);
                }
                None => break,
            }
        }
        (current, name)
    }

    /// The schema with all references replaced by what they refer to. None: it refers to itself.
    pub(super) fn inline(&self, schema: &Value, within: &mut Vec<String>) -> Option<Value> {
        match schema {
            Value::Object(object) => {
                let target = object
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|target| target.strip_prefix(PREFIX));
                if let Some(name) = target {
                    if within.iter().any(|around| around == name) {
                        return None;
                    }
                    within.push(name.to_owned());
                    let inlined = self.inline(self.all.get(name)?.view(self.view), within);
                    within.pop();
                    return inlined;
                }
                let entries =
                    object.iter().filter(|(name, _)| !is_note(name)).map(|(name, value)| {
                        let value = match name.as_str() {
                            "const" | "enum" => value.clone(),
                            _ => self.inline(value, within)?,
                        };
                        Some((name.clone(), value))
                    });
                entries.collect::<Option<Map<_, _>>>().map(Value::Object)
            }
            Value::Array(items) => items
                .iter()
                .map(|item| self.inline(item, within))
                .collect::<Option<Vec<_>>>()
                .map(Value::Array),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Some(schema.clone())
            }
        }
    }
}

/// Whether a keyword says nothing about values.
pub(super) fn is_note(name: &str) -> bool {
    matches!(
        name,
        "title"
            | "description"
            | "$comment"
            | "deprecated"
            | "examples"
            | "default"
            | "readOnly"
            | "writeOnly"
    ) || name.starts_with("x-")
}
