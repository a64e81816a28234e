//! Compiled schemas, and what they have to say about a value.

use super::effort::Effort;
use super::explain::{causes, explain};
use crate::catalog::{Catalog, Schema, View, reference};
use fanline_core::refusal::Violation;
use jsonschema::canonical::Containment;
use jsonschema::{PatternOptions, ValidationError, ValidationOptions, Validator};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Violations that are looked for in one value; the core passes on no more than it likes.
pub(super) const VIOLATIONS_MAX: usize = fanline_core::limits::VIOLATIONS;

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Checker(Validator);

impl Checker {
    /// Compiles one of `schemas`, with those that it refers to.
    ///
    /// # Errors
    /// What is wrong with one of them: its name, the JSON pointer in it, and a sentence.
    pub(crate) fn new(
        schemas: &BTreeMap<String, Schema>,
        name: &str,
        view: View,
    ) -> Result<Self, SchemaFault> {
        let mut reachable = Map::new();
        for name in closure(schemas, name) {
            reachable.insert(name.clone(), schemas[&name].view(view).clone());
        }
        let document = json!({ "$ref": reference(name), "components": { "schemas": reachable } });
        let mut effort = Effort::of(&document);
        for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            if let Some(message) = effort.fault(schema) {
                return Err(SchemaFault { name: name.clone(), pointer: String::new(), message });
            }
        }
        options()
            // A format that nobody checks would only look like a rule.
            .should_ignore_unknown_formats(false)
            .build(&document)
            .map(Checker)
            .map_err(|error| SchemaFault::new(name, &error))
    }

    /// Compiles a schema of a catalog that was loaded, and so compiled once before.
    pub(crate) fn of(catalog: &Catalog, name: &str, view: View) -> Self {
        Checker::new(&catalog.schemas, name, view).expect("loading has compiled it")
    }

    /// Compiles one schema that refers to nothing outside of itself.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn alone(schema: &Value) -> Result<Self, String> {
        options().build(schema).map(Checker).map_err(|error| error.to_string())
    }

    pub(super) fn compiled(validator: Validator) -> Self {
        Checker(validator)
    }

    /// Whether there is nothing to say about `value`.
    pub(crate) fn is_valid(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }

    /// What is wrong with `value`; empty when nothing is.
    pub(crate) fn violations(&self, value: &Value) -> Vec<Violation> {
        self.0.iter_errors(value).flat_map(|error| explain(&error)).take(VIOLATIONS_MAX).collect()
    }

    /// The same for people at leisure: all of it, and where a value may take several forms, what keeps it from the form that it
    /// comes closest to.
    pub(crate) fn causes(&self, value: &Value) -> Vec<Violation> {
        self.0.iter_errors(value).flat_map(|error| causes(&error)).collect()
    }
}

/// How every schema is compiled: as draft-07, with the formats that the mapping of proto3 uses.
///
/// Patterns come from whoever writes the schema, the text they run on from anybody: this engine needs linear time.
pub(super) fn options<'a>() -> ValidationOptions<'a> {
    jsonschema::draft7::options()
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(true)
        .with_format("uuid", is_uuid)
        .with_format("int64", |text: &str| text.parse::<i64>().is_ok())
        .with_format("uint64", |text: &str| text.parse::<u64>().is_ok())
}

/// RFC 9562 in its usual form; draft-07 does not know it by itself.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Why a schema cannot be used.
#[derive(Debug)]
pub(crate) struct SchemaFault {
    /// The schema.
    pub(crate) name: String,
    /// The place in it.
    pub(crate) pointer: String,
    /// What is wrong.
    pub(crate) message: String,
}

impl SchemaFault {
    fn new(root: &str, error: &ValidationError<'_>) -> Self {
        let path = error.instance_path().to_string();
        let message = error.to_string();
        match path.strip_prefix("/components/schemas/") {
            Some(rest) => {
                let (name, pointer) = match rest.find('/') {
                    Some(slash) => rest.split_at(slash),
                    None => (rest, ""),
                };
                SchemaFault { name: name.to_owned(), pointer: pointer.to_owned(), message }
            }
            None => SchemaFault { name: root.to_owned(), pointer: String::new(), message },
        }
    }
}

/// Whether it is proved that `wide` takes all that `narrow` takes. Neither refers to other schemas.
///
/// False says nothing: the proof is not complete. What formats mean is not looked at.
pub(crate) fn covers(wide: &Value, narrow: &Value) -> bool {
    let canonical = |schema: &Value| {
        let options = jsonschema::canonical::options().with_draft(jsonschema::Draft::Draft7);
        options.canonicalize(schema).ok()
    };
    match (canonical(wide), canonical(narrow)) {
        (Some(wide), Some(narrow)) => {
            wide.covers(&narrow).is_ok_and(|answer| answer == Containment::Yes)
        }
        (_, _) => false,
    }
}

/// Checks that a value is a schema of draft-07.
pub(crate) fn check_schema(schema: &Value) -> Result<(), (String, String)> {
    jsonschema::draft7::meta::validate(schema)
        .map_err(|error| (error.instance_path().to_string(), error.to_string()))
}

/// The names of a schema and of all that it refers to.
fn closure(schemas: &BTreeMap<String, Schema>, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        if let Some(schema) = schemas.get(&name)
            && found.insert(name)
        {
            open.extend(schema.references().map(str::to_owned));
        }
    }
    found
}
