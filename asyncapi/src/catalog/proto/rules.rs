//! The rules of `buf.validate`, as far as JSON Schema can say them.
//!
//! Rules are read by name, so it does not matter whether the catalog brings the original proto file of Protovalidate or
//! uses the built-in one. What cannot be said is refused: a rule that is written and not kept would be worse than none.

use prost_reflect::{
    DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    OneofDescriptor, Value as Proto,
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

fn cannot(rule: &str, remedy: &str) -> String {
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

/// Rules of a single value. Whether its zero value breaks one of them.
fn scalar(
    group: &str,
    kind: &Kind,
    rules: &DynamicMessage,
    schema: &mut Value,
) -> Result<bool, String> {
    let mut zero_breaks = false;
    for (rule, value) in rules.fields() {
        let name = rule.name();
        let full = format!("{group}.{name}");
        zero_breaks |= match kind {
            Kind::String => string(name, &full, value, schema)?,
            Kind::Bool => match (name, value) {
                ("const", Proto::Bool(only)) => {
                    put(schema, "const", json!(only));
                    *only
                }
                _ => return Err(cannot(&full, "drop it")),
            },
            Kind::Enum(values) => enumeration(name, &full, values, value, schema)?,
            Kind::Int32
            | Kind::Sint32
            | Kind::Sfixed32
            | Kind::Uint32
            | Kind::Fixed32
            | Kind::Float
            | Kind::Double => number(name, &full, value, schema)?,
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => {
                wide_number(name, &full, value, schema)?
            }
            Kind::Bytes | Kind::Message(_) => {
                return Err(cannot(&full, "drop it, or check it where the event is handled"));
            }
        };
    }
    Ok(zero_breaks)
}

fn string(name: &str, full: &str, value: &Proto, schema: &mut Value) -> Result<bool, String> {
    match (name, value) {
        ("const", Proto::String(only)) => {
            put(schema, "const", json!(only));
            Ok(!only.is_empty())
        }
        ("len", Proto::U64(length)) => {
            put(schema, "minLength", json!(length));
            put(schema, "maxLength", json!(length));
            Ok(*length > 0)
        }
        ("min_len", Proto::U64(length)) => {
            put(schema, "minLength", json!(length));
            Ok(*length > 0)
        }
        ("max_len", Proto::U64(length)) => {
            put(schema, "maxLength", json!(length));
            Ok(false)
        }
        ("pattern", Proto::String(pattern)) => {
            let regex = regex::Regex::new(pattern).map_err(|error| format!("`{full}`: {error}"))?;
            add_pattern(schema, pattern);
            Ok(!regex.is_match(""))
        }
        ("prefix", Proto::String(text)) => {
            add_pattern(schema, &format!("^{}", regex::escape(text)));
            Ok(!text.is_empty())
        }
        ("suffix", Proto::String(text)) => {
            add_pattern(schema, &format!("{}$", regex::escape(text)));
            Ok(!text.is_empty())
        }
        ("contains", Proto::String(text)) => {
            add_pattern(schema, &regex::escape(text));
            Ok(!text.is_empty())
        }
        ("in", Proto::List(values)) => {
            let texts: Vec<_> = values.iter().filter_map(Proto::as_str).collect();
            put(schema, "enum", json!(texts));
            Ok(!texts.contains(&""))
        }
        ("not_in", Proto::List(values)) => {
            let texts: Vec<_> = values.iter().filter_map(Proto::as_str).collect();
            put(schema, "not", json!({ "enum": texts }));
            Ok(texts.contains(&""))
        }
        ("email" | "hostname" | "ipv4" | "ipv6" | "uri" | "uuid", Proto::Bool(true)) => {
            put(schema, "format", json!(name));
            Ok(true)
        }
        ("uri_ref", Proto::Bool(true)) => {
            put(schema, "format", json!("uri-reference"));
            Ok(false)
        }
        (_, Proto::Bool(false)) => Ok(false),
        ("min_bytes" | "max_bytes" | "len_bytes", _) => {
            Err(cannot(full, "it counts characters: use `min_len`, `max_len` or `len`"))
        }
        _ => Err(cannot(full, "say it with `pattern`")),
    }
}

fn enumeration(
    name: &str,
    full: &str,
    values: &EnumDescriptor,
    value: &Proto,
    schema: &mut Value,
) -> Result<bool, String> {
    let name_of = |number: i32| values.get_value(number).map(|value| value.name().to_owned());
    let numbers = |value: &Proto| -> Vec<i32> {
        value.as_list().unwrap_or_default().iter().filter_map(Proto::as_i32).collect()
    };
    let keep = |schema: &mut Value, kept: &dyn Fn(i32) -> bool| {
        let names: Vec<_> = values
            .values()
            .filter(|value| kept(value.number()))
            .map(|value| value.name().to_owned())
            .collect();
        // The schema may be a reference to the whole enum: what is left stands here instead.
        *schema = json!({ "type": "string", "enum": names });
    };
    match (name, value) {
        // A name that is not defined cannot be written anyway.
        ("defined_only", Proto::Bool(_)) => Ok(false),
        ("const", Proto::I32(only)) => {
            name_of(*only).ok_or_else(|| format!("`{full}`: the enum has no value {only}"))?;
            keep(schema, &|number| number == *only);
            Ok(*only != 0)
        }
        ("in", list @ Proto::List(_)) => {
            let wanted = numbers(list);
            keep(schema, &|number| wanted.contains(&number));
            Ok(!wanted.contains(&0))
        }
        ("not_in", list @ Proto::List(_)) => {
            let unwanted = numbers(list);
            keep(schema, &|number| !unwanted.contains(&number));
            Ok(unwanted.contains(&0))
        }
        _ => Err(cannot(full, "use `in` or `not_in`")),
    }
}

fn number(name: &str, full: &str, value: &Proto, schema: &mut Value) -> Result<bool, String> {
    if name == "finite" {
        // Without the names of what is not finite.
        *schema = json!({ "type": "number" });
        return Ok(false);
    }
    let as_number = |value: &Proto| {
        let whole = value.as_i32().map(f64::from).or_else(|| value.as_u32().map(f64::from));
        whole.or_else(|| value.as_f32().map(f64::from)).or_else(|| value.as_f64())
    };
    let as_json = |value: &Proto| {
        let whole = value.as_i32().map(Value::from).or_else(|| value.as_u32().map(Value::from));
        let broken = || value.as_f32().map(Value::from).or_else(|| value.as_f64().map(Value::from));
        whole.or_else(broken).unwrap_or(Value::Null)
    };
    let (keyword, breaks): (_, fn(f64) -> bool) = match name {
        "lt" => ("exclusiveMaximum", |bound| 0.0 >= bound),
        "lte" => ("maximum", |bound| 0.0 > bound),
        "gt" => ("exclusiveMinimum", |bound| 0.0 <= bound),
        "gte" => ("minimum", |bound| 0.0 < bound),
        "const" => ("const", |only| only != 0.0),
        "in" | "not_in" => {
            let values = value.as_list().unwrap_or_default();
            let all: Vec<_> = values.iter().map(as_json).collect();
            let has_zero = values.iter().any(|value| as_number(value) == Some(0.0));
            if name == "in" {
                put(schema, "enum", all.into());
            } else {
                put(schema, "not", json!({ "enum": all }));
            }
            return Ok(has_zero != (name == "in"));
        }
        _ => return Err(cannot(full, "drop it")),
    };
    let bound = as_number(value).ok_or_else(|| cannot(full, "drop it"))?;
    // A bound speaks of numbers: next to it, `NaN` and its like are no values.
    if schema.get("anyOf").is_some() {
        *schema = json!({ "type": "number" });
    }
    put(schema, keyword, as_json(value));
    Ok(breaks(bound))
}

/// Numbers of 64 bits are texts in JSON, so that only those can be said that are listed one by one.
fn wide_number(name: &str, full: &str, value: &Proto, schema: &mut Value) -> Result<bool, String> {
    let text = |value: &Proto| {
        let signed = value.as_i64().map(|number| number.to_string());
        signed.or_else(|| value.as_u64().map(|number| number.to_string()))
    };
    match name {
        "const" => {
            let only = text(value).ok_or_else(|| cannot(full, "drop it"))?;
            put(schema, "const", json!(only));
            Ok(only != "0")
        }
        "in" | "not_in" => {
            let all: Vec<_> = value.as_list().unwrap_or_default().iter().filter_map(text).collect();
            let has_zero = all.iter().any(|text| text == "0");
            if name == "in" {
                put(schema, "enum", json!(all));
            } else {
                put(schema, "not", json!({ "enum": all }));
            }
            Ok(has_zero != (name == "in"))
        }
        // The two bounds that many mean, and that a pattern can say.
        "gt" if text(value).as_deref() == Some("0") => {
            add_pattern(schema, "^[1-9]");
            Ok(true)
        }
        "gte" if text(value).as_deref() == Some("0") => {
            add_pattern(schema, "^[0-9]");
            Ok(false)
        }
        _ => Err(cannot(
            full,
            "a number of 64 bits is a text in JSON: use a type of 32 bits, or `gt: 0`, `gte: 0`, `in`, `const`",
        )),
    }
}

fn put(schema: &mut Value, keyword: &str, value: Value) {
    if let Value::Object(object) = schema {
        object.insert(keyword.to_owned(), value);
    }
}

/// A value may have to match several patterns, of which one schema has room for one.
fn add_pattern(schema: &mut Value, pattern: &str) {
    let Value::Object(object) = schema else { return };
    if !object.contains_key("pattern") {
        object.insert("pattern".to_owned(), pattern.into());
        return;
    }
    let more = object.entry("allOf").or_insert_with(|| json!([]));
    if let Value::Array(more) = more {
        more.push(json!({ "pattern": pattern }));
    }
}

/// The schema under a keyword, made where there is none.
fn inner<'a>(schema: &'a mut Value, keyword: &str) -> &'a mut Value {
    if !schema.is_object() {
        *schema = Value::Object(Map::new());
    }
    &mut schema[keyword]
}
