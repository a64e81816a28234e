//! The catalog: what breaks it is refused on every way in, and says where and why.

use fanline_tests::{Hub, HubBuilder, Publication, Room, Token, get, reason};
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
    let wrong = wrong_notes();
    let good = publication("chat:lobby", "note", br#"{"text":"good"}"#);
    refused_one_and_all(&hub, "note", "application/json", wrong, good, json!({"text": "good"}))
        .await;
}

#[tokio::test]
async fn wrong_protobuf_is_refused_with_pointer_and_rule_and_nothing_is_delivered() {
    let hub = with_catalog().file("catalog/proto/orders.proto", ORDERS).start().await;
    let mut good = publication("chat:lobby", "order", &good_order());
    good.0.content_type = "application/protobuf".to_owned();
    let delivered = json!({"id": "1", "kind": "KIND_A", "note": "n"});
    let wrong = wrong_orders();
    refused_one_and_all(&hub, "order", "application/protobuf", wrong, good, delivered).await;
}

#[tokio::test]
async fn json_for_a_protobuf_event_type_is_held_to_the_same_and_passes_byte_for_byte() {
    let hub = with_catalog().file("catalog/proto/orders.proto", ORDERS).start().await;
    let order = |more: &str| format!(r#"{{"id":"1", "kind":"KIND_A","note":"n"{more}}}"#);
    let table: [(String, &str, &str); 27] = [
        ("{}".into(), "/id", "required"),
        (r#"{"id":1,"kind":"KIND_A","note":"n"}"#.into(), "/id", "type"),
        (r#"{"id":"0","kind":"KIND_A","note":"n"}"#.into(), "/id", "pattern"),
        (r#"{"id":"-1","kind":"KIND_A","note":"n"}"#.into(), "/id", "pattern"),
        (r#"{"id":"9223372036854775808","kind":"KIND_A","note":"n"}"#.into(), "/id", "format"),
        (r#"{"id":"1","note":"n"}"#.into(), "/kind", "required"),
        (r#"{"id":"1","kind":1,"note":"n"}"#.into(), "/kind", "enum"),
        (r#"{"id":"1","kind":"KIND_Z","note":"n"}"#.into(), "/kind", "enum"),
        (r#"{"id":"1","kind":"KIND_UNSPECIFIED","note":"n"}"#.into(), "/kind", "enum"),
        (r#"{"id":"1","kind":"KIND_A"}"#.into(), "", "oneOf"),
        (order(r#","item":{"sku":"A"}"#), "", "oneOf"),
        (order(r#","text":"elevenchars""#), "/text", "maxLength"),
        (order(r#","text":null"#), "/text", "type"),
        (order(r#","Text":"a""#), "/Text", "additionalProperties"),
        (order(r#","sizes":[1,2,3]"#), "/sizes", "maxItems"),
        (order(r#","sizes":["1"]"#), "/sizes/0", "type"),
        (order(r#","sizes":[101]"#), "/sizes/0", "maximum"),
        (order(r#","at":"yesterday""#), "/at", "format"),
        (order(r#","at":"2026-13-01T00:00:00Z""#), "/at", "format"),
        (order(r#","at":{"seconds":1}"#), "/at", "type"),
        (order(r#","took":"1m""#), "/took", "pattern"),
        (order(r#","labels":{"a":"b","c":"d"}"#), "/labels", "maxProperties"),
        (order(r#","labels":{"a":1}"#), "/labels/a", "type"),
        (order(r#","email":"nobody""#), "/email", "format"),
        (order(r#","raw":"%%%""#), "/raw", "pattern"),
        (order(r#","text":"a","text":"b""#), "/text", "uniqueNames"),
        (order(r#","any":{}"#), "/any/@type", "required"),
    ];
    let wrong = table.into_iter().map(|(text, pointer, rule)| (text.into_bytes(), pointer, rule));
    let text = order(r#", "text" : "a""#);
    let good = publication("chat:lobby", "order", text.as_bytes());
    let delivered = json!({"id": "1", "kind": "KIND_A", "note": "n", "text": "a"});
    refused_one_and_all(&hub, "order", "application/json", wrong.collect(), good, delivered).await;
}

/// Publishes what is wrong, and last what is good: only that is delivered.
async fn refused_one_and_all(
    hub: &Hub,
    event_type: &str,
    content_type: &str,
    wrong: Vec<(Vec<u8>, &'static str, &'static str)>,
    good: Publication,
    delivered: Value,
) {
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:lobby").await;
    let rpc = hub.rpc().await;
    assert!(wrong.len() >= 25);
    for (body, pointer, rule) in &wrong {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let mut wrong = publication("chat:lobby", event_type, body);
        wrong.0.content_type = content_type.to_owned();
        let status = rpc.try_publish(wrong).await.expect_err(&shown);
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{shown}");
        // What is no JSON at all breaks the content type before any schema.
        let no_json = *rule == "json" && pointer.is_empty();
        let expected = if no_json { "INVALID_ARGUMENT" } else { "SCHEMA_VIOLATION" };
        assert_eq!(reason(&status), expected, "{shown}");
        let violations = status.get_details_bad_request().expect("BadRequest").field_violations;
        let screaming: String = rule
            .chars()
            .flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain(c.to_uppercase()))
            .collect();
        let named = |found: &tonic_types::FieldViolation| {
            let place = format!("data{pointer}");
            // The fault of a deep body lies at its deepest allowed level.
            let is_there = match *rule {
                "depth" => found.field.starts_with(&place),
                _ => found.field == place,
            };
            is_there && found.reason == screaming
        };
        assert!(violations.iter().any(named), "{shown}: {pointer} {rule}: {violations:?}");
    }
    rpc.publish(good).await;
    assert_eq!(room.event().await["data"], delivered, "the first that came through");
    let metrics = hub.metrics().await;
    let refused = metrics.sum("fanline_schema_violations_total", "outcome=\"refused\"");
    let by_schema =
        wrong.iter().filter(|(_, pointer, rule)| *rule != "json" || !pointer.is_empty());
    assert_eq!(refused as usize, by_schema.count());
}

const ORDERS: &str = r#"
syntax = "proto3";
package orders.v1;
import "buf/validate/validate.proto";
import "fanline/catalog/v1/options.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/timestamp.proto";

message Order {
  option (fanline.catalog.v1.event) = {type: "order" channels: "room"};
  int64 id = 1 [(buf.validate.field).int64.gt = 0];
  Kind kind = 2 [(buf.validate.field).enum = {not_in: [0]}];
  string text = 3 [(buf.validate.field).string.max_len = 10];
  oneof body {
    option (buf.validate.oneof).required = true;
    Item item = 4;
    string note = 5 [(buf.validate.field).string.min_len = 1];
  }
  repeated int32 sizes = 6 [(buf.validate.field).repeated = {max_items: 2, items: {int32: {gte: 0, lte: 100}}}];
  google.protobuf.Timestamp at = 7;
  google.protobuf.Duration took = 8;
  map<string, string> labels = 9 [(buf.validate.field).map.max_pairs = 1];
  optional string email = 10 [(buf.validate.field).string.email = true];
  bytes raw = 11;
  google.protobuf.Any any = 12;
}
message Item {
  string sku = 1 [(buf.validate.field).string.pattern = "^[A-Z]+$"];
  Item inner = 2;
}
enum Kind {
  KIND_UNSPECIFIED = 0;
  KIND_A = 1;
}
"#;

/// Bodies of an `order` that are wrong, with the pointer and the rule that the refusal names.
fn wrong_orders() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let order = |more: Vec<u8>| [good_order(), more].concat();
    let items = |levels: usize| {
        (0..levels).fold(text(1, "A"), |inner, _| [text(1, "A"), bytes(2, &inner)].concat())
    };
    // Without `note`, whose place `item` takes.
    let with_item = |item: Vec<u8>| [number(1, 1), number(2, 1), bytes(4, &item)].concat();
    vec![
        (vec![], "/id", "required"),
        ([number(2, 1), text(5, "n")].concat(), "/id", "required"),
        (order(number(1, u64::MAX)), "/id", "pattern"),
        ([number(1, 1), text(5, "n")].concat(), "/kind", "required"),
        (order(number(2, 9)), "/kind", "enum"),
        (order(text(3, "elevenchars")), "/text", "maxLength"),
        ([number(1, 1), number(2, 1)].concat(), "", "oneOf"),
        (order(text(5, "")), "/note", "minLength"),
        (order(bytes(6, &[1, 2, 3])), "/sizes", "maxItems"),
        (order(bytes(6, &[101])), "/sizes/0", "maximum"),
        (order(number(6, u64::MAX)), "/sizes/0", "minimum"),
        (order([entry(9, "a", "b"), entry(9, "c", "d")].concat()), "/labels", "maxProperties"),
        (order(text(10, "nobody")), "/email", "format"),
        (order(text(10, "")), "/email", "format"),
        (with_item(text(1, "a")), "/item/sku", "pattern"),
        (with_item(vec![]), "/item/sku", "required"),
        (with_item([text(1, "A"), bytes(2, &[])].concat()), "/item/inner/sku", "required"),
        (with_item(items(80)), "/item/inner", "depth"),
        (with_item(items(200)), "", "protobuf"),
        (order(number(99, 1)), "", "unknownField"),
        (with_item([text(1, "A"), number(99, 1)].concat()), "/item", "unknownField"),
        (order(vec![0x1a, 0x05, b'a']), "", "protobuf"),
        (order(text(1, "1")), "", "protobuf"),
        (order(bytes(3, b"\xff")), "", "protobuf"),
        (order(vec![0x00, 0x01]), "", "protobuf"),
        (order([&[0x08][..], &[0xff; 11]].concat()), "", "protobuf"),
        (b"{\"id\":\"1\"}".to_vec(), "", "protobuf"),
        (order(bytes(7, &number(1, 253_402_300_800))), "/at", "range"),
        (order(bytes(7, &number(2, 2_000_000_000))), "/at", "range"),
        (order(bytes(8, &[number(1, 1), number(2, u64::MAX)].concat())), "/took", "range"),
        (order(bytes(12, &text(1, "type.googleapis.com/no.such.Thing"))), "/any", "protobuf"),
    ]
}

/// An `order` with what it needs.
fn good_order() -> Vec<u8> {
    [number(1, 1), number(2, 1), text(5, "n")].concat()
}

/// A field on the wire (<https://protobuf.dev/programming-guides/encoding/>): a number.
fn number(field: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(field, prost::encoding::WireType::Varint, &mut out);
    prost::encoding::encode_varint(value, &mut out);
    out
}

/// A field on the wire: bytes with their length.
fn bytes(field: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(field, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(value.len() as u64, &mut out);
    out.extend_from_slice(value);
    out
}

fn text(field: u32, value: &str) -> Vec<u8> {
    bytes(field, value.as_bytes())
}

/// An entry of a map from text to text.
fn entry(field: u32, key: &str, value: &str) -> Vec<u8> {
    bytes(field, &[text(1, key), text(2, value)].concat())
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

#[tokio::test]
async fn catalog_check_and_diff_tell_by_their_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("ours");
        std::fs::write(path, text).expect("ours");
    };
    for (name, schema) in
        [("old", r#"{"type":"string"}"#), ("new", r#"{"type":"string","maxLength":3}"#)]
    {
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        write(&format!("{name}/catalog.toml"), MANIFEST);
        write(&format!("{name}/jsonschema/said.json"), &event("said", schema));
    }
    write("broken/catalog.toml", "[info]\ntitel = 1\n");
    let run = async |arguments: &[&str]| {
        let mut command = fanline_tests::fanline();
        command.arg("catalog").args(arguments).current_dir(folder.path());
        let mut process = fanline_tests::Process::spawn("fanline catalog", command);
        (process.exit().await.code(), process.stdout() + &process.stderr())
    };
    let (code, text) = run(&["check", "old"]).await;
    assert!(code == Some(0) && text.contains("1 channels, 1 event types"), "{text}");
    let (code, text) = run(&["check", "broken"]).await;
    assert!(code == Some(1) && text.contains("broken/catalog.toml:2"), "{text}");
    let (code, text) = run(&["diff", "old", "new"]).await;
    assert!(
        code == Some(2) && text.contains("max-length-lowered") && text.contains("witness"),
        "{text}"
    );
    let (code, text) = run(&["diff", "new", "old"]).await;
    assert!(code == Some(0) && text.contains("max-length-raised"), "{text}");
    assert_eq!(run(&["diff", "new", "old", "--fail-on", "risky"]).await.0, Some(2));

    // What a hub serves, and what was kept of it in a file, say as much.
    let hub = Hub::builder()
        .set("catalog.path", folder.path().join("old").to_str().expect("a plain name"))
        .start()
        .await;
    let url = format!("http://{}", hub.addresses.public);
    write("kept.json", &get(hub.addresses.public, "/asyncapi.json").await.body);
    for old in [url.as_str(), "kept.json"] {
        let (code, text) = run(&["diff", old, "new"]).await;
        assert!(code == Some(2) && text.contains("max-length-lowered"), "{old}: {text}");
        let (code, text) = run(&["diff", old, "old"]).await;
        assert!(code == Some(0) && text.contains("0 breaking, 0 risky, 0 compatible"), "{text}");
    }
}
