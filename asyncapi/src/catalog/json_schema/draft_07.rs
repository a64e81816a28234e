//! Making a schema one of the catalog: known keywords only, said in draft-07, with absolute references.

use super::{BLOCK, DEFINITIONS, FOLDER};
use crate::catalog::keywords::{inner, keyword, nearest};
use crate::catalog::schema::reference;
use crate::json::below;
use serde_json::{Map, Value};

/// What keeps a schema out of the catalog.
pub(super) struct Fault {
    /// The place in its file.
    pub(super) pointer: String,
    /// What is wrong, and the remedy.
    pub(super) message: String,
}

fn fault(pointer: String, message: impl Into<String>) -> Fault {
    Fault { pointer, message: message.into() }
}

/// Makes a schema one of the catalog: keywords that are known, in draft-07, with absolute references.
pub(super) fn enter(schema: &mut Value, base: &str, pointer: &str) -> Result<(), Fault> {
    let object = match schema {
        Value::Object(object) => object,
        // Tools disagree about bare booleans; these say the same.
        Value::Bool(true) => {
            *schema = Value::Object(Map::new());
            return Ok(());
        }
        Value::Bool(false) => {
            *schema = serde_json::json!({ "not": {} });
            return Ok(());
        }
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(fault(pointer.to_owned(), "a schema is an object, true or false"));
        }
    };
    to_draft_07(object);
    let names: Vec<String> = object.keys().cloned().collect();
    for name in names {
        if keyword(&name).is_none() {
            return Err(fault(below(pointer, &name), unknown(&name)));
        }
        if name == "$ref" {
            let target = object["$ref"].as_str().unwrap_or_default();
            let absolute = absolute(target, base).ok_or_else(|| {
                let message = format!("`{target}` refers to nothing that a catalog knows; write \"#/definitions/Name\", or \"other.json#/definitions/Name\" for a file in {FOLDER}");
                fault(below(pointer, "$ref"), message)
            })?;
            // In draft-07 nothing beside a reference counts. What is said there would be lost in silence.
            let lost = object.keys().find(|name| !is_annotation(name) && *name != "$ref");
            if let Some(lost) = lost {
                let message = format!(
                    "`{lost}` beside `$ref` counts for nothing in draft-07; put both into `allOf`"
                );
                return Err(fault(below(pointer, lost), message));
            }
            object["$ref"] = reference(&absolute).into();
        }
    }
    for (name, value) in object.iter_mut() {
        // `additionalProperties: false` is understood by all.
        if value.is_boolean() {
            continue;
        }
        for inner in inner(name, value) {
            // The names in `dependencies` may stand for lists of fields instead.
            if !(name == "dependencies" && inner.schema.is_array()) {
                enter(inner.schema, base, &format!("{pointer}{}", inner.pointer))?;
            }
        }
    }
    Ok(())
}

fn is_annotation(name: &str) -> bool {
    matches!(name, "title" | "description" | "$comment" | "deprecated") || name.starts_with("x-")
}

/// The name of the schema that `target` refers to, seen from the file called `base`.
fn absolute(target: &str, base: &str) -> Option<String> {
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let base = if file.is_empty() { base } else { file.strip_suffix(".json")? };
    if fragment.is_empty() || fragment == "/" {
        return Some(base.to_owned());
    }
    let name = DEFINITIONS
        .iter()
        .find_map(|holder| fragment.strip_prefix('/')?.strip_prefix(holder)?.strip_prefix('/'))?;
    let name = name.replace("~1", "/").replace("~0", "~");
    (!name.contains('/')).then(|| format!("{base}.{name}"))
}

/// Says in draft-07 what 2020-12 says in other words.
fn to_draft_07(object: &mut Map<String, Value>) {
    if let Some(tuple) = object.shift_remove("prefixItems") {
        if let Some(rest) = object.shift_remove("items") {
            object.insert("additionalItems".to_owned(), rest);
        }
        object.insert("items".to_owned(), tuple);
    }
    for name in ["dependentRequired", "dependentSchemas"] {
        if let Some(Value::Object(new)) = object.shift_remove(name) {
            let old = object.entry("dependencies").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(old) = old {
                old.extend(new);
            }
        }
    }
}

fn unknown(name: &str) -> String {
    let remedy = match name {
        "unevaluatedProperties" | "unevaluatedItems" => {
            "draft-07 cannot say it; name all fields in one `properties`, an object is closed for publishers anyway".to_owned()
        }
        "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$recursiveRef" | "$id" => {
            "refer to a definition by its path, \"#/definitions/Name\"".to_owned()
        }
        "minContains" | "maxContains" => "draft-07 cannot say it; use `contains` or `minItems`".to_owned(),
        "definitions" | "$defs" => "definitions stand at the root of the file only".to_owned(),
        "nullable" => "write `\"type\": [\"string\", \"null\"]`".to_owned(),
        BLOCK => "it stands at the root of the file only".to_owned(),
        _ => match nearest(name) {
            Some(known) => format!("did you mean `{known}`? Notes of your own start with `x-`"),
            None => "notes of your own start with `x-`".to_owned(),
        },
    };
    format!("`{name}` is no keyword of a catalog's schemas: {remedy}")
}
