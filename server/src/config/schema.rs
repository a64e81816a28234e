//! The JSON Schema of the configuration, for editors and for whoever writes configurations by program.
//!
//! It is made of the same declarations as the manual. What it lets pass can be read; whether it makes sense together, such as
//! a deadline that is shorter than its window, only `fanline config check` says.

use serde_json::{Value, json};

use super::root::Config;
use super::section::{Key, Section};
use super::shape::{Object, Shape, object, sentence};

/// The schema, as a text to keep in a file.
pub(crate) fn schema() -> String {
    let mut schema = object([
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!("The configuration of Fanline")),
    ]);
    schema.extend(Config::shape());
    let text = serde_json::to_string_pretty(&schema).expect("a tree of JSON is JSON");
    format!("{text}\n")
}

impl<S: Section> Shape for S {
    fn shape() -> Object {
        let defaults =
            serde_json::to_value(S::default()).expect("sections hold only what JSON can");
        let property = |key: &Key| {
            let default = defaults.get(key.name()).filter(|value| !value.is_null());
            (key.name().to_owned(), Value::from(property(key, default)))
        };
        object([
            ("description", json!(paragraph(S::ABOUT))),
            ("type", json!("object")),
            ("properties", S::KEYS.iter().map(property).collect::<Object>().into()),
            ("additionalProperties", json!(false)),
        ])
    }
}

/// What the schema says of a key.
fn property(key: &Key, default: Option<&Value>) -> Object {
    let mut shape = (key.shape)();
    if shape.contains_key("description") {
        // A section, which says more of itself than its key does, down to the defaults.
        return shape;
    }
    let mut description = paragraph(key.about);
    if let Some(form) = key.form {
        description = format!("{description}\n\n{}", sentence(form));
    }
    shape.shift_insert(0, "description".to_owned(), description.into());
    if let Some(default) = default {
        shape.insert("default".to_owned(), default.clone());
    }
    if let Some(example) = key.example {
        shape.insert("examples".to_owned(), json!([from_toml(example)]));
    }
    shape
}

/// A value of TOML that stands in this code.
fn from_toml(text: &str) -> Value {
    let value: toml::Value = toml::from_str(&format!("value = {text}")).expect("examples are TOML");
    json!(value["value"])
}

/// The lines of the manual, without its line breaks: an editor makes its own.
fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
