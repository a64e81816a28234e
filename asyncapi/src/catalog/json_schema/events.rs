//! From files with an `x-fanline` block to event types, and from all files to schemas.

use super::draft_07::enter;
use super::{BLOCK, DEFINITIONS, FOLDER};
use crate::catalog::error::CatalogError;
use crate::catalog::event::{EventDefinition, Example, Publisher};
use crate::catalog::manifest::{EnforcementWord, is_id};
use crate::catalog::schema::{Schema, class_name};
use crate::catalog::source::Source;
use crate::catalog::views;
use crate::checker::check_schema;
use crate::json::{self, below};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What the files say.
#[derive(Default)]
pub(in crate::catalog) struct Found {
    pub(in crate::catalog) events: Vec<EventDefinition>,
    pub(in crate::catalog) schemas: Vec<Schema>,
}

/// Reads all files of the folder; complaints go to `errors`.
pub(in crate::catalog) fn read(source: &Source, errors: &mut Vec<CatalogError>) -> Found {
    let mut found = Found::default();
    for (path, text) in source.files() {
        let Some(name) = path.strip_prefix(FOLDER).and_then(|name| name.strip_suffix(".json"))
        else {
            continue;
        };
        let file = File { source, path, text };
        if let Err(error) = file.read(name, &mut found) {
            errors.push(error);
        }
    }
    found
}

struct File<'a> {
    source: &'a Source,
    path: &'a str,
    text: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    #[serde(rename = "type")]
    name: String,
    channels: Vec<String>,
    summary: Option<String>,
    #[serde(default)]
    publisher: Publisher,
    owner: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    since: Option<String>,
    deprecated: Option<String>,
    enforcement: Option<EnforcementWord>,
    #[serde(default)]
    examples: Vec<ExampleBlock>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleBlock {
    name: String,
    summary: Option<String>,
    data: Value,
}

impl File<'_> {
    fn complain(&self, pointer: &str, message: impl Into<String>) -> CatalogError {
        let line = json::line_of(self.text, pointer);
        CatalogError::new(self.source.place(self.path, line), message)
    }

    fn read(&self, file_name: &str, found: &mut Found) -> Result<(), CatalogError> {
        let root = json::parse(self.text.as_bytes()).map_err(|fault| {
            CatalogError::new(self.source.place(self.path, fault.line), fault.message)
        })?;
        let Value::Object(mut root) = root else {
            return Err(self.complain("", "a schema is a JSON object"));
        };
        self.check_dialect(&mut root)?;
        let block = root.shift_remove(BLOCK).map(|block| self.block(block)).transpose()?;
        // What other schemas call this file, and what stands in front of the names of its definitions.
        let base = block.as_ref().map_or(file_name, |block| &block.name).to_owned();
        if !is_id(&base) {
            let message = format!(
                "`{base}` cannot be the name of an event type or a schema: use letters, digits, '_', '-' and '.'"
            );
            return Err(self.complain("", message));
        }
        let mut definitions = Vec::new();
        for holder in DEFINITIONS {
            let Some(schemas) = root.shift_remove(holder) else { continue };
            let Value::Object(schemas) = schemas else {
                return Err(self.complain(
                    &format!("/{holder}"),
                    format!("`{holder}` is an object of schemas"),
                ));
            };
            for (name, schema) in schemas {
                let pointer = below(&format!("/{holder}"), &name);
                definitions.push((name, pointer, schema));
            }
        }
        if let Some(block) = block {
            found.events.push(self.event(block, &mut root)?);
            found.schemas.push(self.schema(base.clone(), &base, Value::Object(root), "")?);
        }
        for (name, pointer, schema) in definitions {
            found.schemas.push(self.schema(format!("{base}.{name}"), &base, schema, &pointer)?);
        }
        Ok(())
    }

    fn check_dialect(&self, root: &mut Map<String, Value>) -> Result<(), CatalogError> {
        const KNOWN: [&str; 2] =
            ["json-schema.org/draft-07/schema", "json-schema.org/draft/2020-12/schema"];
        root.shift_remove("$id");
        let Some(dialect) = root.shift_remove("$schema") else { return Ok(()) };
        let name = dialect.as_str().unwrap_or_default();
        let bare =
            name.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('#');
        if KNOWN.contains(&bare) {
            return Ok(());
        }
        let message = format!(
            "`$schema` is {dialect}; a catalog is written in draft-07 or 2020-12: \"http://{}#\" or \"https://{}\"",
            KNOWN[0], KNOWN[1]
        );
        Err(self.complain("/$schema", message))
    }

    fn block(&self, block: Value) -> Result<Block, CatalogError> {
        let pointer = format!("/{BLOCK}");
        serde_json::from_value(block)
            .map_err(|error| self.complain(&pointer, format!("`{BLOCK}`: {error}")))
    }

    fn event(
        &self,
        block: Block,
        root: &mut Map<String, Value>,
    ) -> Result<EventDefinition, CatalogError> {
        let text = |name: &str| root.get(name).and_then(Value::as_str).map(str::to_owned);
        let (title, description) = (text("title"), text("description"));
        let mut examples: Vec<_> = block
            .examples
            .into_iter()
            .map(|ExampleBlock { name, summary, data }| Example { name, summary, data })
            .collect();
        // The bare examples of JSON Schema have no names.
        if let Some(bare) = root.shift_remove("examples") {
            let Value::Array(bare) = bare else {
                return Err(self.complain("/examples", "`examples` is an array of values"));
            };
            examples.extend(bare.into_iter().enumerate().map(|(index, data)| Example {
                name: format!("example {}", index + 1),
                summary: None,
                data,
            }));
        }
        Ok(EventDefinition {
            title: title.unwrap_or_else(|| block.name.clone()),
            summary: block.summary,
            description,
            channels: block.channels,
            publisher: block.publisher,
            owner: block.owner,
            tags: block.tags,
            since: block.since,
            deprecated: block.deprecated,
            enforcement: block.enforcement.map(Into::into),
            examples,
            schema: block.name.clone(),
            message: None,
            place: self.source.place(self.path, json::line_of(self.text, &format!("/{BLOCK}"))),
            name: block.name,
        })
    }

    fn schema(
        &self,
        name: String,
        base: &str,
        mut schema: Value,
        pointer: &str,
    ) -> Result<Schema, CatalogError> {
        enter(&mut schema, base, pointer)
            .map_err(|fault| self.complain(&fault.pointer, fault.message))?;
        check_schema(&schema)
            .map_err(|(inner, message)| self.complain(&format!("{pointer}{inner}"), message))?;
        if let Value::Object(object) = &mut schema
            && !object.contains_key("title")
        {
            object.shift_insert(0, "title".to_owned(), class_name(&name).into());
        }
        let publish = views::close(&schema).map_err(|inner| {
            let message = "some fields of this object are named in a combination (`allOf`, `oneOf`, ...) only, so that others cannot be refused; name all of them in its own `properties` too, or say what becomes of others with `additionalProperties`";
            self.complain(&format!("{pointer}{inner}"), message)
        })?;
        let place = self.source.place(self.path, json::line_of(self.text, pointer));
        Ok(Schema { name, publish, deliver: views::open(&schema), place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;
    use crate::catalog::CatalogErrors;
    use serde_json::json;

    const MANIFEST: &str = "[info]\ntitle = \"T\"\n[channels.room]\naddress = \"chat:{room}\"\n";

    fn load(files: &[(&str, &str)]) -> Result<Catalog, CatalogErrors> {
        let files = files.iter().copied().chain([("catalog.toml", MANIFEST)]);
        Catalog::load(&Source::of("c", files))
    }

    fn event(schema: Value) -> String {
        let mut file = json!({ "x-fanline": { "type": "said", "channels": ["room"] } });
        let root = file.as_object_mut().unwrap();
        root.extend(schema.as_object().unwrap().clone());
        serde_json::to_string_pretty(&file).unwrap()
    }

    #[test]
    fn combinations_that_would_take_for_ever_are_refused_with_their_file() {
        let next = |number: usize| json!({ "$ref": format!("#/definitions/s{}", number + 1) });
        let doubled =
            |number| (format!("s{number}"), json!({ "oneOf": [next(number), next(number)] }));
        let mut definitions: serde_json::Map<_, _> = (0..40).map(doubled).collect();
        definitions.insert("s40".to_owned(), json!({ "type": "boolean" }));
        let said = event(json!({
            "type": "object",
            "properties": { "on": { "$ref": "#/definitions/s0" } },
            "definitions": definitions,
        }));
        let errors = load(&[("jsonschema/said.json", &said)]).unwrap_err().to_string();
        assert!(errors.contains("c/jsonschema/said.json"), "{errors}");
        assert!(errors.contains("more than 100000 times"), "{errors}");
    }

    #[test]
    fn definitions_become_schemas_with_absolute_names() {
        let said = event(json!({
            "type": "object",
            "properties": {
                "by": { "$ref": "#/definitions/User" },
                "price": { "$ref": "money.json#/$defs/Money" },
                "before": { "$ref": "#" },
            },
            "definitions": { "User": { "type": "string" } },
        }));
        let money = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"Money": {"type": "array", "prefixItems": [{"type": "number"}], "items": false}}}"#;
        let catalog =
            load(&[("jsonschema/said.json", &said), ("jsonschema/money.json", money)]).unwrap();
        let names: Vec<_> = catalog.schemas().map(|schema| schema.name.as_str()).collect();
        assert_eq!(names, ["money.Money", "said", "said.User"]);
        let schema = &catalog.schema("said").unwrap().publish;
        assert_eq!(schema["properties"]["by"]["$ref"], "#/components/schemas/said.User");
        assert_eq!(schema["properties"]["before"]["$ref"], "#/components/schemas/said");
        assert_eq!(schema["title"], "Said");
        let money = &catalog.schema("money.Money").unwrap().publish;
        assert_eq!(
            (&money["items"][0]["type"], &money["additionalItems"]),
            (&json!("number"), &json!(false))
        );
        assert_eq!(catalog.schema("said").unwrap().references().count(), 3);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_the_remedy() {
        let properties = |x: Value| event(json!({ "type": "object", "properties": { "x": x } }));
        let table = [
            (properties(json!({ "maxLenght": 1 })), 11, "did you mean `maxLength`?"),
            (properties(json!({ "type": "strin" })), 11, "strin"),
            (
                properties(json!({ "$ref": "#/definitions/Nobody" })),
                1,
                "refers to `said.Nobody`, which is nowhere",
            ),
            (
                properties(json!({ "$ref": "http://example.com/x" })),
                11,
                "refers to nothing that a catalog knows",
            ),
            (
                properties(json!({ "$ref": "#", "maxLength": 1 })),
                12,
                "beside `$ref` counts for nothing",
            ),
            (properties(json!({ "unevaluatedProperties": false })), 11, "draft-07 cannot say it"),
            (properties(json!({ "pattern": "(?=x)" })), 1, "cannot be used"),
            (
                properties(
                    json!({ "properties": { "a": {} }, "allOf": [{ "properties": { "b": {} } }] }),
                ),
                10,
                "name all of them in its own `properties`",
            ),
            (
                event(json!({ "type": "string", "examples": [1] })),
                2,
                "example `example 1` of event type `said` breaks its own schema",
            ),
            (
                event(json!({ "$schema": "http://json-schema.org/draft-04/schema#" })),
                8,
                "draft-07 or 2020-12",
            ),
            ("{\n\"a\": 1,\n\"a\": 2}".to_owned(), 3, "twice"),
            ("[]".to_owned(), 1, "a schema is a JSON object"),
            (
                "{\n\"x-fanline\": {\"type\": \"a\", \"channel\": []}}".to_owned(),
                2,
                "unknown field `channel`",
            ),
            (
                "{\"x-fanline\": {\"type\": \"a\", \"channels\": [\"rom\"]}}".to_owned(),
                1,
                "did you mean `room`?",
            ),
            (
                "{\"x-fanline\": {\"type\": \"a\", \"channels\": []}}".to_owned(),
                1,
                "is in no channel",
            ),
            (
                "{\"x-fanline\": {\"type\": \"a b\", \"channels\": [\"room\"]}}".to_owned(),
                1,
                "use letters",
            ),
        ];
        for (text, line, message) in table {
            let errors = load(&[("jsonschema/said.json", &text)]).unwrap_err();
            let [error, ..] = errors.0.as_slice() else { panic!("never empty") };
            assert!(error.message.contains(message), "{error}\nshould say: {message}\n{text}");
            assert_eq!(
                (error.place.file.as_str(), error.place.line),
                ("c/jsonschema/said.json", line),
                "{error}\n{text}"
            );
        }
    }

    #[test]
    fn a_name_is_given_once() {
        let said = event(json!({}));
        let errors =
            load(&[("jsonschema/a.json", &said), ("jsonschema/b.json", &said)]).unwrap_err();
        assert!(errors.to_string().contains("see c/jsonschema/a.json:"), "{errors}");
    }
}
