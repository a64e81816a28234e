//! What is found, and where: one good document, and one mistake at a time.

use super::*;
use crate::limits::{FINDINGS, JSON_DEPTH};

const GOOD: &str = r##"asyncapi: 3.0.0
info:
  title: Shop
  version: 1.0.0
servers:
  production:
    host: "{region}.example.com"
    protocol: https
    variables:
      region:
        enum: [eu, us]
        default: eu
channels:
  orders:
    address: orders/{order}
    servers:
      - $ref: "#/servers/production"
    parameters:
      order:
        enum: ["1", "2"]
        default: "1"
        examples: ["2"]
    messages:
      placed:
        $ref: "#/components/messages/placed"
      failed:
        payload:
          type: object
          required: [type, why]
          properties:
            type: { const: failed }
            why: { type: string }
        examples:
          - name: no stock
            payload: { type: failed, why: no stock }
  answers:
    address: null
    messages:
      placed:
        $ref: "#/components/messages/placed"
operations:
  deliver:
    action: send
    channel:
      $ref: "#/channels/orders"
    messages:
      - $ref: "#/channels/orders/messages/placed"
      - $ref: "#/channels/orders/messages/failed"
    reply:
      address:
        location: $message.header#/reply-to
      channel:
        $ref: "#/channels/answers"
      messages:
        - $ref: "#/channels/answers/messages/placed"
components:
  schemas:
    Item:
      type: object
      required: [sku]
      properties:
        sku: { type: string, pattern: "^[A-Z]+$" }
        examples: { $ref: "#/components/schemas/Item" }
  messages:
    placed:
      payload:
        type: object
        required: [type]
        properties:
          type: { const: placed }
          item:
            $ref: "#/components/schemas/Item"
      examples:
        - payload: { type: placed, item: { sku: AB } }
  securitySchemes:
    token: { type: http, scheme: bearer }
"##;

/// The good document with one text in place of another.
fn with(good: &str, bad: &str) -> String {
    assert!(GOOD.contains(good), "{good}");
    GOOD.replacen(good, bad, 1)
}

#[track_caller]
fn only(text: &str) -> Finding {
    match <[Finding; 1]>::try_from(validate(text)) {
        Ok([finding]) => finding,
        Err(findings) => panic!("{findings:#?}"),
    }
}

#[test]
fn a_good_document_is_good_in_yaml_and_in_json() {
    assert_eq!(validate(GOOD), []);
    let value = text::Text::read(GOOD).unwrap_or_else(|finding| panic!("{finding}")).value;
    assert_eq!(validate(&serde_json::to_string_pretty(&value).unwrap()), []);
    assert_eq!(validate(&GOOD.replace("3.0.0", "3.1.0")), []);
}

/// What stands in the good document, what stands there instead, and the rule and the pointer that are told.
const MISTAKES: [(&str, &str, &str, &str); 40] = [
    ("title: Shop", "title: 1", "type", "/info/title"),
    ("  version: 1.0.0\n", "", "required", "/info/version"),
    ("info:", "nfo: 1\ninfo:", "additionalProperties", "/nfo"),
    (
        "protocol: https",
        "port: 1\n    protocol: https",
        "additionalProperties",
        "/servers/production/port",
    ),
    ("    protocol: https\n", "", "required", "/servers/production/protocol"),
    ("{region}.example", "{place}.example", "variable", "/servers/production/variables"),
    ("{region}.example", "eu.example", "variable", "/servers/production/variables/region"),
    (
        "address: orders/{order}",
        "adress: orders",
        "additionalProperties",
        "/channels/orders/adress",
    ),
    ("orders/{order}", "orders/{order}/{line}", "parameter", "/channels/orders/parameters"),
    ("orders/{order}", "orders", "parameter", "/channels/orders/parameters/order"),
    ("orders/{order}", "orders?of={order}", "address", "/channels/orders/address"),
    ("default: \"1\"", "default: \"3\"", "enum", "/channels/orders/parameters/order/default"),
    (
        "examples: [\"2\"]",
        "examples: [\"2\", \"4\"]",
        "enum",
        "/channels/orders/parameters/order/examples/1",
    ),
    (
        "default: \"1\"",
        "schema: {}",
        "additionalProperties",
        "/channels/orders/parameters/order/schema",
    ),
    ("#/servers/production", "#/servers/prod", "reference", "/channels/orders/servers/0/$ref"),
    (
        "\"#/servers/production\"",
        "\"#/components/messages/placed\"",
        "reference",
        "/channels/orders/servers/0",
    ),
    (
        "$ref: \"#/components/messages/placed\"",
        "$ref: \"#/components/messages/plced\"",
        "reference",
        "/channels/orders/messages/placed/$ref",
    ),
    (
        "$ref: \"#/components/messages/placed\"",
        "$ref: \"#/channels/orders/messages/placed\"",
        "reference",
        "/channels/orders/messages/placed/$ref",
    ),
    (
        "$ref: \"#/components/messages/placed\"",
        "$ref: \"#components/messages\"",
        "reference",
        "/channels/orders/messages/placed/$ref",
    ),
    ("action: send", "action: publish", "enum", "/operations/deliver/action"),
    ("    action: send\n", "", "required", "/operations/deliver/action"),
    (
        "action: send",
        "action: send\n    message: {}",
        "additionalProperties",
        "/operations/deliver/message",
    ),
    (
        "      $ref: \"#/channels/orders\"",
        "      address: orders",
        "required",
        "/operations/deliver/channel/$ref",
    ),
    (
        "\"#/channels/orders\"",
        "\"#/channels/order\"",
        "reference",
        "/operations/deliver/channel/$ref",
    ),
    (
        "- $ref: \"#/channels/orders/messages/placed\"",
        "- $ref: \"#/components/messages/placed\"",
        "channelMessage",
        "/operations/deliver/messages/0",
    ),
    (
        "- $ref: \"#/channels/answers/messages/placed\"",
        "- $ref: \"#/channels/orders/messages/placed\"",
        "channelMessage",
        "/operations/deliver/reply/messages/0",
    ),
    ("address: null", "address: answers", "reply", "/operations/deliver/reply/address"),
    (
        "location: $message.header#/reply-to",
        "location: reply-to",
        "pattern",
        "/operations/deliver/reply/address/location",
    ),
    (
        "payload: { type: failed, why: no stock }",
        "payload: { type: failed }",
        "required",
        "/channels/orders/messages/failed/examples/0/payload/why",
    ),
    (
        "item: { sku: AB }",
        "item: { sku: ab }",
        "pattern",
        "/components/messages/placed/examples/0/payload/item/sku",
    ),
    (
        "type: { const: placed }",
        "type: { type: string }",
        "ambiguous",
        "/operations/deliver/messages",
    ),
    ("required: [sku]", "required: sku", "type", "/components/schemas/Item/required"),
    (
        "pattern: \"^[A-Z]+$\"",
        "pattern: \"[A-Z\"",
        "format",
        "/components/schemas/Item/properties/sku/pattern",
    ),
    (
        "$ref: \"#/components/schemas/Item\"\n      examples",
        "$ref: \"#/$defs/Item\"\n      examples",
        "reference",
        "/components/messages/placed/payload/properties/item/$ref",
    ),
    ("scheme: bearer", "schema: bearer", "required", "/components/securitySchemes/token/scheme"),
    ("type: http,", "type: htp,", "enum", "/components/securitySchemes/token/type"),
    // What has the name of a field is looked at all the same.
    (
        "channels:",
        "channels:\n  default: { servers: [{ $ref: \"#/servers/none\" }] }",
        "reference",
        "/channels/default/servers/0/$ref",
    ),
    (
        "      failed:",
        "      examples: { $ref: \"#/components/messages/none\" }\n      failed:",
        "reference",
        "/channels/orders/messages/examples/$ref",
    ),
    (
        "  schemas:",
        "  schemas:\n    x-item: { $ref: \"#/components/schemas/none\" }",
        "reference",
        "/components/schemas/x-item/$ref",
    ),
    ("asyncapi: 3.0.0", "asyncapi: 2.6.0", "version", "/asyncapi"),
];

#[test]
fn every_mistake_is_found_where_it_is() {
    let mut wrong = Vec::new();
    for (good, bad, rule, pointer) in MISTAKES {
        let findings = validate(&with(good, bad));
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        if !errors.clone().any(|found| (&*found.rule, &*found.pointer) == (rule, pointer)) {
            wrong.push(format!("{bad}: not {rule} at {pointer}, but {findings:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_finding_has_the_line_and_the_column_of_the_field() {
    let finding = only(&with("title: Shop", "title: 1"));
    assert_eq!((finding.line, finding.column), (3, 3));
    assert_eq!(
        finding.to_string(),
        "3:3: error: /info/title: the value is not of type \"string\" (type)"
    );
    let missing = only(&with("  version: 1.0.0\n", ""));
    assert_eq!(
        (missing.line, missing.column),
        (2, 1),
        "a field that is missing is where it should be"
    );
    let json = "{\n  \"asyncapi\": \"3.0.0\",\n  \"info\": { \"title\": \"\\ud83d\\ude00\", \"version\": 1 }\n}";
    let finding = only(json);
    assert_eq!((finding.line, finding.column, &*finding.pointer), (3, 38, "/info/version"));
}

#[test]
fn what_was_perhaps_meant_is_named() {
    let finding = only(&with("\"#/servers/production\"", "\"#/servers/prodution\""));
    assert!(finding.message.ends_with("perhaps `production` is meant"), "{finding}");
}

#[test]
fn another_document_is_not_followed_and_that_is_said() {
    let finding = only(&with(
        "$ref: \"#/components/schemas/Item\"\n      examples",
        "$ref: ./item.json\n      examples",
    ));
    assert_eq!((finding.severity, &*finding.rule), (Severity::Warning, "reference"));
}

#[test]
fn an_error_is_told_though_more_warnings_than_are_told_stand_before_it() {
    let others: String =
        (0..FINDINGS).map(|n| format!("    s{n}: {{ $ref: ./{n}.json }}\n")).collect();
    let text = with("  schemas:\n", &format!("  schemas:\n{others}"));
    let text = text.replace("    token: { type: http", "    token: { type: htp");
    let found = validate(&text);
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error).count();
    assert!(errors > 0 && found.len() == FINDINGS, "{errors} of {}", found.len());
    assert!(found.is_sorted_by_key(|finding| finding.line));
}

#[test]
fn what_is_no_text_of_a_document_is_one_finding_with_its_place() {
    let table = [
        ("", 1, 1, "yaml"),
        ("a: 1\n---\nb: 2\n", 1, 1, "yaml"),
        ("a: 1\na: 2\n", 2, 1, "yaml"),
        ("a: [1, 2\nb: 3\n", 2, 2, "yaml"),
        ("{\"a\": 1,\n \"a\": 2}", 2, 8, "uniqueNames"),
        ("{\"a\":\n nul}", 2, 5, "json"),
        ("just a text", 1, 1, "version"),
        ("{}", 1, 1, "version"),
    ];
    for (text, line, column, rule) in table {
        let finding = only(text);
        assert_eq!(
            (finding.line, finding.column, &*finding.rule),
            (line, column, rule),
            "{text:?}: {finding}"
        );
    }
    for deep in [format!("a: {}", "[".repeat(200_000)), "- ".repeat(200_000)] {
        assert_eq!(only(&deep).rule, "yaml");
    }
    let laughs: String =
        (1..40).map(|n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1)).collect();
    assert_eq!(only(&format!("a0: &a0 [1]\n{laughs}")).rule, "yaml");
    // Each list is written flat, and holds the one before: 64 levels, of which the document is one, and one more.
    let chain = |levels: usize| -> String {
        let links = (1..levels - 1).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1));
        format!("a0: &a0 [1]\n{}", links.collect::<String>())
    };
    assert_eq!(only(&chain(JSON_DEPTH)).rule, "version");
    let deep = only(&chain(JSON_DEPTH + 1));
    assert_eq!((&*deep.rule, deep.line), ("yaml", JSON_DEPTH), "{deep}");
    assert_eq!(deep.message, "more than 64 levels deep");
}

#[test]
fn combinations_that_would_take_for_ever_are_found_without_trying_them() {
    let mut schemas = String::new();
    for number in 0..40 {
        let next = format!("{{ $ref: '#/components/schemas/s{}' }}", number + 1);
        schemas += &format!("    s{number}: {{ oneOf: [{next}, {next}] }}\n");
    }
    let text = format!(
        "asyncapi: 3.0.0\ninfo: {{ title: t, version: '1' }}\ncomponents:\n  schemas:\n{schemas}    s40: {{ type: string }}\n  \
         messages:\n    m:\n      payload: {{ $ref: '#/components/schemas/s0' }}\n      examples: [{{ payload: 5 }}]\n"
    );
    let found = validate(&text);
    assert!(found.iter().all(|finding| finding.rule == "reference"), "{found:?}");
    assert!(found.iter().any(|finding| finding.pointer == "/components/messages/m/payload/$ref"));
}
