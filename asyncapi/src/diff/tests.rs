//! A table of changes: what each is called, whom it breaks, and what shows it.

use super::{Class, Comparison, Side};
use crate::Catalog;
use crate::catalog::Source;
use serde_json::{Value, json};

const MANIFEST: &str = r#"
[info]
title = "T"
[channels.room]
address = "chat:{room}"
[channels.room.parameters.room]
pattern = "[a-z]+"
examples = ["lobby"]
[channels.side]
address = "side"
"#;

fn catalog(manifest: &str, schema: &Value) -> Catalog {
    let mut file = json!({
        "x-fanline": { "type": "said", "channels": ["room", "side"], "examples": [{ "name": "one", "data": null }] },
    });
    let root = file.as_object_mut().unwrap();
    let mut schema = schema.as_object().unwrap().clone();
    root["x-fanline"]["examples"][0]["data"] = schema.remove("example").unwrap();
    if let Some(Value::Object(block)) = schema.remove("block") {
        root["x-fanline"].as_object_mut().unwrap().extend(block);
    }
    root.extend(schema);
    let files = [("catalog.toml", manifest), ("jsonschema/said.json", &file.to_string())];
    Catalog::load(&Source::of("c", files)).unwrap_or_else(|errors| panic!("{errors}"))
}

/// An object with a text and these fields; the example has all of them.
fn object(fields: Value, required: &[&str], example: Value) -> Value {
    let mut properties = json!({ "text": { "type": "string", "maxLength": 10 } });
    properties.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let mut data = json!({ "text": "hello" });
    data.as_object_mut().unwrap().extend(example.as_object().unwrap().clone());
    json!({ "type": "object", "required": required, "properties": properties, "example": data })
}

fn x(schema: Value, example: Value) -> Value {
    object(json!({ "x": schema }), &["text"], json!({ "x": example }))
}

#[test]
fn changes_of_a_schema_are_classified_with_a_witness_or_a_proof() {
    use Class::{Breaking, Compatible, Risky};
    use Side::{Deliver, Publish};
    let plain = || object(json!({}), &["text"], json!({}));
    let text = |more: Value| {
        let mut schema = json!({ "type": "string" });
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        x(schema, json!("abc"))
    };
    let number = |more: Value| {
        let mut schema = json!({ "type": "integer" });
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        x(schema, json!(5))
    };
    let list = |more: Value| {
        let mut schema = json!({ "type": "array", "items": { "type": "integer" } });
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        x(schema, json!([1, 2]))
    };
    // Old, new, the class for publishers and for subscribers, a rule that is named.
    let table = [
        (
            plain(),
            x(json!({ "type": "string" }), json!("a")),
            Compatible,
            Compatible,
            "field-added",
        ),
        (x(json!({ "type": "string" }), json!("a")), plain(), Breaking, Risky, "field-removed"),
        (
            object(json!({ "x": { "type": "string" } }), &["text", "x"], json!({ "x": "a" })),
            plain(),
            Breaking,
            Breaking,
            "field-removed",
        ),
        (
            x(json!({ "type": "string" }), json!("a")),
            object(json!({ "y": { "type": "string" } }), &["text"], json!({ "y": "a" })),
            Breaking,
            Risky,
            "field-renamed",
        ),
        (object(json!({}), &[], json!({})), plain(), Breaking, Compatible, "field-required"),
        (plain(), object(json!({}), &[], json!({})), Compatible, Breaking, "field-optional"),
        (
            text(json!({ "enum": ["abc", "d"] })),
            text(json!({ "enum": ["abc"] })),
            Breaking,
            Compatible,
            "enum-value-removed",
        ),
        (
            text(json!({ "enum": ["abc"] })),
            text(json!({ "enum": ["abc", "d"] })),
            Compatible,
            Risky,
            "enum-value-added",
        ),
        (text(json!({})), text(json!({ "enum": ["abc"] })), Breaking, Compatible, "enum-added"),
        (text(json!({ "enum": ["abc"] })), text(json!({})), Compatible, Risky, "enum-dropped"),
        (
            text(json!({ "maxLength": 10 })),
            text(json!({ "maxLength": 5 })),
            Breaking,
            Compatible,
            "max-length-lowered",
        ),
        (
            text(json!({ "maxLength": 5 })),
            text(json!({ "maxLength": 10 })),
            Compatible,
            Risky,
            "max-length-raised",
        ),
        (
            text(json!({})),
            text(json!({ "minLength": 2 })),
            Breaking,
            Compatible,
            "min-length-raised",
        ),
        (
            number(json!({ "minimum": 0 })),
            number(json!({ "minimum": 3 })),
            Breaking,
            Compatible,
            "minimum-raised",
        ),
        (number(json!({ "maximum": 9 })), number(json!({})), Compatible, Risky, "maximum-raised"),
        (
            list(json!({})),
            list(json!({ "maxItems": 2 })),
            Breaking,
            Compatible,
            "max-items-lowered",
        ),
        (
            list(json!({})),
            list(json!({ "uniqueItems": true })),
            Breaking,
            Compatible,
            "unique-added",
        ),
        (
            list(json!({})),
            list(json!({ "items": { "type": "integer", "maximum": 3 } })),
            Breaking,
            Compatible,
            "maximum-lowered",
        ),
        (
            text(json!({})),
            x(json!({ "type": "integer" }), json!(1)),
            Breaking,
            Breaking,
            "type-changed",
        ),
        (
            text(json!({})),
            x(json!({ "type": ["string", "null"] }), Value::Null),
            Compatible,
            Breaking,
            "type-widened",
        ),
        (
            text(json!({})),
            text(json!({ "pattern": "^abc$" })),
            Breaking,
            Compatible,
            "pattern-added",
        ),
        (
            x(json!({ "type": "string" }), json!("nobody")),
            x(json!({ "type": "string", "format": "email" }), json!("a@b.c")),
            Breaking,
            Compatible,
            "format-added",
        ),
    ];
    assert!(table.len() >= 20);
    for (old, new, publish, deliver, rule) in table {
        let comparison = Comparison::new(&catalog(MANIFEST, &old), &catalog(MANIFEST, &new));
        let worst = |side| {
            let of_side = comparison.findings().iter().filter(|finding| finding.side == side);
            of_side.map(|finding| finding.class).max().unwrap_or(Compatible)
        };
        let shown = format!("{rule}: {:#?}", comparison.findings());
        assert_eq!((worst(Publish), worst(Deliver)), (publish, deliver), "{shown}");
        assert!(comparison.findings().iter().any(|finding| finding.rule == rule), "{shown}");
        for finding in comparison.findings() {
            let needs_one = finding.class > Compatible;
            assert_eq!(finding.witness.is_some(), needs_one, "{}: {shown}", finding.rule);
        }
    }
}

#[test]
fn other_spellings_of_the_same_are_proved_compatible() {
    let one = x(json!({ "type": "string", "enum": ["a", "b"] }), json!("a"));
    let other = x(json!({ "enum": ["b", "a"] }), json!("a"));
    let comparison = Comparison::new(&catalog(MANIFEST, &one), &catalog(MANIFEST, &other));
    assert_eq!(comparison.class(), Class::Compatible, "{:#?}", comparison.findings());
}

#[test]
fn changes_of_channels_and_of_an_event_types_options_are_classified() {
    let schema = |block: Value| {
        let mut schema = object(json!({}), &["text"], json!({}));
        schema["block"] = block;
        schema
    };
    let plain = schema(json!({}));
    let manifest = |from: &str, to: &str| {
        let changed = MANIFEST.replace(from, to);
        assert_ne!(changed, MANIFEST);
        changed
    };
    let same = MANIFEST.to_owned();
    let table = [
        (manifest("chat:{room}", "talk:{room}"), plain.clone(), "address-changed", Class::Breaking),
        (
            manifest("\"[a-z]+\"\nexamples = [\"lobby\"]", "\"[0-9]+\""),
            plain.clone(),
            "parameter-narrowed",
            Class::Breaking,
        ),
        (manifest("\"[a-z]+\"", "\"[a-z0-9]+\""), plain.clone(), "parameter-changed", Class::Risky),
        (
            manifest("address = \"side\"", "address = \"side\"\ntransports = [\"grpc\"]"),
            plain.clone(),
            "transport-removed",
            Class::Breaking,
        ),
        (
            manifest("address = \"side\"", "address = \"side\"\nauth = { publish = \"nobody\" }"),
            plain.clone(),
            "audience-narrowed",
            Class::Breaking,
        ),
        (
            manifest("address = \"side\"", "address = \"side\"\nvisibility = \"internal\""),
            plain.clone(),
            "channel-hidden",
            Class::Risky,
        ),
        (
            manifest(
                "address = \"side\"",
                "address = \"side\"\n[channels.more]\naddress = \"more\"",
            ),
            plain.clone(),
            "channel-added",
            Class::Compatible,
        ),
        (
            manifest("[channels.side]\naddress = \"side\"\n", ""),
            schema(json!({ "channels": ["room"] })),
            "channel-removed",
            Class::Breaking,
        ),
        (
            same.clone(),
            schema(json!({ "channels": ["room"] })),
            "channel-of-event-removed",
            Class::Breaking,
        ),
        (
            same.clone(),
            schema(json!({ "publisher": "backend" })),
            "publisher-narrowed",
            Class::Breaking,
        ),
        (same, schema(json!({ "type": "told" })), "event-removed", Class::Breaking),
    ];
    for (manifest, new, rule, class) in table {
        let comparison = Comparison::new(&catalog(MANIFEST, &plain), &catalog(&manifest, &new));
        let found = comparison.findings().iter().find(|finding| finding.rule == rule);
        let found = found.unwrap_or_else(|| panic!("no {rule}: {:#?}", comparison.findings()));
        assert_eq!(found.class, class, "{rule}");
        assert_eq!(found.witness.is_some(), class == Class::Breaking, "{rule}");
    }
}

#[test]
fn the_wire_of_a_message_is_compared_too() {
    let load = |fields: &str| {
        let text = format!(
            "syntax = \"proto3\";\npackage a;\nimport \"fanline/catalog/v1/options.proto\";\nmessage Said {{\n  option (fanline.catalog.v1.event) = {{type: \"said\" channels: \"side\"}};\n{fields}\n}}\n"
        );
        let files = [("catalog.toml", MANIFEST), ("proto/a.proto", text.as_str())];
        Catalog::load(&Source::of("c", files)).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let old = load("string text = 1; int32 size = 2;");
    let table = [
        ("string text = 1; int32 size = 3;", "field-renumbered"),
        ("string text = 1; sint32 size = 2;", "wire-type-changed"),
        ("string text = 1;", "number-not-reserved"),
    ];
    for (fields, rule) in table {
        let comparison = Comparison::new(&old, &load(fields));
        assert!(comparison.findings().iter().any(|finding| finding.rule == rule), "{rule}");
    }
    let reserved = Comparison::new(&old, &load("string text = 1; reserved 2;"));
    assert!(reserved.findings().iter().all(|finding| finding.rule != "number-not-reserved"));
}

#[test]
fn what_was_promised_decides_what_counts() {
    let wide = x(json!({ "type": "string", "maxLength": 9 }), json!("a"));
    let narrow = x(json!({ "type": "string", "maxLength": 5 }), json!("a"));
    for (mode, class) in [
        ("full", Class::Breaking),
        ("backward", Class::Breaking),
        ("forward", Class::Compatible),
        ("none", Class::Compatible),
    ] {
        let manifest = format!("{MANIFEST}[compatibility]\nmode = \"{mode}\"\n");
        let comparison = Comparison::new(&catalog(&manifest, &wide), &catalog(MANIFEST, &narrow));
        assert_eq!(comparison.class(), class, "{mode}");
    }
}
