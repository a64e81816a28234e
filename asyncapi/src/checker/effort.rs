//! How many schemas look at one value: a schema that combines two that combine two more, and so on, asks more than any
//! machine answers, in a few lines.

use crate::json::pointed_to;
use crate::limits::SCHEMA_LOOKS;
use serde_json::Value;
use std::collections::HashMap;

/// Schemas within schemas for the same value. Deeper ones are nobody's work, and count as too many.
const DEPTH: usize = 256;

/// Counts for the schemas of one document.
pub(crate) struct Effort<'a> {
    document: &'a Value,
    /// What is known of the targets of references. Those that are being counted stand for nothing: circles are judged elsewhere.
    known: HashMap<&'a str, usize>,
}

impl<'a> Effort<'a> {
    pub(crate) fn of(document: &'a Value) -> Self {
        Effort { document, known: HashMap::new() }
    }

    /// What is wrong with a schema for which too many others would look at a value.
    pub(crate) fn fault(&mut self, schema: &'a Value) -> Option<String> {
        (self.looks(schema, 0) > SCHEMA_LOOKS).then(|| {
            format!(
                "its combinations (`allOf`, `oneOf`, ...) and references look at one value more than {SCHEMA_LOOKS} times; \
                 name what they share once"
            )
        })
    }

    /// How many schemas look at a value that `schema` is asked about, itself among them.
    fn looks(&mut self, schema: &'a Value, depth: usize) -> usize {
        let Value::Object(keywords) = schema else { return 1 };
        if depth == DEPTH {
            return usize::MAX;
        }
        if let Some(Value::String(reference)) = keywords.get("$ref") {
            // What stands beside a reference means nothing (draft-07, section 8.3).
            return self.looks_there(reference, depth).saturating_add(1);
        }
        let mut sum = 1_usize;
        for (keyword, value) in keywords {
            let looks = match (keyword.as_str(), value) {
                ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                    self.sum(schemas.iter(), depth)
                }
                ("dependencies", Value::Object(schemas)) => self.sum(schemas.values(), depth),
                ("not" | "if" | "then" | "else", schema) => self.looks(schema, depth + 1),
                (_, _) => 0,
            };
            sum = sum.saturating_add(looks);
        }
        sum
    }

    fn sum(&mut self, schemas: impl Iterator<Item = &'a Value>, depth: usize) -> usize {
        schemas.fold(0, |sum, schema| sum.saturating_add(self.looks(schema, depth + 1)))
    }

    fn looks_there(&mut self, reference: &'a str, depth: usize) -> usize {
        if let Some(known) = self.known.get(reference) {
            return *known;
        }
        let document = self.document;
        let Some(target) = pointed_to(reference).and_then(|pointer| document.pointer(&pointer))
        else {
            return 0;
        };
        self.known.insert(reference, 0);
        let looks = self.looks(target, depth + 1);
        self.known.insert(reference, looks);
        looks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// So many schemas, of which each refers to the next twice.
    fn doubling(keyword: &str, count: usize) -> Value {
        let mut schemas = serde_json::Map::new();
        for number in 0..count {
            let next = json!({"$ref": format!("#/{}", number + 1)});
            schemas.insert(number.to_string(), json!({keyword: [next, next]}));
        }
        schemas.insert(count.to_string(), json!({"type": "string"}));
        schemas.into()
    }

    fn is_fault(document: &Value) -> bool {
        Effort::of(document).fault(&document["0"]).is_some()
    }

    #[test]
    fn what_doubles_again_and_again_is_too_much() {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            assert!(!is_fault(&doubling(keyword, 10)), "{keyword}");
            for count in [40, 1_000] {
                assert!(is_fault(&doubling(keyword, count)), "{keyword}");
            }
        }
    }

    #[test]
    fn parts_of_a_value_and_circles_are_no_effort() {
        let part = json!({"0": {"properties": {"a": {"$ref": "#/0"}, "b": {"$ref": "#/0"}}}});
        assert!(!is_fault(&part));
        assert!(!is_fault(&json!({"0": {"allOf": [{"$ref": "#/0"}, {"$ref": "#/1"}]}})));
    }
}
