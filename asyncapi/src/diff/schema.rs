//! Comparing two schemas keyword by keyword: what the new one takes less, and what it takes more.

use super::schemas::{Schemas, is_note};
use crate::json::below;
use serde_json::Value;
use std::collections::BTreeSet;

/// One difference of two schemas.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) rule: &'static str,
    pub(super) pointer: String,
    pub(super) message: String,
    pub(super) effect: Effect,
    /// The schemas at the place, for making a witness; none where there was no such place.
    pub(super) old: Option<Value>,
    pub(super) new: Option<Value>,
    /// The one value that makes the difference, where there is one.
    pub(super) value: Option<Value>,
}

/// What the new schema does to the set of values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    /// It takes less.
    Narrower,
    /// It takes more.
    Wider,
    /// It takes others.
    Other,
}

/// Compares two schemas and all that is in them.
pub(super) struct Walk<'a> {
    old: Schemas<'a>,
    new: Schemas<'a>,
    /// Pairs of named schemas that are being compared: recursion ends there.
    seen: BTreeSet<(String, String)>,
    pub(super) found: Vec<Difference>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(old: Schemas<'a>, new: Schemas<'a>) -> Self {
        Walk { old, new, seen: BTreeSet::new(), found: Vec::new() }
    }

    pub(super) fn compare(&mut self, old: &'a Value, new: &'a Value, pointer: &str) {
        let ((old, old_name), (new, new_name)) = (self.old.resolve(old), self.new.resolve(new));
        if let (Some(old_name), Some(new_name)) = (old_name, new_name)
            && !self.seen.insert((old_name.to_owned(), new_name.to_owned()))
        {
            return;
        }
        if old == new && old_name.is_none() {
            return;
        }
        let here = Here { walk: self, old, new, pointer };
        here.compare();
    }
}

/// Two schemas for the same place.
struct Here<'w, 'a, 'p> {
    walk: &'w mut Walk<'a>,
    old: &'a Value,
    new: &'a Value,
    pointer: &'p str,
}

/// Keywords with a number, and whether more of it means fewer values.
const BOUNDS: [(&str, bool, &str, &str); 10] = [
    ("minLength", true, "min-length-raised", "min-length-lowered"),
    ("minItems", true, "min-items-raised", "min-items-lowered"),
    ("minProperties", true, "min-properties-raised", "min-properties-lowered"),
    ("minimum", true, "minimum-raised", "minimum-lowered"),
    ("exclusiveMinimum", true, "minimum-raised", "minimum-lowered"),
    ("maxLength", false, "max-length-lowered", "max-length-raised"),
    ("maxItems", false, "max-items-lowered", "max-items-raised"),
    ("maxProperties", false, "max-properties-lowered", "max-properties-raised"),
    ("maximum", false, "maximum-lowered", "maximum-raised"),
    ("exclusiveMaximum", false, "maximum-lowered", "maximum-raised"),
];

/// Keywords that say something or nothing: rules for added, dropped and changed.
const STATEMENTS: [(&str, &str, &str, &str); 11] = [
    ("pattern", "pattern-added", "pattern-dropped", "pattern-changed"),
    ("format", "format-added", "format-dropped", "format-changed"),
    ("contentEncoding", "encoding-added", "encoding-dropped", "encoding-changed"),
    ("multipleOf", "multiple-added", "multiple-dropped", "multiple-changed"),
    ("uniqueItems", "unique-added", "unique-dropped", "unique-changed"),
    ("propertyNames", "names-added", "names-dropped", "names-changed"),
    ("contains", "contains-added", "contains-dropped", "contains-changed"),
    ("dependencies", "dependencies-added", "dependencies-dropped", "dependencies-changed"),
    ("not", "not-added", "not-dropped", "not-changed"),
    ("if", "condition-added", "condition-dropped", "condition-changed"),
    ("patternProperties", "names-added", "names-dropped", "names-changed"),
];

impl Here<'_, '_, '_> {
    fn compare(mut self) {
        self.types();
        self.values();
        self.bounds();
        self.statements();
        self.combinations();
        self.fields();
        self.inner();
    }

    fn push(&mut self, rule: &'static str, effect: Effect, message: String) -> &mut Difference {
        let found = &mut self.walk.found;
        found.push(Difference {
            rule,
            pointer: self.pointer.to_owned(),
            message,
            effect,
            old: Some(self.old.clone()),
            new: Some(self.new.clone()),
            value: None,
        });
        let last = found.len() - 1;
        &mut found[last]
    }

    fn types(&mut self) {
        let (old, new) = (types(self.old), types(self.new));
        if old == new {
            return;
        }
        let message = format!("the type was {} and is {}", listed(&old), listed(&new));
        let effect = match (new.is_subset(&old), old.is_subset(&new)) {
            (true, _) => Effect::Narrower,
            (_, true) => Effect::Wider,
            (false, false) => Effect::Other,
        };
        let rule = match effect {
            Effect::Narrower => "type-narrowed",
            Effect::Wider => "type-widened",
            Effect::Other => "type-changed",
        };
        self.push(rule, effect, message);
    }

    fn values(&mut self) {
        match (listed_values(self.old), listed_values(self.new)) {
            (None, None) => {}
            (None, Some(_)) => {
                self.push(
                    "enum-added",
                    Effect::Narrower,
                    "only listed values are taken now".to_owned(),
                );
            }
            (Some(_), None) => {
                self.push(
                    "enum-dropped",
                    Effect::Wider,
                    "any value may come now, not only those listed".to_owned(),
                );
            }
            (Some(old), Some(new)) => {
                for value in old.iter().filter(|value| !new.contains(value)) {
                    let message = format!("the value {value} is not taken any more");
                    self.push("enum-value-removed", Effect::Narrower, message).value =
                        Some(value.clone());
                }
                for value in new.iter().filter(|value| !old.contains(value)) {
                    let message = format!("the value {value} may come now");
                    self.push("enum-value-added", Effect::Wider, message).value =
                        Some(value.clone());
                }
            }
        }
    }

    fn bounds(&mut self) {
        for (keyword, more_is_narrower, narrower, wider) in BOUNDS {
            let bound = |schema: &Value| schema.get(keyword).and_then(Value::as_f64);
            let (old, new) = (bound(self.old), bound(self.new));
            let shown =
                |bound: Option<f64>| bound.map_or("none".to_owned(), |bound| bound.to_string());
            let message = format!("`{keyword}` was {} and is {}", shown(old), shown(new));
            let raised = match (old, new) {
                (None, None) => continue,
                (None, Some(_)) => more_is_narrower,
                (Some(_), None) => !more_is_narrower,
                (Some(old), Some(new)) if old == new => continue,
                (Some(old), Some(new)) => new > old,
            };
            if raised == more_is_narrower {
                self.push(narrower, Effect::Narrower, message);
            } else {
                self.push(wider, Effect::Wider, message);
            }
        }
    }

    fn statements(&mut self) {
        for (keyword, added, dropped, changed) in STATEMENTS {
            let says = |schema: &Value| {
                schema.get(keyword).filter(|value| **value != Value::Bool(false)).cloned()
            };
            match (says(self.old), says(self.new)) {
                (None, None) => {}
                (None, Some(new)) => {
                    self.push(added, Effect::Narrower, format!("`{keyword}` is {new} now"));
                }
                (Some(old), None) => {
                    self.push(
                        dropped,
                        Effect::Wider,
                        format!("`{keyword}` was {old} and is dropped"),
                    );
                }
                (Some(old), Some(new)) if old == new => {}
                (Some(old), Some(new)) => {
                    self.push(
                        changed,
                        Effect::Other,
                        format!("`{keyword}` was {old} and is {new}"),
                    );
                }
            }
        }
    }

    fn combinations(&mut self) {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let (old, new) = (self.old.get(keyword), self.new.get(keyword));
            if old != new {
                self.push("combination-changed", Effect::Other, format!("`{keyword}` has changed"));
            }
        }
    }

    fn fields(&mut self) {
        let fields = |schema: &'_ Value| {
            schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
        };
        let (old, new) = (fields(self.old), fields(self.new));
        let (old_required, new_required) = (required(self.old), required(self.new));
        let mut added: Vec<&String> = new.keys().filter(|name| !old.contains_key(*name)).collect();
        for (name, schema) in &old {
            if new.contains_key(name) {
                continue;
            }
            // Of the same shape, and new: most likely the same field under another name.
            let renamed = added.iter().position(|candidate| bare(&new[*candidate]) == bare(schema));
            let (rule, message) = match renamed.map(|index| added.remove(index)) {
                Some(candidate) => {
                    ("field-renamed", format!("the field `{name}` is called `{candidate}` now"))
                }
                None => ("field-removed", format!("the field `{name}` is gone")),
            };
            let was_required = old_required.contains(name);
            let pointer = below(self.pointer, name);
            let difference = self.push(rule, Effect::Other, message);
            difference.pointer = pointer;
            (difference.old, difference.new) = (Some(schema.clone()), None);
            difference.value = Some(Value::Bool(was_required));
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            let pointer = below(self.pointer, name);
            let difference =
                self.push("field-added", Effect::Wider, format!("the field `{name}` is new"));
            difference.pointer = pointer;
            (difference.old, difference.new) = (None, new.get(name).cloned());
        }
        for name in new_required.iter().filter(|name| !old_required.contains(*name)) {
            let pointer = below(self.pointer, name);
            let message = format!("the field `{name}` has to be there now");
            self.push("field-required", Effect::Narrower, message).pointer = pointer;
        }
        let still_there = |name: &&String| new.contains_key(*name) && !new_required.contains(*name);
        for name in old_required.iter().filter(still_there) {
            let pointer = below(self.pointer, name);
            let message = format!("the field `{name}` may be missing now");
            self.push("field-optional", Effect::Wider, message).pointer = pointer;
        }
        let closed =
            |schema: &Value| schema.get("additionalProperties") == Some(&Value::Bool(false));
        match (closed(self.old), closed(self.new)) {
            (false, true) if self.old.get("properties").is_some() => {
                self.push(
                    "object-closed",
                    Effect::Narrower,
                    "fields that the schema does not name are not taken any more".to_owned(),
                );
            }
            (true, false) => {
                self.push(
                    "object-opened",
                    Effect::Wider,
                    "fields that the schema does not name are taken now".to_owned(),
                );
            }
            (_, _) => {}
        }
    }

    fn inner(self) {
        let Here { walk, old, new, pointer } = self;
        let fields =
            |schema: &'_ Value| schema.get("properties").and_then(Value::as_object).is_some();
        if fields(old) && fields(new) {
            let names = old["properties"].as_object().into_iter().flatten();
            for (name, old) in names {
                if let Some(new) = new["properties"].get(name) {
                    walk.compare(old, new, &below(pointer, name));
                }
            }
        }
        for keyword in ["items", "additionalProperties", "additionalItems"] {
            if let (Some(old @ Value::Object(_)), Some(new @ Value::Object(_))) =
                (old.get(keyword), new.get(keyword))
            {
                walk.compare(old, new, &format!("{pointer}/*"));
            }
        }
    }
}

/// A schema without its notes, for telling whether two are the same.
fn bare(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(object) = &mut schema {
        object.retain(|name, _| !is_note(name));
    }
    schema
}

fn required(schema: &Value) -> BTreeSet<String> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The types that a schema takes; all, where it does not say.
fn types(schema: &Value) -> BTreeSet<&str> {
    const ALL: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
    let mut types: BTreeSet<&str> = match schema.get("type") {
        Some(Value::String(one)) => [one.as_str()].into(),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        // Listed values have a type of their own.
        Some(_) | None if listed_values(schema).is_some() => BTreeSet::new(),
        Some(_) | None => ALL.into(),
    };
    if types.contains("number") {
        types.insert("integer");
    }
    types
}

fn listed(types: &BTreeSet<&str>) -> String {
    match types.len() {
        0 | 7 => "any".to_owned(),
        _ => types.iter().copied().collect::<Vec<_>>().join(" or "),
    }
}

fn listed_values(schema: &Value) -> Option<Vec<Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(only), _) => Some(vec![only.clone()]),
        (None, Some(Value::Array(values))) => Some(values.clone()),
        (None, Some(_) | None) => None,
    }
}
