//! The rules of `buf.validate`, as far as JSON Schema can say them.
//!
//! Rules are read by name, so it does not matter whether the catalog brings the original proto file of Protovalidate or
//! uses the built-in one. What cannot be said is refused: a rule that is written and not kept would be worse than none.

use super::value_rules::scalar;
use prost_reflect::{
    DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor,
    Value as Proto,
};
use serde_json::{Map, Value, json};

/// What the rules of a field say beside its schema.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// JSON without the field breaks a rule.
    pub(super) required: bool,
}

/// Adds the rules of a field to its schema.
///
/// # Errors
/// A rule that JSON Schema cannot say, and what to do.
pub(super) fn apply(field: &FieldDescriptor, schema: &mut Value) -> Result<Presence, String> {
    let Some(rules) = option(&field.options(), &extension(field, "buf.validate.field")) else {
        return Ok(Presence::default());
    };
    let ignores = rules.get_field_by_name("ignore").and_then(|value| value.as_enum_number());
    // IGNORE_ALWAYS: the rules are there for somebody else.
    if ignores == Some(3) {
        return Ok(Presence::default());
    }
    let zero_breaks = write(field, &rules, schema)?;
    // IGNORE_IF_ZERO_VALUE: what is not there breaks nothing, and zero is what is not there.
    let looked_at = !field.supports_presence() && ignores != Some(1);
    let required = is_true(&rules, "required") || (looked_at && zero_breaks);
    Ok(Presence { required })
}

/// Whether one member of a oneof has to be set.
///
/// # Errors
/// A rule that JSON Schema cannot say, and what to do.
pub(super) fn oneof_is_required(oneof: &OneofDescriptor) -> Result<bool, String> {
    let extension =
        oneof.parent_message().parent_pool().get_extension_by_name("buf.validate.oneof");
    Ok(option(&oneof.options(), &extension).is_some_and(|rules| is_true(&rules, "required")))
}

/// Refuses the rules of a message as a whole: they are written in a language of their own.
///
/// # Errors
/// There is one.
pub(super) fn check_message(message: &MessageDescriptor) -> Result<(), String> {
    let extension = message.parent_pool().get_extension_by_name("buf.validate.message");
    let Some(rules) = option(&message.options(), &extension) else { return Ok(()) };
    match rules.fields().next() {
        Some((rule, _)) => Err(cannot(rule.name(), "move it to the fields that it is about")),
        None => Ok(()),
    }
}

fn extension(field: &FieldDescriptor, name: &str) -> Option<ExtensionDescriptor> {
    field.parent_message().parent_pool().get_extension_by_name(name)
}

fn option(
    options: &DynamicMessage,
    extension: &Option<ExtensionDescriptor>,
) -> Option<DynamicMessage> {
    let extension = extension.as_ref().filter(|extension| options.has_extension(extension))?;
    options.get_extension(extension).as_message().cloned()
}

fn is_true(rules: &DynamicMessage, name: &str) -> bool {
    rules.get_field_by_name(name).and_then(|value| value.as_bool()).unwrap_or(false)
}

pub(super) fn cannot(rule: &str, remedy: &str) -> String {
    format!("JSON Schema cannot say the rule `{rule}` of buf.validate; {remedy}")
}

/// Writes the rules of a value into its schema; whether the zero value breaks one of them.
fn write(
    field: &FieldDescriptor,
    rules: &DynamicMessage,
    schema: &mut Value,
) -> Result<bool, String> {
    let mut zero_breaks = false;
    for (group, value) in rules.fields() {
        match (group.name(), value) {
            ("required" | "ignore", _) => {}
            ("cel" | "cel_expression", _) => {
                return Err(cannot(
                    group.name(),
                    "use the standard rules, or check it where the event is handled",
                ));
            }
            ("repeated", Proto::Message(rules)) if field.is_list() => {
                zero_breaks |= list(field, rules, schema)?;
            }
            ("map", Proto::Message(rules)) if field.is_map() => {
                zero_breaks |= map(field, rules, schema)?;
            }
            (name, Proto::Message(rules)) if !field.is_list() && !field.is_map() => {
                zero_breaks |= scalar(name, &field.kind(), rules, schema)?;
            }
            (name, _) => {
                return Err(format!("the rules `{name}` are not for a field of this kind"));
            }
        }
    }
    Ok(zero_breaks)
}

/// The rules of the items of a list, of the keys or of the values of a map: these are looked at whenever they are there.
fn write_inner(kind: &Kind, rules: &DynamicMessage, schema: &mut Value) -> Result<(), String> {
    for (group, value) in rules.fields() {
        match (group.name(), value) {
            ("cel" | "cel_expression", _) => {
                return Err(cannot(
                    group.name(),
                    "use the standard rules, or check it where the event is handled",
                ));
            }
            ("required" | "ignore", _) => {
                return Err(cannot(group.name(), "say it of the field, not of what is in it"));
            }
            (name, Proto::Message(rules)) => {
                scalar(name, kind, rules, schema)?;
            }
            (name, _) => {
                return Err(format!("the rules `{name}` are not for a value of this kind"));
            }
        }
    }
    Ok(())
}

fn list(
    field: &FieldDescriptor,
    rules: &DynamicMessage,
    schema: &mut Value,
) -> Result<bool, String> {
    let mut zero_breaks = false;
    for (rule, value) in rules.fields() {
        match (rule.name(), value) {
            ("min_items", Proto::U64(least)) => {
                put(schema, "minItems", json!(least));
                zero_breaks |= *least > 0;
            }
            ("max_items", Proto::U64(most)) => put(schema, "maxItems", json!(most)),
            ("unique", Proto::Bool(unique)) => put(schema, "uniqueItems", json!(unique)),
            ("items", Proto::Message(rules)) => {
                write_inner(&field.kind(), rules, inner(schema, "items"))?;
            }
            (name, _) => return Err(cannot(&format!("repeated.{name}"), "drop it")),
        }
    }
    Ok(zero_breaks)
}

fn map(
    field: &FieldDescriptor,
    rules: &DynamicMessage,
    schema: &mut Value,
) -> Result<bool, String> {
    let mut zero_breaks = false;
    let Kind::Message(entry) = field.kind() else { return Ok(false) };
    for (rule, value) in rules.fields() {
        match (rule.name(), value) {
            ("min_pairs", Proto::U64(least)) => {
                put(schema, "minProperties", json!(least));
                zero_breaks |= *least > 0;
            }
            ("max_pairs", Proto::U64(most)) => put(schema, "maxProperties", json!(most)),
            ("keys", Proto::Message(rules)) => {
                write_inner(
                    &entry.map_entry_key_field().kind(),
                    rules,
                    inner(schema, "propertyNames"),
                )?;
            }
            ("values", Proto::Message(rules)) => {
                write_inner(
                    &entry.map_entry_value_field().kind(),
                    rules,
                    inner(schema, "additionalProperties"),
                )?;
            }
            (name, _) => return Err(cannot(&format!("map.{name}"), "drop it")),
        }
    }
    Ok(zero_breaks)
}

pub(super) fn put(schema: &mut Value, keyword: &str, value: Value) {
    if let Value::Object(object) = schema {
        object.insert(keyword.to_owned(), value);
    }
}

/// The schema under a keyword, made where there is none.
fn inner<'a>(schema: &'a mut Value, keyword: &str) -> &'a mut Value {
    if !schema.is_object() {
        *schema = Value::Object(Map::new());
    }
    &mut schema[keyword]
}
