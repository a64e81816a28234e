//! What may stand behind a key, as a JSON Schema says it.
//!
//! Only keywords that all drafts share: editors know one draft or another. How the shapes become one document is in
//! [`schema`](mod@super::schema).

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::secret::Secret;
use super::text::Written;

/// A JSON object, of which schemas are made.
pub(crate) type Object = Map<String, Value>;

/// A kind of value that a key can have.
pub(crate) trait Shape {
    /// How it is written, for a sentence, where the schema alone does not say it.
    const FORM: Option<&'static str> = None;

    /// The schema that such values obey, and no others.
    fn shape() -> Object;
}

/// An object with these members.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Object {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The shape of an enum: the words that reading it knows.
pub(crate) fn one_of<T: DeserializeOwned>() -> Object {
    object([("type", json!("string")), ("enum", json!(words::<T>()))])
}

/// The words of an enum, as a complaint about a wrong one would name them.
pub(crate) fn words<T: DeserializeOwned>() -> &'static [&'static str] {
    match T::deserialize(StrDeserializer::<Fault>::new("")) {
        Ok(_) => &[],
        Err(fault) => fault.known(),
    }
}

/// Gives enums of words their shape.
macro_rules! shape_of_words {
    ($($kind:ty),+) => { $(
        impl $crate::config::shape::Shape for $kind {
            fn shape() -> $crate::config::shape::Object {
                $crate::config::shape::one_of::<$kind>()
            }
        }
    )+ };
}

pub(crate) use shape_of_words;

/// The shape of text with a form of its own.
pub(crate) fn written<T: Written>() -> Object {
    let pattern = ("pattern", json!(T::PATTERN));
    match T::from_number(0) {
        None => object([("type", json!("string")), pattern]),
        // Each of the two looks at its own kind of value only.
        Some(_) => object([("type", json!(["string", "integer"])), pattern, ("minimum", json!(0))]),
    }
}

impl Shape for bool {
    fn shape() -> Object {
        object([("type", json!("boolean"))])
    }
}

impl Shape for String {
    fn shape() -> Object {
        object([("type", json!("string"))])
    }
}

impl Shape for Secret {
    const FORM: Option<&'static str> =
        Some("the text itself, \"env:NAME\" for a variable or \"file:/path\" for a file");

    fn shape() -> Object {
        String::shape()
    }
}

impl Shape for u32 {
    fn shape() -> Object {
        object([("type", json!("integer")), ("minimum", json!(0)), ("maximum", json!(u32::MAX))])
    }
}

impl Shape for usize {
    fn shape() -> Object {
        object([("type", json!("integer")), ("minimum", json!(0))])
    }
}

impl<T: Shape> Shape for Option<T> {
    const FORM: Option<&'static str> = T::FORM;

    /// TOML has no null: a key that is not set does not stand there.
    fn shape() -> Object {
        T::shape()
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn shape() -> Object {
        object([("type", json!("array")), ("items", described::<T>().into())])
    }
}

impl<T: Shape> Shape for BTreeMap<String, T> {
    fn shape() -> Object {
        object([("type", json!("object")), ("additionalProperties", described::<T>().into())])
    }
}

/// A shape with its form as description, where no key describes it.
fn described<T: Shape>() -> Object {
    let mut shape = T::shape();
    if let Some(form) = T::FORM {
        shape.entry("description").or_insert_with(|| sentence(form).into());
    }
    shape
}

/// A form as a sentence of its own.
pub(super) fn sentence(form: &str) -> String {
    let (first, rest) = form.split_at(form.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}.", first.to_uppercase())
}
