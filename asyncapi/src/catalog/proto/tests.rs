//! What is wrong with proto files is said with its line; rules of `buf.validate` become keywords or are refused.

use crate::Catalog;
use crate::catalog::{CatalogErrors, Source};
use serde_json::{Value, json};

const MANIFEST: &str = "[info]\ntitle = 'T'\n[channels.room]\naddress = 'chat:{room}'\n";

/// A file whose message `Said` has these fields, from line 12 on.
fn said(fields: &str) -> String {
    format!(
        r#"syntax = "proto3";
package chat.v1;
import "buf/validate/validate.proto";
import "fanline/catalog/v1/options.proto";
import "google/protobuf/timestamp.proto";

// What was said.
//
// In two paragraphs.
message Said {{
  option (fanline.catalog.v1.event) = {{type: "said" channels: "room"}};
{fields}
}}
message Inner {{ string text = 1; }}
enum Kind {{ KIND_UNSPECIFIED = 0; KIND_A = 1; KIND_B = 2; }}
"#
    )
}

fn load(text: &str) -> Result<Catalog, CatalogErrors> {
    Catalog::load(&Source::of("c", [("catalog.toml", MANIFEST), ("proto/chat.proto", text)]))
}

fn schema(fields: &str) -> Value {
    let catalog = load(&said(fields)).unwrap_or_else(|errors| panic!("{errors}"));
    catalog.schema("chat.v1.Said").unwrap().publish.clone()
}

#[test]
fn a_message_with_the_option_is_an_event_type() {
    let catalog = load(&said("  // The text.\n  string the_text = 1;")).unwrap();
    let event = catalog.event("said").unwrap();
    assert_eq!((event.title.as_str(), event.schema.as_str()), ("Said", "chat.v1.Said"));
    assert_eq!(event.description.as_deref(), Some("What was said.\n\nIn two paragraphs."));
    assert_eq!(event.place.to_string(), "c/proto/chat.proto:10");
    let schema = catalog.schema("chat.v1.Said").unwrap();
    assert_eq!(
        schema.publish["properties"]["theText"],
        json!({ "description": "The text.", "type": "string" })
    );
    assert_eq!(schema.publish["additionalProperties"], false);
    assert!(schema.deliver.get("additionalProperties").is_none());
    assert!(catalog.schema("chat.v1.Inner").is_none(), "nothing refers to it");
}

#[test]
fn rules_become_keywords_and_what_zero_breaks_is_required() {
    let table = [
        (
            "string x = 1 [(buf.validate.field).string = {min_len: 1, max_len: 9}];",
            json!({ "type": "string", "minLength": 1, "maxLength": 9 }),
            true,
        ),
        (
            "string x = 1 [(buf.validate.field).string.max_len = 9];",
            json!({ "type": "string", "maxLength": 9 }),
            false,
        ),
        (
            "optional string x = 1 [(buf.validate.field).string.min_len = 1];",
            json!({ "type": "string", "minLength": 1 }),
            false,
        ),
        (
            "string x = 1 [(buf.validate.field) = {ignore: IGNORE_IF_ZERO_VALUE, string: {min_len: 2}}];",
            json!({ "type": "string", "minLength": 2 }),
            false,
        ),
        (
            "string x = 1 [(buf.validate.field) = {ignore: IGNORE_ALWAYS, string: {min_len: 2}}];",
            json!({ "type": "string" }),
            false,
        ),
        (
            "string x = 1 [(buf.validate.field).string = {prefix: \"a.\", pattern: \"z$\"}];",
            json!({ "type": "string", "pattern": "z$", "allOf": [{ "pattern": "^a\\." }] }),
            true,
        ),
        (
            "string x = 1 [(buf.validate.field).string.email = true];",
            json!({ "type": "string", "format": "email" }),
            true,
        ),
        (
            "string x = 1 [(buf.validate.field).string = {in: [\"a\", \"b\"]}];",
            json!({ "type": "string", "enum": ["a", "b"] }),
            true,
        ),
        ("string x = 1 [(buf.validate.field).required = true];", json!({ "type": "string" }), true),
        (
            "int32 x = 1 [(buf.validate.field).int32 = {gte: 1, lt: 10}];",
            json!({ "type": "integer", "minimum": 1, "maximum": 2_147_483_647, "exclusiveMaximum": 10 }),
            true,
        ),
        (
            "int32 x = 1 [(buf.validate.field).int32.gte = -1];",
            json!({ "type": "integer", "minimum": -1, "maximum": 2_147_483_647 }),
            false,
        ),
        (
            "double x = 1 [(buf.validate.field).double.gt = 0];",
            json!({ "type": "number", "exclusiveMinimum": 0.0 }),
            true,
        ),
        (
            "float x = 1 [(buf.validate.field).float.finite = true];",
            json!({ "type": "number" }),
            false,
        ),
        (
            "int64 x = 1 [(buf.validate.field).int64 = {in: [1, 2]}];",
            json!({ "type": "string", "format": "int64", "pattern": "^(0|-?[1-9]\\d{0,18})$", "enum": ["1", "2"] }),
            true,
        ),
        (
            "Kind x = 1 [(buf.validate.field).enum = {not_in: [0]}];",
            json!({ "type": "string", "enum": ["KIND_A", "KIND_B"] }),
            true,
        ),
        (
            "Kind x = 1 [(buf.validate.field).enum.defined_only = true];",
            json!({ "$ref": "#/components/schemas/chat.v1.Kind" }),
            false,
        ),
        (
            "bool x = 1 [(buf.validate.field).bool.const = true];",
            json!({ "type": "boolean", "const": true }),
            true,
        ),
        (
            "repeated string x = 1 [(buf.validate.field).repeated = {min_items: 1, unique: true, items: {string: {max_len: 3}}}];",
            json!({ "type": "array", "items": { "type": "string", "maxLength": 3 }, "minItems": 1, "uniqueItems": true }),
            true,
        ),
        (
            "map<string, string> x = 1 [(buf.validate.field).map = {max_pairs: 2, values: {string: {max_len: 3}}}];",
            json!({ "type": "object", "additionalProperties": { "type": "string", "maxLength": 3 }, "maxProperties": 2 }),
            false,
        ),
        (
            "Inner x = 1 [(buf.validate.field).required = true];",
            json!({ "$ref": "#/components/schemas/chat.v1.Inner" }),
            true,
        ),
    ];
    for (field, expected, required) in table {
        let schema = schema(&format!("  {field}"));
        assert_eq!(schema["properties"]["x"], expected, "{field}");
        let names = schema.get("required").cloned().unwrap_or(json!([]));
        assert_eq!(names, if required { json!(["x"]) } else { json!([]) }, "{field}");
    }
}

#[test]
fn a_oneof_takes_at_most_one_of_its_members_and_if_required_exactly_one() {
    let free = schema("  oneof body { string a = 1; string b = 2; }");
    assert_eq!(free["oneOf"].as_array().unwrap().len(), 3, "the last is none of them");
    let required = schema(
        "  oneof body { option (buf.validate.oneof).required = true; string a = 1; string b = 2; }",
    );
    assert_eq!(required["oneOf"], json!([{ "required": ["a"] }, { "required": ["b"] }]));
    let two = schema("  oneof x { string a = 1; } oneof y { string b = 2; }");
    assert_eq!(two["allOf"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_the_remedy() {
    let with = |field: &str| said(&format!("  {field}"));
    let table = [
        (with("strin x = 1;"), 12, "strin"),
        (with("string x = ;"), 12, "expected"),
        (with("string x = 1 [(buf.validate.field).string.min_length = 1];"), 12, "min_length"),
        (
            with("string x = 1 [(buf.validate.field).cel = {id: \"a\"}];"),
            12,
            "cannot say the rule `cel`",
        ),
        (
            with("string x = 1 [(buf.validate.field).string.max_bytes = 1];"),
            12,
            "use `min_len`, `max_len`",
        ),
        (
            with("string x = 1 [(buf.validate.field).string.ip = true];"),
            12,
            "say it with `pattern`",
        ),
        (with("int64 x = 1 [(buf.validate.field).int64.lt = 10];"), 12, "use a type of 32 bits"),
        (
            with("bytes x = 1 [(buf.validate.field).bytes.max_len = 10];"),
            12,
            "check it where the event is handled",
        ),
        (with("option (buf.validate.message).cel = {id: \"a\"};"), 10, "move it to the fields"),
        (
            said("").replace("buf/validate/validate.proto", "buf/validate/other.proto"),
            3,
            "other.proto",
        ),
        (said("").replace("channels: \"room\"", "channels: \"rom\""), 10, "did you mean `room`?"),
        (said("").replace("type: \"said\" ", ""), 10, "cannot be the name of an event type"),
        (
            said("").replace(
                "channels: \"room\"",
                "channels: \"room\" examples: {name: \"a\" data_json: \"{\"}",
            ),
            10,
            "is no JSON",
        ),
        (
            said("").replace(
                "channels: \"room\"",
                "channels: \"room\" examples: {name: \"a\" data_json: '{\"y\": 1}'}",
            ),
            10,
            "breaks its own schema",
        ),
        (
            said("")
                .replace("syntax = \"proto3\"", "syntax = \"proto2\"")
                .replace("string text", "optional string text"),
            10,
            "is not of proto3",
        ),
        (
            "syntax = \"proto3\";\nmessage A {}".to_owned(),
            0,
            "no file imports \"fanline/catalog/v1/options.proto\"",
        ),
    ];
    for (text, line, message) in table {
        let Err(errors) = load(&text) else {
            panic!("taken, where it should say {message}:\n{text}")
        };
        let first = &errors.0[0];
        assert!(first.message.contains(message), "{errors}\nshould say: {message}");
        assert_eq!(first.place.line, line, "{errors}");
        assert!(first.place.file.starts_with("c/proto"), "{errors}");
    }
}
