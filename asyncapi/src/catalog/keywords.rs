//! The keywords of JSON Schema that a catalog may use: those of draft-07, which AsyncAPI documents must understand.

use crate::json::below;
use serde_json::Value;

/// A keyword, by what stands under it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Keyword {
    /// No schema: a bound, a text, data.
    Plain,
    /// A schema, or a list of them, for parts of the value.
    Schema,
    /// Schemas by name, for parts of the value.
    Schemas,
    /// A schema, or a list of them, for the same value.
    SameSchema,
    /// Schemas by name, for the same value.
    SameSchemas,
}

/// The keywords of draft-07 but `$id`, `$schema`, `$ref` and `definitions`, which end when a schema enters the catalog.
const KEYWORDS: [(&str, Keyword); 44] = [
    ("additionalItems", Keyword::Schema),
    ("additionalProperties", Keyword::Schema),
    ("allOf", Keyword::SameSchema),
    ("anyOf", Keyword::SameSchema),
    ("const", Keyword::Plain),
    ("contains", Keyword::Schema),
    ("contentEncoding", Keyword::Plain),
    ("contentMediaType", Keyword::Plain),
    ("default", Keyword::Plain),
    ("dependencies", Keyword::SameSchemas),
    ("deprecated", Keyword::Plain),
    ("description", Keyword::Plain),
    ("else", Keyword::SameSchema),
    ("enum", Keyword::Plain),
    ("examples", Keyword::Plain),
    ("exclusiveMaximum", Keyword::Plain),
    ("exclusiveMinimum", Keyword::Plain),
    ("format", Keyword::Plain),
    ("if", Keyword::SameSchema),
    ("items", Keyword::Schema),
    ("maxItems", Keyword::Plain),
    ("maxLength", Keyword::Plain),
    ("maxProperties", Keyword::Plain),
    ("maximum", Keyword::Plain),
    ("minItems", Keyword::Plain),
    ("minLength", Keyword::Plain),
    ("minProperties", Keyword::Plain),
    ("minimum", Keyword::Plain),
    ("multipleOf", Keyword::Plain),
    ("not", Keyword::SameSchema),
    ("oneOf", Keyword::SameSchema),
    ("pattern", Keyword::Plain),
    ("patternProperties", Keyword::Schemas),
    ("properties", Keyword::Schemas),
    ("propertyNames", Keyword::Schema),
    ("readOnly", Keyword::Plain),
    ("required", Keyword::Plain),
    ("then", Keyword::SameSchema),
    ("title", Keyword::Plain),
    ("type", Keyword::Plain),
    ("uniqueItems", Keyword::Plain),
    ("writeOnly", Keyword::Plain),
    ("$comment", Keyword::Plain),
    ("$ref", Keyword::Plain),
];

/// What stands under a keyword. None: there is no such keyword in a catalog.
pub(super) fn keyword(name: &str) -> Option<Keyword> {
    if name.starts_with("x-") {
        return Some(Keyword::Plain);
    }
    KEYWORDS.iter().find(|(known, _)| *known == name).map(|(_, keyword)| *keyword)
}

/// The keyword that was most likely meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    KEYWORDS
        .iter()
        .map(|(known, _)| (strsim::damerau_levenshtein(known, name), *known))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, known)| known)
}

/// One step from a schema to a schema in it.
pub(super) struct Inner<'a> {
    /// The keyword, and what follows it, as the end of a JSON pointer.
    pub(super) pointer: String,
    /// Whether it is about the same value as the schema around it.
    pub(super) same_value: bool,
    /// The schema.
    pub(super) schema: &'a mut Value,
}

/// The schemas right under one keyword of a schema.
pub(super) fn inner<'a>(name: &str, value: &'a mut Value) -> Vec<Inner<'a>> {
    let Some(kind) = keyword(name) else { return Vec::new() };
    let pointer = below("", name);
    let same_value = matches!(kind, Keyword::SameSchema | Keyword::SameSchemas);
    let found = |pointer, schema| Inner { pointer, same_value, schema };
    match (kind, value) {
        (Keyword::Plain, _) => Vec::new(),
        (Keyword::Schemas | Keyword::SameSchemas, Value::Object(schemas)) => {
            schemas.iter_mut().map(|(name, schema)| found(below(&pointer, name), schema)).collect()
        }
        (Keyword::Schema | Keyword::SameSchema, Value::Array(schemas)) => schemas
            .iter_mut()
            .enumerate()
            .map(|(index, schema)| found(format!("{pointer}/{index}"), schema))
            .collect(),
        (Keyword::Schema | Keyword::SameSchema, schema) => vec![found(pointer, schema)],
        (Keyword::Schemas | Keyword::SameSchemas, _) => Vec::new(),
    }
}
