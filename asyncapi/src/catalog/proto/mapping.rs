//! From protobuf messages to JSON Schema: the JSON mapping of proto3, in its canonical form.
//!
//! A publisher of JSON writes what a protobuf library would: names in lowerCamelCase, numbers of 64 bits as text, enum
//! values by name. The mapping lets parsers accept more than that, but JSON is passed on byte for byte, and subscribers
//! are promised one form. See <https://protobuf.dev/programming-guides/json/>.

use super::{comments, rules, well_known};
use crate::catalog::schema::{Schema, class_name, reference};
use crate::catalog::source::Source;
use crate::catalog::views;
use crate::catalog::{CatalogError, CatalogErrors};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Syntax};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The schemas of messages that are not of a catalog, and of all that these are made of.
///
/// # Errors
/// A message whose JSON has no schema.
pub(crate) fn schemas(messages: &[MessageDescriptor]) -> Result<Vec<Schema>, CatalogErrors> {
    let nowhere = Source::of("", []);
    let mut errors = Vec::new();
    let mut mapping = Mapping::new(&nowhere, &mut errors);
    messages.iter().for_each(|message| mapping.message(message));
    let schemas = mapping.into_schemas();
    if errors.is_empty() { Ok(schemas) } else { Err(CatalogErrors(errors)) }
}

/// Makes the schemas of messages, and of all that these are made of.
pub(super) struct Mapping<'a> {
    source: &'a Source,
    known: BTreeSet<String>,
    schemas: Vec<Schema>,
    errors: &'a mut Vec<CatalogError>,
}

impl<'a> Mapping<'a> {
    pub(super) fn new(source: &'a Source, errors: &'a mut Vec<CatalogError>) -> Self {
        Mapping { source, known: BTreeSet::new(), schemas: Vec::new(), errors }
    }

    /// All schemas that were made.
    pub(super) fn into_schemas(self) -> Vec<Schema> {
        self.schemas
    }

    /// Makes the schema of a message under its full name, unless there is one.
    pub(super) fn message(&mut self, message: &MessageDescriptor) {
        if !self.known.insert(message.full_name().to_owned()) {
            return;
        }
        let file = message.parent_file();
        let place = comments::place(self.source, &file, message.path());
        if file.syntax() != Syntax::Proto3 {
            let message = format!(
                "`{}` is not of proto3, whose JSON mapping is the only one that all languages share; move it to a file with `syntax = \"proto3\"`",
                message.full_name()
            );
            self.errors.push(CatalogError::new(place, message));
            return;
        }
        if let Err(fault) = rules::check_message(message) {
            self.errors.push(CatalogError::new(place.clone(), fault));
        }
        let mut schema = Map::new();
        schema.insert("title".to_owned(), class_name(message.full_name()).into());
        if let Some(comment) = comments::comment(&file, message.path()) {
            schema.insert("description".to_owned(), comment.into());
        }
        schema.insert("type".to_owned(), "object".into());
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in message.fields() {
            let (field_schema, is_required) = self.field(&field);
            properties.insert(field.json_name().to_owned(), field_schema);
            if is_required {
                required.push(Value::from(field.json_name()));
            }
        }
        let mut choices = Vec::new();
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            match rules::oneof_is_required(&oneof) {
                Ok(one_is_needed) => {
                    choices.push(choice(
                        oneof.fields().map(|field| field.json_name().to_owned()),
                        one_is_needed,
                    ));
                }
                Err(fault) => self.errors.push(CatalogError::new(place.clone(), fault)),
            }
        }
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        schema.insert("properties".to_owned(), properties.into());
        match choices.as_slice() {
            [] => {}
            [one] => {
                schema.insert("oneOf".to_owned(), one.clone());
            }
            several => {
                let all: Vec<_> = several.iter().map(|one| json!({ "oneOf": one })).collect();
                schema.insert("allOf".to_owned(), all.into());
            }
        }
        let schema = Value::Object(schema);
        let publish = views::close(&schema).expect("all fields stand in `properties`");
        let deliver = views::open(&schema);
        self.schemas.push(Schema { name: message.full_name().to_owned(), publish, deliver, place });
    }

    /// The schema of a field, and whether it has to be there.
    fn field(&mut self, field: &FieldDescriptor) -> (Value, bool) {
        let mut schema = if field.is_map() {
            self.map(field)
        } else {
            let value = self.value(&field.kind());
            if field.is_list() { json!({ "type": "array", "items": value }) } else { value }
        };
        let file = field.parent_message().parent_file();
        let required = match rules::apply(field, &mut schema) {
            Ok(presence) => presence.required,
            Err(fault) => {
                let place = comments::place(self.source, &file, field.path());
                let message = format!("field `{}`: {fault}", field.full_name());
                self.errors.push(CatalogError::new(place, message));
                false
            }
        };
        let mut notes = Map::new();
        if let Some(comment) = comments::comment(&file, field.path()) {
            notes.insert("description".to_owned(), comment.into());
        }
        if field
            .field_descriptor_proto()
            .options
            .as_ref()
            .is_some_and(|options| options.deprecated())
        {
            notes.insert("deprecated".to_owned(), true.into());
        }
        // Beside a reference nothing counts in draft-07, and some readers drop even notes.
        if let (false, Some(object)) = (notes.is_empty(), schema.as_object()) {
            let with_notes = if object.contains_key("$ref") {
                notes.insert("allOf".to_owned(), json!([object]));
                notes
            } else {
                notes.extend(object.clone());
                notes
            };
            schema = Value::Object(with_notes);
        }
        (schema, required)
    }

    fn map(&mut self, field: &FieldDescriptor) -> Value {
        let Kind::Message(entry) = field.kind() else { return json!({ "type": "object" }) };
        let names = match entry.map_entry_key_field().kind() {
            Kind::Bool => Some(json!({ "enum": ["true", "false"] })),
            Kind::Int32
            | Kind::Sint32
            | Kind::Sfixed32
            | Kind::Int64
            | Kind::Sint64
            | Kind::Sfixed64 => Some(json!({ "pattern": r"^(0|-?[1-9]\d{0,18})$" })),
            Kind::Uint32 | Kind::Fixed32 | Kind::Uint64 | Kind::Fixed64 => {
                Some(json!({ "pattern": r"^(0|[1-9]\d{0,19})$" }))
            }
            Kind::String
            | Kind::Bytes
            | Kind::Float
            | Kind::Double
            | Kind::Message(_)
            | Kind::Enum(_) => None,
        };
        let mut schema = json!({
            "type": "object",
            "additionalProperties": self.value(&entry.map_entry_value_field().kind()),
        });
        if let Some(names) = names {
            schema["propertyNames"] = names;
        }
        schema
    }

    fn value(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => well_known::bytes(),
            Kind::Double => well_known::double(),
            Kind::Float => well_known::float(),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => well_known::int32(),
            Kind::Uint32 | Kind::Fixed32 => well_known::uint32(),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => well_known::int64(),
            Kind::Uint64 | Kind::Fixed64 => well_known::uint64(),
            Kind::Enum(values) => self.enumeration(values),
            Kind::Message(message) => match well_known::schema(message.full_name()) {
                Some(schema) => schema,
                None => {
                    self.message(message);
                    json!({ "$ref": reference(message.full_name()) })
                }
            },
        }
    }

    fn enumeration(&mut self, values: &EnumDescriptor) -> Value {
        if values.full_name() == "google.protobuf.NullValue" {
            return json!({ "type": "null" });
        }
        if self.known.insert(values.full_name().to_owned()) {
            let file = values.parent_file();
            let names: Vec<_> = values.values().map(|value| value.name().to_owned()).collect();
            let mut schema = json!({ "title": class_name(values.full_name()) });
            if let Some(comment) = comments::comment(&file, values.path()) {
                schema["description"] = comment.into();
            }
            schema["type"] = "string".into();
            schema["enum"] = names.into();
            self.schemas.push(Schema {
                name: values.full_name().to_owned(),
                publish: schema.clone(),
                deliver: schema,
                place: comments::place(self.source, &file, values.path()),
            });
        }
        json!({ "$ref": reference(values.full_name()) })
    }
}

/// The branches of a oneof: one for each member, and one without any where none is needed.
fn choice(members: impl Iterator<Item = String>, one_is_needed: bool) -> Value {
    let mut branches: Vec<_> = members.map(|name| json!({ "required": [name] })).collect();
    if !one_is_needed {
        let any = branches.clone();
        branches.push(json!({ "not": { "anyOf": any } }));
    }
    branches.into()
}
