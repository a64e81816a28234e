//! From a protobuf body to the canonical JSON of proto3, which is what clients read.
//!
//! One walk over the message looks for what JSON would not show and builds the JSON as a value, which can be checked
//! without being read again. The types that have a JSON form of their own (`Timestamp`, `Struct`, `Any`...) are left to
//! `prost-reflect`; the rest of the mapping is <https://protobuf.dev/programming-guides/json/>.

use crate::json;
use crate::limits::JSON_DEPTH;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fanline_core::refusal::Violation;
use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, ReflectMessage};
use prost_reflect::{SerializeOptions, Value as Proto};
use serde_json::{Map, Number, Value};
use std::ops::RangeInclusive;

/// The media type of bodies that are protobuf messages.
const PROTOBUF: &str = "application/protobuf";

/// Whether a media type, parameters aside, is that of protobuf.
pub(crate) fn is_protobuf(content_type: &str) -> bool {
    let bare = content_type.split_once(';').map_or(content_type, |(bare, _)| bare);
    bare.trim().eq_ignore_ascii_case(PROTOBUF)
}

/// The body as JSON: names in lowerCamelCase, numbers of 64 bits as text, enum values by name, defaults left out.
///
/// # Errors
/// What is wrong with the body. A field that the catalog does not know is an error like one in JSON: dropping it would
/// lose what the publisher said.
pub(crate) fn to_json(body: &[u8], descriptor: &MessageDescriptor) -> Result<Value, Violation> {
    let message = DynamicMessage::decode(descriptor.clone(), body).map_err(|error| Violation {
        pointer: String::new(),
        rule: "protobuf".into(),
        message: format!("not a `{}`: {error}", descriptor.full_name()),
    })?;
    of_message(&message, 0).map_err(Fault::into_violation)
}

/// What is at fault, and the steps to it from the inside out: a message without fault costs no path.
struct Fault {
    rule: &'static str,
    message: String,
    path: Vec<String>,
}

impl Fault {
    fn new(rule: &'static str, message: String) -> Self {
        Fault { rule, message, path: Vec::new() }
    }

    fn below(mut self, step: impl ToString) -> Self {
        self.path.push(step.to_string());
        self
    }

    fn into_violation(self) -> Violation {
        let mut pointer = String::new();
        self.path.iter().rev().for_each(|step| json::push_name(&mut pointer, step));
        Violation { pointer, rule: self.rule.into(), message: self.message }
    }
}

/// `depth`: the levels of JSON around it.
fn of_message(message: &DynamicMessage, depth: usize) -> Result<Value, Fault> {
    let descriptor = message.descriptor();
    let name = descriptor.full_name();
    if let Some(field) = message.unknown_fields().next() {
        let text = format!("`{name}` has no field with the number {}", field.number());
        return Err(Fault::new("unknownField", text));
    }
    if descriptor.package_name() == "google.protobuf" {
        return of_well_known(message, name, depth);
    }
    check_depth(depth)?;
    let mut object = Map::with_capacity(descriptor.fields().len());
    for (field, value) in message.fields() {
        let below = |fault: Fault| fault.below(field.json_name());
        let value = of_value(value, &field.kind(), depth + 1).map_err(below)?;
        object.insert(field.json_name().to_owned(), value);
    }
    Ok(Value::Object(object))
}

fn of_value(value: &Proto, kind: &Kind, depth: usize) -> Result<Value, Fault> {
    Ok(match value {
        Proto::Bool(value) => Value::Bool(*value),
        Proto::I32(value) => Value::Number((*value).into()),
        Proto::U32(value) => Value::Number((*value).into()),
        // A double of JavaScript does not hold all of them.
        Proto::I64(value) => Value::String(value.to_string()),
        Proto::U64(value) => Value::String(value.to_string()),
        // The shortest text that is this number as a float: as a double, 0.1 would be 0.10000000149011612.
        Proto::F32(value) => of_double(value.to_string().parse().unwrap_or(f64::NAN)),
        Proto::F64(value) => of_double(*value),
        Proto::String(text) => Value::String(text.clone()),
        Proto::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        Proto::EnumNumber(number) => of_enum(*number, kind),
        Proto::Message(message) => of_message(message, depth)?,
        Proto::List(items) => {
            check_depth(depth)?;
            let item = |(index, item): (usize, &Proto)| {
                of_value(item, kind, depth + 1).map_err(|fault| fault.below(index))
            };
            Value::Array(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        Proto::Map(entries) => {
            check_depth(depth)?;
            let Kind::Message(entry) = kind else { unreachable!("a map is a message of entries") };
            let kind = entry.map_entry_value_field().kind();
            let mut object = Map::with_capacity(entries.len());
            for (key, value) in entries {
                let key = of_key(key);
                let value = of_value(value, &kind, depth + 1).map_err(|fault| fault.below(&key))?;
                object.insert(key, value);
            }
            Value::Object(object)
        }
    })
}

fn of_double(value: f64) -> Value {
    let special = || {
        if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
    };
    Number::from_f64(value).map_or_else(|| Value::String(special().to_owned()), Value::Number)
}

/// The name of a value; of one that the enum does not have, as open enums allow, its number.
fn of_enum(number: i32, kind: &Kind) -> Value {
    let Kind::Enum(descriptor) = kind else { return Value::Number(number.into()) };
    match descriptor.get_value(number) {
        _ if descriptor.full_name() == "google.protobuf.NullValue" => Value::Null,
        Some(value) => Value::String(value.name().to_owned()),
        None => Value::Number(number.into()),
    }
}

fn of_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(value) => value.to_string(),
        MapKey::I32(value) => value.to_string(),
        MapKey::I64(value) => value.to_string(),
        MapKey::U32(value) => value.to_string(),
        MapKey::U64(value) => value.to_string(),
        MapKey::String(text) => text.clone(),
    }
}

fn check_depth(depth: usize) -> Result<(), Fault> {
    if depth < JSON_DEPTH {
        return Ok(());
    }
    Err(Fault::new("depth", format!("more than {JSON_DEPTH} levels deep")))
}

/// A type of protobuf itself, whose JSON is written by the library.
fn of_well_known(message: &DynamicMessage, name: &str, depth: usize) -> Result<Value, Fault> {
    if !is_in_range(name, message) {
        return Err(Fault::new("range", format!("outside of what a `{name}` may hold")));
    }
    let no_json = |error: serde_json::Error| {
        Fault::new("protobuf", format!("a `{name}` without a JSON form: {error}"))
    };
    let options = SerializeOptions::new();
    // Often used, and nothing but a text.
    if matches!(
        name,
        "google.protobuf.Timestamp" | "google.protobuf.Duration" | "google.protobuf.StringValue"
    ) {
        let value = message.serialize_with_options(serde_json::value::Serializer, &options);
        return value.map_err(no_json);
    }
    // The others may hold anything, so it is read like anything: to so many levels, and floats as they are written.
    let mut text = Vec::new();
    message
        .serialize_with_options(&mut serde_json::Serializer::new(&mut text), &options)
        .map_err(no_json)?;
    json::parse_at(&text, depth).map_err(|fault| {
        let violation = fault.into_violation();
        Fault::new("protobuf", format!("{}: {}", violation.pointer, violation.message))
    })
}

/// Seconds from the start of the year 1 to the end of 9999, as `google.protobuf.Timestamp` has them.
const TIMESTAMP_SECONDS: RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// About 10,000 years, as `google.protobuf.Duration` has them.
const DURATION_SECONDS: RangeInclusive<i64> = -315_576_000_000..=315_576_000_000;
const NANOS_OF_A_SECOND: i32 = 999_999_999;

/// Whether a message is a time that its type may hold, or no time at all.
fn is_in_range(name: &str, message: &DynamicMessage) -> bool {
    let seconds = || message.get_field_by_number(1).and_then(|value| value.as_i64()).unwrap_or(0);
    let nanos = || message.get_field_by_number(2).and_then(|value| value.as_i32()).unwrap_or(0);
    match name {
        "google.protobuf.Timestamp" => {
            TIMESTAMP_SECONDS.contains(&seconds()) && (0..=NANOS_OF_A_SECOND).contains(&nanos())
        }
        "google.protobuf.Duration" => {
            let (seconds, nanos) = (seconds(), nanos());
            let one_sign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
            DURATION_SECONDS.contains(&seconds)
                && (-NANOS_OF_A_SECOND..=NANOS_OF_A_SECOND).contains(&nanos)
                && one_sign
        }
        _ => true,
    }
}
