//! The catalog: what breaks it is refused on every way in, and says where and why.

use fanline_tests::{Hub, HubBuilder, Publication, Room, Token, reason};
use serde_json::{Value, json};
use tonic_types::StatusExt as _;

const MANIFEST: &str = r#"
[info]
title = "Test"
[channels.room]
address = "chat:{room}"
[channels.room.parameters.room]
pattern = "[a-z]+"
"#;

/// An event type in `chat:{room}`, from a JSON Schema.
fn event(name: &str, schema: Value) -> String {
    let mut file = json!({ "x-fanline": { "type": name, "channels": ["room"] } });
    let root = file.as_object_mut().expect("an object");
    root.extend(schema.as_object().expect("a schema is an object").clone());
    file.to_string()
}

fn note() -> String {
    event(
        "note",
        json!({
            "type": "object",
            "required": ["text"],
            "properties": {
                "text": { "type": "string", "minLength": 1, "maxLength": 10 },
                "tags": { "type": "array", "maxItems": 2, "uniqueItems": true, "items": { "enum": ["a", "b"] } },
                "size": { "type": "integer", "minimum": 0, "maximum": 100 },
                "by": { "$ref": "#/definitions/User" },
            },
            "definitions": {
                "User": { "type": "object", "required": ["id"], "properties": { "id": { "type": "string", "format": "uuid" } } },
            },
        }),
    )
}

/// A hub whose namespace `chat` is held to a catalog with one event type, `note`.
fn with_catalog() -> HubBuilder {
    Hub::builder()
        .set("catalog.path", "catalog")
        .file("catalog/catalog.toml", MANIFEST)
        .file("catalog/jsonschema/note.json", &note())
}

fn publication(channel: &str, event_type: &str, data: &[u8]) -> Publication {
    let mut publication = Publication::to(channel, Value::Null);
    publication.0.r#type = event_type.to_owned();
    publication.0.data = data.to_vec().into();
    publication
}

/// Bodies of a `note` that are wrong, with the pointer and the rule that the refusal names.
fn wrong_notes() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let deep = format!("{{\"text\":\"a\",\"tags\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let table: [(&[u8], &str, &str); 29] = [
        (b"{}", "/text", "required"),
        (br#"{"text":null}"#, "/text", "type"),
        (br#"{"text":1}"#, "/text", "type"),
        (br#"{"text":["a"]}"#, "/text", "type"),
        (br#"{"text":""}"#, "/text", "minLength"),
        (br#"{"text":"elevenchars"}"#, "/text", "maxLength"),
        (br#"{"text":"a","more":1}"#, "/more", "additionalProperties"),
        (br#"{"Text":"a","text":"a"}"#, "/Text", "additionalProperties"),
        (br#"{"text":"a","tags":"a"}"#, "/tags", "type"),
        (br#"{"text":"a","tags":["c"]}"#, "/tags/0", "enum"),
        (br#"{"text":"a","tags":["a","A"]}"#, "/tags/1", "enum"),
        (br#"{"text":"a","tags":["a","a"]}"#, "/tags", "uniqueItems"),
        (br#"{"text":"a","size":-1}"#, "/size", "minimum"),
        (br#"{"text":"a","size":101}"#, "/size", "maximum"),
        (br#"{"text":"a","size":1.5}"#, "/size", "type"),
        (br#"{"text":"a","size":"1"}"#, "/size", "type"),
        (br#"{"text":"a","size":123456789012345678901234567890}"#, "/size", "maximum"),
        (br#"{"text":"a","size":1e999}"#, "/size", "json"),
        (br#"{"text":"a","by":{}}"#, "/by/id", "required"),
        (br#"{"text":"a","by":{"id":"x"}}"#, "/by/id", "format"),
        (
            br#"{"text":"a","by":{"id":"0198f2b7-0000-7000-8000-000000000001","x":1}}"#,
            "/by/x",
            "additionalProperties",
        ),
        (br#"{"text":"a","by":null}"#, "/by", "type"),
        (br#"{"text":"a","text":"b"}"#, "/text", "uniqueNames"),
        (br#"{"text":"a","by":{"id":"x","id":"x"}}"#, "/by/id", "uniqueNames"),
        (br#"["text"]"#, "", "type"),
        (b"null", "", "type"),
        (br#"{"text":"a""#, "", "json"),
        (b"{\"text\":\"\xff\"}", "", "json"),
        (deep.as_bytes(), "/tags/0", "depth"),
    ];
    table.into_iter().map(|(body, pointer, rule)| (body.to_vec(), pointer, rule)).collect()
}

#[tokio::test]
async fn wrong_json_is_refused_with_pointer_and_rule_and_nothing_is_delivered() {
    let hub = with_catalog().start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:lobby").await;
    let rpc = hub.rpc().await;
    let wrong = wrong_notes();
    assert!(wrong.len() >= 25);
    for (body, pointer, rule) in &wrong {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let publish = rpc.try_publish(publication("chat:lobby", "note", body)).await;
        let status = publish.expect_err(&shown);
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{shown}");
        // What is no JSON at all breaks the content type before any schema.
        let expected = if *rule == "json" && pointer.is_empty() {
            "INVALID_ARGUMENT"
        } else {
            "SCHEMA_VIOLATION"
        };
        assert_eq!(reason(&status), expected, "{shown}");
        let violations = status.get_details_bad_request().expect("BadRequest").field_violations;
        let screaming: String = rule
            .chars()
            .flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain(c.to_uppercase()))
            .collect();
        let named = |found: &tonic_types::FieldViolation| {
            // The fault of a deep body lies at its deepest allowed level.
            let place = if *rule == "depth" {
                found.field.starts_with(&format!("data{pointer}"))
            } else {
                found.field == format!("data{pointer}")
            };
            place && found.reason == screaming
        };
        assert!(violations.iter().any(named), "{shown}: {violations:?}");
    }
    rpc.publish(publication("chat:lobby", "note", br#"{"text":"good"}"#)).await;
    assert_eq!(room.event().await["data"], json!({"text": "good"}), "the first that came through");
    let metrics = hub.metrics().await;
    let refused = metrics.sum("fanline_schema_violations_total", "outcome=\"refused\"");
    let by_schema =
        wrong.iter().filter(|(_, pointer, rule)| *rule != "json" || !pointer.is_empty());
    assert_eq!(refused as usize, by_schema.count());
}

#[tokio::test]
async fn a_client_is_told_the_same_in_its_own_words() {
    let hub = with_catalog().start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:lobby").await;
    let answer = publish(&mut room, "note", json!({"text": "elevenchars", "more": 1})).await;
    assert_eq!((&answer["op"], &answer["reason"]), (&json!("error"), &json!("SCHEMA_VIOLATION")));
    assert_eq!(answer["field"], "data");
    let violations = answer["violations"].as_array().expect("violations");
    let named: Vec<_> = violations
        .iter()
        .map(|violation| {
            (
                violation["pointer"].as_str().unwrap_or("?"),
                violation["rule"].as_str().unwrap_or("?"),
            )
        })
        .collect();
    assert!(named.contains(&("/text", "maxLength")), "{answer}");
    assert!(named.contains(&("/more", "additionalProperties")), "{answer}");

    let unknown = publish(&mut room, "nothing", json!({})).await;
    assert_eq!(unknown["reason"], "UNKNOWN_EVENT_TYPE");
    assert!(unknown["message"].as_str().is_some_and(|text| text.contains("`note`")), "{unknown}");
    let good = publish(&mut room, "note", json!({"text": "good"})).await;
    assert_eq!(good["op"], "ok", "{good}");
}

async fn publish(room: &mut Room, event_type: &str, data: Value) -> Value {
    let frame = json!({"op": "publish", "channel": "chat:lobby", "type": event_type, "data": data, "echo": false});
    room.request(frame).await
}

#[tokio::test]
async fn a_namespace_decides_what_becomes_of_events_that_break_the_catalog() {
    for (schema, outcome) in [("strict", false), ("warn", true), ("off", true)] {
        let hub = with_catalog().set("namespaces.chat.schema", schema).start().await;
        let rpc = hub.rpc().await;
        let publish = rpc.try_publish(publication("chat:lobby", "note", b"{}")).await;
        assert_eq!(publish.is_ok(), outcome, "{schema}: {publish:?}");
        let tolerated =
            hub.metrics().await.sum("fanline_schema_violations_total", "outcome=\"tolerated\"");
        assert_eq!(tolerated as usize, usize::from(schema == "warn"), "{schema}");
    }
}

#[tokio::test]
async fn channels_that_the_catalog_does_not_describe_are_left_alone() {
    let hub = with_catalog().start().await;
    let rpc = hub.rpc().await;
    rpc.publish(publication("news:today", "anything", b"1")).await;
    let status = rpc.try_publish(publication("chat:LOBBY", "note", br#"{"text":"a"}"#)).await;
    assert_eq!(reason(&status.expect_err("not an address of the catalog")), "UNKNOWN_EVENT_TYPE");
}

#[tokio::test]
async fn a_strict_namespace_without_a_catalog_and_a_broken_catalog_are_refused_at_start() {
    let error = Hub::builder().set("namespaces.chat.schema", "strict").refused().await;
    assert!(error.contains("needs a catalog: set 'path' in [catalog]"), "{error}");
    let broken = with_catalog().file("catalog/jsonschema/note.json", "{\n\"type\": 1,\n}");
    let error = broken.refused().await;
    assert!(error.contains("catalog/jsonschema/note.json:3: "), "{error}");
}
