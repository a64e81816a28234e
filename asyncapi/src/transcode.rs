//! From a protobuf body to the canonical JSON of proto3, which is what clients read.

use fanline_core::refusal::Violation;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage, SerializeOptions, Value};
use std::fmt::Write;
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
pub(crate) fn to_json(body: &[u8], descriptor: &MessageDescriptor) -> Result<Vec<u8>, Violation> {
    let message = DynamicMessage::decode(descriptor.clone(), body).map_err(|error| Violation {
        pointer: String::new(),
        rule: "protobuf".into(),
        message: format!("not a `{}`: {error}", descriptor.full_name()),
    })?;
    if let Some(violation) = fault_of(&message, "") {
        return Err(violation);
    }
    let mut text = Vec::with_capacity(2 * body.len());
    let mut serializer = serde_json::Serializer::new(&mut text);
    match message.serialize_with_options(&mut serializer, &SerializeOptions::new()) {
        Ok(()) => Ok(text),
        Err(error) => Err(Violation {
            pointer: String::new(),
            rule: "protobuf".into(),
            message: format!("a `{}` without a JSON form: {error}", descriptor.full_name()),
        }),
    }
}

/// The first thing that JSON would not show, in the message or in one inside it: a field that no descriptor knows, or a
/// time outside of what the types for it may hold.
fn fault_of(message: &DynamicMessage, pointer: &str) -> Option<Violation> {
    let descriptor = message.descriptor();
    let name = descriptor.full_name();
    let violation = |rule: &'static str, message: String| {
        Some(Violation { pointer: pointer.to_owned(), rule: rule.into(), message })
    };
    if let Some(field) = message.unknown_fields().next() {
        let message = format!("`{name}` has no field with the number {}", field.number());
        return violation("unknownField", message);
    }
    if !is_in_range(name, message) {
        return violation("range", format!("outside of what a `{name}` may hold"));
    }
    message.fields().find_map(|(field, value)| {
        let mut pointer = pointer.to_owned();
        crate::json::push_name(&mut pointer, field.json_name());
        fault_in(value, &pointer)
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

fn fault_in(value: &Value, pointer: &str) -> Option<Violation> {
    match value {
        Value::Message(message) => fault_of(message, pointer),
        Value::List(items) => items.iter().enumerate().find_map(|(index, item)| {
            // Only messages can be at fault: the rest costs no pointer.
            item.as_message().and_then(|_| {
                let mut pointer = pointer.to_owned();
                write!(pointer, "/{index}").expect("a String takes all");
                fault_in(item, &pointer)
            })
        }),
        Value::Map(entries) => entries.values().find_map(|value| fault_in(value, pointer)),
        Value::Bool(_)
        | Value::I32(_)
        | Value::I64(_)
        | Value::U32(_)
        | Value::U64(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::String(_)
        | Value::Bytes(_)
        | Value::EnumNumber(_) => None,
    }
}
