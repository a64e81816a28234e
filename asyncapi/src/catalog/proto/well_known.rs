//! The messages of `google.protobuf` that have a JSON form of their own.

use serde_json::{Value, json};

/// The schema of a well-known type's JSON form. None: a message like any other.
pub(super) fn schema(full_name: &str) -> Option<Value> {
    let schema = match full_name.strip_prefix("google.protobuf.")? {
        "Timestamp" => json!({
            "type": "string",
            "format": "date-time",
            // RFC 3339 with at most nanoseconds, in capital letters.
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$",
        }),
        "Duration" => json!({ "type": "string", "pattern": r"^-?\d{1,12}(\.\d{1,9})?s$" }),
        "FieldMask" => json!({
            "type": "string",
            "pattern": r"^([a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)*(,[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)*)*)?$",
        }),
        "Struct" => json!({ "type": "object" }),
        "ListValue" => json!({ "type": "array" }),
        "Value" => json!({}),
        "Any" => json!({
            "type": "object",
            "required": ["@type"],
            "properties": { "@type": { "type": "string", "minLength": 1 } },
            "additionalProperties": true,
        }),
        "Empty" => json!({ "type": "object", "properties": {} }),
        "DoubleValue" => nullable(double()),
        "FloatValue" => nullable(float()),
        "Int64Value" => nullable(int64()),
        "UInt64Value" => nullable(uint64()),
        "Int32Value" => nullable(int32()),
        "UInt32Value" => nullable(uint32()),
        "BoolValue" => nullable(json!({ "type": "boolean" })),
        "StringValue" => nullable(json!({ "type": "string" })),
        "BytesValue" => nullable(bytes()),
        _ => return None,
    };
    Some(schema)
}

/// A number, or the name of one that JSON cannot write.
pub(super) fn double() -> Value {
    json!({ "anyOf": [{ "type": "number" }, not_finite()] })
}

/// As [`double`], within what 32 bits can hold, rounded up in its last digit.
pub(super) fn float() -> Value {
    let most = 3.402_823_5e38;
    json!({ "anyOf": [{ "type": "number", "minimum": -most, "maximum": most }, not_finite()] })
}

fn not_finite() -> Value {
    json!({ "enum": ["NaN", "Infinity", "-Infinity"] })
}

pub(super) fn int32() -> Value {
    json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX })
}

pub(super) fn uint32() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
}

/// A text, since a reader in JavaScript would round the number.
pub(super) fn int64() -> Value {
    json!({ "type": "string", "format": "int64", "pattern": r"^(0|-?[1-9]\d{0,18})$" })
}

/// A text, as for [`int64`].
pub(super) fn uint64() -> Value {
    json!({ "type": "string", "format": "uint64", "pattern": r"^(0|[1-9]\d{0,19})$" })
}

pub(super) fn bytes() -> Value {
    json!({
        "type": "string",
        "contentEncoding": "base64",
        "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    })
}

/// A wrapper tells "not there" from zero, and `null` is how it may say so.
fn nullable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}
