//! TypeScript types from the catalog: an interface for the data of each event type, and the map from type to data that
//! `@fanline/client` takes.
//!
//! They are of the deliver view: what a subscriber can rely on. Fields that a newer publisher adds do no harm, as
//! TypeScript looks at what it knows.

use crate::catalog::{Catalog, Visibility, class_name};
use crate::document::Readers;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const PREFIX: &str = "#/components/schemas/";

/// Writes the types of a catalog.
///
/// ```
/// let catalog = fanline_asyncapi::Catalog::load(&fanline_asyncapi::demo()).unwrap();
/// let types = fanline_asyncapi::typescript(&catalog, fanline_asyncapi::document::Readers::Public);
/// assert!(types.contains("export interface Events {"));
/// ```
#[must_use]
pub fn typescript(catalog: &Catalog, readers: Readers) -> String {
    let seen = |channel: &str| {
        catalog.channel(channel).is_some_and(|channel| {
            channel.visibility == Visibility::Public || readers == Readers::Internal
        })
    };
    let events: Vec<_> = catalog
        .events()
        .filter(|event| event.channels.iter().any(|channel| seen(channel)))
        .collect();
    let names = Names::of(catalog, events.iter().map(|event| event.schema.as_str()));

    let mut out = head(catalog);
    for schema in names.0.keys().filter_map(|name| catalog.schema(name)) {
        declare(&mut out, &names, &schema.name, &schema.deliver);
    }
    out.push_str(
        "/** The data of each event type: `connect<Events>(url)`. */\nexport interface Events {\n",
    );
    for event in &events {
        about(&mut out, "  ", event.summary.as_deref());
        line(
            &mut out,
            format_args!("  {}: {};", quoted(&event.name), names.of_schema(&event.schema)),
        );
    }
    out.push_str("}\n\n");
    out.push_str(ENVELOPE);
    out.push_str(
        "\n/** The event types of each channel, by its address. */\nexport interface Channels {\n",
    );
    for channel in catalog.channels().iter().filter(|channel| seen(&channel.id)) {
        let types: Vec<String> =
            catalog.events_of(&channel.id).map(|event| quoted(&event.name)).collect();
        let types = if types.is_empty() { "never".to_owned() } else { types.join(" | ") };
        about(&mut out, "  ", Some(&channel.title));
        line(&mut out, format_args!("  {}: {types};", quoted(channel.address.as_str())));
    }
    out.push_str("}\n");
    out
}

const ENVELOPE: &str = "\
/** An event as it arrives; `type` tells which data it has. */
export type HubEvent<Type extends keyof Events = keyof Events> = {
  [One in Type]: {
    readonly type: One;
    readonly data: Events[One];
    readonly channel: string;
    readonly position: string;
    readonly id: string;
    readonly time: string;
    readonly user?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
}[Type];
";

fn head(catalog: &Catalog) -> String {
    let info = catalog.info();
    format!(
        "// Made by `fanline asyncapi types` from the catalog {} {}, {}. Not to be edited.\n\n",
        info.title,
        info.version,
        catalog.revision()
    )
}

/// The names of the types, by the names of the schemas.
struct Names(BTreeMap<String, String>);

impl Names {
    /// Names for some schemas and all that they refer to. Two schemas never share a name.
    fn of<'a>(catalog: &'a Catalog, roots: impl Iterator<Item = &'a str>) -> Self {
        let mut waiting: Vec<String> = roots.map(str::to_owned).collect();
        let mut reached = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            if let Some(schema) = catalog.schema(&name)
                && reached.insert(name)
            {
                references(&schema.deliver, &mut waiting);
            }
        }
        // What the file itself declares.
        let mut taken: BTreeSet<String> =
            ["Events", "HubEvent", "Channels"].map(str::to_owned).into();
        let mut names = BTreeMap::new();
        for schema in reached {
            let wanted = match class_name(&schema) {
                name if name.starts_with(|first: char| first.is_ascii_digit()) => {
                    format!("T{name}")
                }
                name if name.is_empty() => "Data".to_owned(),
                name => name,
            };
            let mut name = wanted.clone();
            for number in 2.. {
                if taken.insert(name.clone()) {
                    break;
                }
                name = format!("{wanted}{number}");
            }
            names.insert(schema, name);
        }
        Names(names)
    }

    fn of_schema(&self, schema: &str) -> &str {
        self.0.get(schema).map_or("unknown", String::as_str)
    }
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) =
                fields.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix(PREFIX))
            {
                found.push(name.to_owned());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An interface where the schema is an object of fields, else a name for whatever it is.
fn declare(out: &mut String, names: &Names, schema: &str, value: &Value) {
    about(out, "", text_of(value, "description"));
    let name = names.of_schema(schema);
    match value.as_object() {
        Some(object) if is_plain_object(object) => {
            line(out, format_args!("export interface {name} {}", fields(names, object, "")));
        }
        Some(_) | None => {
            line(out, format_args!("export type {name} = {};", type_of(names, value, "")))
        }
    }
    out.push('\n');
}

fn is_plain_object(schema: &Map<String, Value>) -> bool {
    schema.contains_key("properties")
        && !schema.contains_key("allOf")
        && alternatives(schema).is_empty()
}

/// The type of a value.
fn type_of(names: &Names, schema: &Value, indent: &str) -> String {
    let Some(object) = schema.as_object() else {
        return if schema == &Value::Bool(false) { "never" } else { "unknown" }.to_owned();
    };
    if let Some(target) = text_of(schema, "$ref") {
        return names.of_schema(target.strip_prefix(PREFIX).unwrap_or(target)).to_owned();
    }
    if let Some(constant) = object.get("const") {
        return literal(constant);
    }
    if let Some(Value::Array(values)) = object.get("enum") {
        return union(values.iter().map(literal));
    }
    let mut parts = Vec::new();
    if let Some(Value::Array(all)) = object.get("allOf") {
        parts.extend(all.iter().map(|part| grouped(type_of(names, part, indent))));
    }
    let branches = alternatives(object);
    if !branches.is_empty() {
        parts.push(grouped(union(branches.iter().map(|branch| type_of(names, branch, indent)))));
    }
    if let Some(own) = own_type(names, object, indent) {
        parts.push(grouped(own));
    }
    // An alternative repeats what stands around it more often than not.
    parts.dedup();
    match parts.as_slice() {
        [] => "unknown".to_owned(),
        [only] => ungrouped(only),
        several => several.join(" & "),
    }
}

/// The branches of `oneOf` and `anyOf` that say more than which fields there must be: a protobuf `oneof` is written with
/// branches that say only that.
fn alternatives(schema: &Map<String, Value>) -> Vec<&Value> {
    let says_more = |branch: &&Value| {
        branch
            .as_object()
            .is_none_or(|branch| branch.keys().any(|key| key != "required" && key != "not"))
    };
    ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|key| schema.get(key)?.as_array())
        .flatten()
        .filter(says_more)
        .collect()
}

fn own_type(names: &Names, schema: &Map<String, Value>, indent: &str) -> Option<String> {
    let one = |name: &str| match name {
        "string" => "string".to_owned(),
        "integer" | "number" => "number".to_owned(),
        "boolean" => "boolean".to_owned(),
        "null" => "null".to_owned(),
        "array" => list(names, schema, indent),
        "object" => fields_or_map(names, schema, indent),
        _ => "unknown".to_owned(),
    };
    match schema.get("type") {
        Some(Value::String(name)) => Some(one(name)),
        Some(Value::Array(several)) => {
            Some(union(several.iter().filter_map(Value::as_str).map(one)))
        }
        _ if schema.contains_key("properties") => Some(fields_or_map(names, schema, indent)),
        _ => None,
    }
}

fn list(names: &Names, schema: &Map<String, Value>, indent: &str) -> String {
    match schema.get("items") {
        Some(Value::Array(items)) => {
            let items: Vec<_> = items.iter().map(|item| type_of(names, item, indent)).collect();
            format!("[{}]", items.join(", "))
        }
        Some(item) => format!("{}[]", grouped(type_of(names, item, indent))),
        None => "unknown[]".to_owned(),
    }
}

fn fields_or_map(names: &Names, schema: &Map<String, Value>, indent: &str) -> String {
    if schema.contains_key("properties") {
        return fields(names, schema, indent);
    }
    match schema.get("additionalProperties") {
        Some(values @ Value::Object(_)) => {
            format!("Record<string, {}>", type_of(names, values, indent))
        }
        Some(Value::Bool(false)) => "Record<string, never>".to_owned(),
        Some(_) | None => "Record<string, unknown>".to_owned(),
    }
}

fn fields(names: &Names, schema: &Map<String, Value>, indent: &str) -> String {
    let required: BTreeSet<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let inner = format!("{indent}  ");
    let mut out = String::from("{\n");
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        about(&mut out, &inner, text_of(field, "description"));
        let optional = if required.contains(name.as_str()) { "" } else { "?" };
        let kind = type_of(names, field, &inner);
        line(&mut out, format_args!("{inner}{}{optional}: {kind};", property(name)));
    }
    out.push_str(indent);
    out.push('}');
    out
}

fn text_of<'a>(schema: &'a Value, key: &str) -> Option<&'a str> {
    schema.get(key).and_then(Value::as_str)
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => value.to_string(),
        Value::Array(_) | Value::Object(_) => "unknown".to_owned(),
    }
}

fn union(types: impl Iterator<Item = String>) -> String {
    let mut seen = Vec::new();
    for one in types {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    if seen.is_empty() { "never".to_owned() } else { seen.join(" | ") }
}

/// In parentheses where it would not stand in one piece.
fn grouped(kind: String) -> String {
    if kind.contains(" | ") || kind.contains(" & ") { format!("({kind})") } else { kind }
}

fn ungrouped(kind: &str) -> String {
    let inside = kind.strip_prefix('(').and_then(|kind| kind.strip_suffix(')'));
    inside.unwrap_or(kind).to_owned()
}

/// A name as it stands in an object type.
fn property(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty();
    if plain { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn about(out: &mut String, indent: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    // What would end the comment is set apart.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "* /");
    line(out, format_args!("{indent}/** {words} */"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(schema: &Value) -> String {
        let names = Names([("other".to_owned(), "Other".to_owned())].into());
        type_of(&names, schema, "")
    }

    #[test]
    fn each_kind_of_schema_is_a_type() {
        let table = [
            (json!({ "type": "string" }), "string"),
            (json!({ "type": ["integer", "null"] }), "number | null"),
            (json!({ "const": "a" }), "\"a\""),
            (json!({ "enum": ["a", 1, null] }), "\"a\" | 1 | null"),
            (json!({ "type": "array", "items": { "enum": ["a", "b"] } }), "(\"a\" | \"b\")[]"),
            (json!({ "type": "array", "items": [{ "type": "string" }, {}] }), "[string, unknown]"),
            (
                json!({ "type": "object", "additionalProperties": { "type": "number" } }),
                "Record<string, number>",
            ),
            (json!({ "$ref": "#/components/schemas/other" }), "Other"),
            (
                json!({ "oneOf": [{ "type": "string" }, { "$ref": "#/components/schemas/other" }] }),
                "string | Other",
            ),
            (json!(true), "unknown"),
            (json!({}), "unknown"),
        ];
        for (schema, expected) in table {
            assert_eq!(written(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn a_field_that_may_be_missing_is_marked_and_odd_names_are_quoted() {
        let schema = json!({
            "type": "object", "required": ["a-b"],
            "properties": { "a-b": { "type": "string", "description": "Ends here */ or not" }, "c": {} },
        });
        assert_eq!(
            written(&schema),
            "{\n  /** Ends here * / or not */\n  \"a-b\": string;\n  c?: unknown;\n}"
        );
    }

    #[test]
    fn branches_that_only_ask_for_fields_are_no_alternatives() {
        let schema = json!({
            "type": "object", "properties": { "a": {}, "b": {} },
            "oneOf": [{ "required": ["a"] }, { "required": ["b"] }],
        });
        assert_eq!(written(&schema), "{\n  a?: unknown;\n  b?: unknown;\n}");
    }
}
