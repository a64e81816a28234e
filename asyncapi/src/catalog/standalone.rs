//! One schema of a catalog as a document of its own, for whoever wants to check data elsewhere.

use super::Catalog;
use super::schema::{PREFIX, View};
use serde_json::{Map, Value, json};

/// Where a schema that stands alone keeps those that it refers to.
const DEFINITIONS: &str = "#/definitions/";

impl Catalog {
    /// The schema called `name` with all that it refers to under `definitions`: a draft-07 schema that any validator takes.
    /// One that the catalog does not have allows nothing.
    #[must_use]
    pub fn standalone_schema(&self, name: &str, view: View) -> Value {
        let Some(schema) = self.schema(name) else { return false.into() };
        let mut waiting = Vec::new();
        let mut whole = schema.view(view).clone();
        turn_references(&mut whole, &mut waiting);
        let mut definitions = Map::new();
        while let Some(name) = waiting.pop() {
            if definitions.contains_key(&name) {
                continue;
            }
            if let Some(schema) = self.schema(&name) {
                let mut value = schema.view(view).clone();
                turn_references(&mut value, &mut waiting);
                definitions.insert(name, value);
            }
        }
        definitions.sort_keys();
        whole["$schema"] = "http://json-schema.org/draft-07/schema#".into();
        if !definitions.is_empty() {
            whole["definitions"] = json!(definitions);
        }
        whole
    }
}

/// Lets references point at the definitions, and collects their names.
fn turn_references(schema: &mut Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get_mut("$ref")
                && let Some(name) = target.strip_prefix(PREFIX).map(str::to_owned)
            {
                *target = format!("{DEFINITIONS}{name}");
                found.push(name);
            }
            fields.values_mut().for_each(|value| turn_references(value, found));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| turn_references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Source;

    #[test]
    fn a_schema_brings_along_all_that_it_refers_to() {
        let catalog = r#"
            [info]
            title = "Test"
            [channels.a]
            address = "a:{x}"
        "#;
        let event = r#"{ "type": "object", "x-fanline": { "type": "e", "channels": ["a"] },
            "properties": { "who": { "$ref": "person.json#/definitions/Person" } }, "examples": [{}] }"#;
        let person = r##"{ "definitions": { "Person": { "type": "object",
            "properties": { "knows": { "type": "array", "items": { "$ref": "#/definitions/Person" } } } } } }"##;
        let files = [
            ("catalog.toml", catalog),
            ("jsonschema/e.json", event),
            ("jsonschema/person.json", person),
        ];
        let catalog =
            Catalog::load(&Source::of("test", files)).unwrap_or_else(|errors| panic!("{errors}"));
        let schema = catalog.standalone_schema("e", View::Publish);
        let check = jsonschema::draft7::new(&schema).unwrap();
        assert!(check.is_valid(&json!({ "who": { "knows": [{ "knows": [] }] } })));
        assert!(!check.is_valid(&json!({ "who": { "knows": [{ "know": [] }] } })));
        assert_eq!(catalog.standalone_schema("none", View::Publish), json!(false));
    }
}
