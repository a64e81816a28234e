//! Writing JSON Schemas by hand: an object with its fields in reading order, and the few kinds of values that frames have.

use serde_json::{Map, Value, json};

/// Where documents keep schemas.
pub(super) const SCHEMAS: &str = "#/components/schemas/";

/// An object schema under construction. Fields that are not named stay allowed: clients ignore what they do not know.
pub(super) struct Object {
    head: Map<String, Value>,
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl Object {
    /// `title` becomes the name of a class in generated code.
    pub(super) fn new(title: &str) -> Self {
        let mut head = Map::new();
        head.insert("title".to_owned(), title.into());
        head.insert("type".to_owned(), "object".into());
        Object { head, properties: Map::new(), required: Vec::new() }
    }

    /// A field that is always there.
    pub(super) fn field(mut self, name: &str, schema: Value, about: &str) -> Self {
        self.required.push(name.into());
        self.optional(name, schema, about)
    }

    /// A field that may be missing.
    pub(super) fn optional(mut self, name: &str, mut schema: Value, about: &str) -> Self {
        if let Some(schema) = schema.as_object_mut()
            && !about.is_empty()
        {
            schema.insert("description".to_owned(), about.into());
        }
        self.properties.insert(name.to_owned(), schema);
        self
    }

    pub(super) fn build(self) -> Value {
        let Object { mut head, properties, required } = self;
        if !required.is_empty() {
            head.insert("required".to_owned(), required.into());
        }
        head.insert("properties".to_owned(), properties.into());
        head.into()
    }
}

/// A schema that stands elsewhere in the document.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{SCHEMAS}{name}") })
}

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn truth() -> Value {
    json!({ "type": "boolean" })
}

pub(super) fn whole() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn constant(value: &str) -> Value {
    json!({ "type": "string", "const": value })
}

pub(super) fn list_of(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// An object whose keys are data.
pub(super) fn map_of(values: Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

/// Any JSON.
pub(super) fn anything() -> Value {
    json!({})
}
