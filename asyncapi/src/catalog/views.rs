//! From one schema to its two views: closed for publishers, open for subscribers.

use super::keywords::{Inner, inner};
use serde_json::{Map, Value};

const ADDITIONAL: &str = "additionalProperties";

/// The publish view: an object that does not say what becomes of other fields has none.
///
/// # Errors
/// The JSON pointer of an object that cannot be closed, as some of its fields are named elsewhere.
pub(super) fn close(schema: &Value) -> Result<Value, String> {
    let mut closed = schema.clone();
    close_in(&mut closed, "", false)?;
    Ok(closed)
}

/// The deliver view: whatever the author says, a later version may add fields.
pub(super) fn open(schema: &Value) -> Value {
    let mut open = schema.clone();
    open_in(&mut open);
    open
}

fn close_in(schema: &mut Value, pointer: &str, part_of_combination: bool) -> Result<(), String> {
    let Value::Object(object) = schema else { return Ok(()) };
    // A part of a combination sees the whole object: closing it would refuse the fields of the other parts.
    if !part_of_combination && object.contains_key("properties") && !object.contains_key(ADDITIONAL)
    {
        if combines_fields(object) {
            return Err(pointer.to_owned());
        }
        object.insert(ADDITIONAL.to_owned(), Value::Bool(false));
    }
    for (name, value) in object.iter_mut() {
        for Inner { pointer: step, same_value, schema } in inner(name, value) {
            close_in(schema, &format!("{pointer}{step}"), same_value)?;
        }
    }
    Ok(())
}

fn open_in(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    if object.get(ADDITIONAL) == Some(&Value::Bool(false)) {
        object.shift_remove(ADDITIONAL);
    }
    for (name, value) in object.iter_mut() {
        // Under `not`, more fields allowed would mean fewer values allowed.
        if name != "not" {
            inner(name, value).into_iter().for_each(|inner| open_in(inner.schema));
        }
    }
}

/// Whether schemas for the same object name fields that it does not name itself.
fn combines_fields(object: &mut Map<String, Value>) -> bool {
    let own: Vec<String> = match object.get("properties") {
        Some(Value::Object(fields)) => fields.keys().cloned().collect(),
        Some(_) | None => Vec::new(),
    };
    object.iter_mut().any(|(name, value)| {
        inner(name, value).into_iter().filter(|inner| inner.same_value).any(|inner| {
            let fields = inner.schema.get("properties").and_then(Value::as_object);
            inner.schema.get("$ref").is_some()
                || fields.is_some_and(|fields| fields.keys().any(|name| !own.contains(name)))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_closed_for_publishers_and_open_for_subscribers() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a": { "type": "object", "properties": { "b": {} } },
                "free": { "type": "object", "properties": {}, "additionalProperties": true },
                "map": { "type": "object", "additionalProperties": { "type": "string" } },
            },
            "additionalProperties": false,
        });
        let closed = close(&schema).unwrap();
        assert_eq!(closed["properties"]["a"]["additionalProperties"], false);
        assert_eq!(
            closed["properties"]["free"]["additionalProperties"], true,
            "as its author says"
        );
        assert_eq!(closed["properties"]["map"], schema["properties"]["map"]);
        let open = open(&schema);
        assert!(open.get("additionalProperties").is_none());
        assert_eq!(open["properties"]["map"], schema["properties"]["map"]);
    }

    #[test]
    fn the_parts_of_a_combination_stay_open() {
        let schema = json!({
            "properties": { "text": {}, "image": {} },
            "oneOf": [{ "required": ["text"] }, { "properties": { "image": { "type": "string" } } }],
        });
        let closed = close(&schema).unwrap();
        assert_eq!(closed["additionalProperties"], false);
        assert_eq!(closed["oneOf"], schema["oneOf"]);
    }

    #[test]
    fn an_object_whose_fields_are_named_elsewhere_cannot_be_closed() {
        let inner = json!({ "properties": { "a": {} }, "allOf": [{ "properties": { "b": {} } }] });
        let schema = json!({ "properties": { "x": inner } });
        assert_eq!(close(&schema).unwrap_err(), "/properties/x");
    }
}
