//! The rules of `buf.validate` for a single value: a text, a number, an enum.

use super::rules::{cannot, put};
use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, Value as Proto};
use serde_json::{Value, json};

/// Rules of a single value. Whether its zero value breaks one of them.
pub(super) fn scalar(
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
