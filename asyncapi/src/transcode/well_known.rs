//! The messages of `google.protobuf` that have a JSON form of their own.
//!
//! Their schemas stand in `catalog/proto/well_known.rs`.

use super::canonical::check_depth;
use super::fault::Fault;
use super::plan::{MessagePlan, Plans};
use super::wire::{Datum, Message};
use prost_types::{Duration, Timestamp};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// How the JSON of a message type looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// An object of its fields.
    Fields,
    /// An object without any. Apart from [`Form::Fields`], since within an `Any` it is written otherwise.
    Empty,
    Timestamp,
    Duration,
    FieldMask,
    /// What its one field `fields`, `values` or `value` is.
    Struct,
    List,
    Wrapper,
    /// What its one oneof is.
    Value,
    Any,
}

impl Form {
    /// Of the type with this full name.
    pub(super) fn of(full_name: &str) -> Self {
        match full_name.strip_prefix("google.protobuf.") {
            Some("Empty") => Form::Empty,
            Some("Timestamp") => Form::Timestamp,
            Some("Duration") => Form::Duration,
            Some("FieldMask") => Form::FieldMask,
            Some("Struct") => Form::Struct,
            Some("ListValue") => Form::List,
            Some("Value") => Form::Value,
            Some("Any") => Form::Any,
            Some(
                "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value"
                | "UInt32Value" | "BoolValue" | "StringValue" | "BytesValue",
            ) => Form::Wrapper,
            Some(_) | None => Form::Fields,
        }
    }
}

impl Plans {
    /// The JSON of a message whose type has a form of its own.
    pub(super) fn well_known_json(
        &self,
        plan: &MessagePlan,
        message: &Message<'_>,
        depth: usize,
    ) -> Result<Value, Fault> {
        match plan.form {
            Form::Fields | Form::Empty => {
                let mut object = Map::new();
                self.write_fields(&mut object, plan, message, depth)?;
                Ok(Value::Object(object))
            }
            Form::Timestamp => timestamp(plan, message),
            Form::Duration => duration(plan, message),
            Form::FieldMask => field_mask(plan, message),
            Form::Struct | Form::List | Form::Wrapper => self.only_field(plan, message, depth),
            Form::Value => self.value(plan, message, depth),
            Form::Any => self.any(plan, message, depth),
        }
    }

    /// A message that stands for what its one field holds.
    fn only_field(
        &self,
        plan: &MessagePlan,
        message: &Message<'_>,
        depth: usize,
    ) -> Result<Value, Fault> {
        let Some(field) = plan.fields.first() else {
            return Err(Fault::no_json(&plan.name, "its type has no field"));
        };
        let nothing =
            if plan.form == Form::Wrapper { field.kind.zero() } else { Datum::Many(Vec::new()) };
        self.field_json(field, message.get(0).unwrap_or(&nothing), depth)
    }

    /// `google.protobuf.Value`: any JSON.
    fn value(
        &self,
        plan: &MessagePlan,
        message: &Message<'_>,
        depth: usize,
    ) -> Result<Value, Fault> {
        match message.fields().next() {
            None => Ok(Value::Null),
            Some((_, Datum::Double(number))) if !number.is_finite() => {
                Err(Fault::no_json(&plan.name, "JSON has no number that is not finite"))
            }
            Some((place, datum)) => self.field_json(&plan.fields[place], datum, depth),
        }
    }

    /// `google.protobuf.Any`: a message with its type. One with a form of its own stands in a field `value`, the fields
    /// of another beside the type.
    fn any(&self, plan: &MessagePlan, message: &Message<'_>, depth: usize) -> Result<Value, Fault> {
        let type_url = text(plan, message, 1).unwrap_or_default();
        let bytes = match field(plan, message, 2) {
            Some(Datum::Bytes(bytes)) => *bytes,
            Some(_) | None => &[],
        };
        let Some((_, name)) = type_url.rsplit_once('/') else {
            let why = format!("`{type_url}` has no '/' before the name of a type");
            return Err(Fault::no_json(&plan.name, &why));
        };
        let Some(of) = self.find(name) else {
            return Err(Fault::no_json(
                &plan.name,
                &format!("the catalog has no message `{name}`"),
            ));
        };
        let inner = self.read(of, bytes).map_err(|error| {
            Fault::no_json(&plan.name, &format!("its value is not a `{name}`: {error}"))
        })?;
        check_depth(depth)?;
        let mut object = Map::new();
        object.insert("@type".to_owned(), type_url.into());
        let inner_plan = self.message(of);
        if inner_plan.form == Form::Fields {
            inner_plan.check_known(&inner)?;
            self.write_fields(&mut object, inner_plan, &inner, depth)?;
        } else {
            let value = self.message_json(of, &inner, depth + 1);
            object.insert("value".to_owned(), value.map_err(|fault| fault.below("value"))?);
        }
        Ok(Value::Object(object))
    }
}

/// Seconds from the start of the year 1 to the end of 9999.
const TIMESTAMP_SECONDS: RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// About 10,000 years.
const DURATION_SECONDS: RangeInclusive<i64> = -315_576_000_000..=315_576_000_000;
const NANOS_OF_A_SECOND: i32 = 999_999_999;

/// RFC 3339 in UTC.
fn timestamp(plan: &MessagePlan, message: &Message<'_>) -> Result<Value, Fault> {
    let (seconds, nanos) = seconds_and_nanos(plan, message);
    if !TIMESTAMP_SECONDS.contains(&seconds) || !(0..=NANOS_OF_A_SECOND).contains(&nanos) {
        return Err(out_of_range(plan));
    }
    Ok(Value::String(Timestamp { seconds, nanos }.to_string()))
}

/// Seconds, with the unit.
fn duration(plan: &MessagePlan, message: &Message<'_>) -> Result<Value, Fault> {
    let (seconds, nanos) = seconds_and_nanos(plan, message);
    let one_sign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
    let nanos_range = -NANOS_OF_A_SECOND..=NANOS_OF_A_SECOND;
    if !DURATION_SECONDS.contains(&seconds) || !nanos_range.contains(&nanos) || !one_sign {
        return Err(out_of_range(plan));
    }
    Ok(Value::String(Duration { seconds, nanos }.to_string()))
}

fn seconds_and_nanos(plan: &MessagePlan, message: &Message<'_>) -> (i64, i32) {
    let seconds = match field(plan, message, 1) {
        Some(Datum::Int64(seconds)) => *seconds,
        Some(_) | None => 0,
    };
    let nanos = match field(plan, message, 2) {
        Some(Datum::Int32(nanos)) => *nanos,
        Some(_) | None => 0,
    };
    (seconds, nanos)
}

fn out_of_range(plan: &MessagePlan) -> Fault {
    Fault::new("range", format!("outside of what a `{}` may hold", plan.name))
}

/// Its paths in lowerCamelCase, with commas between them.
fn field_mask(plan: &MessagePlan, message: &Message<'_>) -> Result<Value, Fault> {
    let mut paths = String::new();
    let elements = match field(plan, message, 1) {
        Some(Datum::Many(elements)) => elements.as_slice(),
        Some(_) | None => &[],
    };
    for (index, element) in elements.iter().enumerate() {
        let Datum::Text(path) = element else { continue };
        if index > 0 {
            paths.push(',');
        }
        if !push_camel_case(&mut paths, path) {
            let why = format!("the path `{path}` could not be told from another in lowerCamelCase");
            return Err(Fault::no_json(&plan.name, &why));
        }
    }
    Ok(Value::String(paths))
}

/// Appends `snake_case` as `snakeCase`. False: the way back would lead elsewhere.
fn push_camel_case(out: &mut String, path: &str) -> bool {
    let mut after_underscore = false;
    for letter in path.chars() {
        let is_lower = letter.is_ascii_lowercase();
        if letter.is_ascii_uppercase() || (after_underscore && !is_lower) {
            return false;
        }
        if letter != '_' {
            out.push(if after_underscore { letter.to_ascii_uppercase() } else { letter });
        }
        after_underscore = letter == '_';
    }
    !after_underscore
}

/// What the field with this number holds.
fn field<'m, 'a>(
    plan: &MessagePlan,
    message: &'m Message<'a>,
    number: u32,
) -> Option<&'m Datum<'a>> {
    message.get(plan.position(number)?)
}

fn text<'a>(plan: &MessagePlan, message: &Message<'a>, number: u32) -> Option<&'a str> {
    match field(plan, message, number) {
        Some(Datum::Text(text)) => Some(text),
        Some(_) | None => None,
    }
}
