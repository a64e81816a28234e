//! A schema in its two views: what a publisher must send, and what a subscriber can rely on.

use super::source::Place;
use serde_json::Value;

/// A JSON Schema (draft-07) with a name. References in it are those of [`reference()`].
#[derive(Clone, Debug)]
pub struct Schema {
    /// Its name, such as `order.shipped` or `chat.v1.Author`.
    pub name: String,
    /// Closed: what is not in the schema is refused, so that a slip of the pen does not pass.
    pub publish: Value,
    /// Open: a subscriber must bear fields that it does not know, so that publishers can add some.
    pub deliver: Value,
    /// Where it is written.
    pub place: Place,
}

impl Schema {
    /// One of the two.
    #[must_use]
    pub fn view(&self, view: View) -> &Value {
        match view {
            View::Publish => &self.publish,
            View::Deliver => &self.deliver,
        }
    }

    /// The names of the schemas that it refers to. Both views refer to the same ones.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let mut found = Vec::new();
        collect_references(&self.publish, &mut found);
        found.into_iter()
    }
}

/// From which end of an event one looks at its schema.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum View {
    /// Of the publisher.
    Publish,
    /// Of the subscriber.
    Deliver,
}

/// Where AsyncAPI documents keep schemas, and every reference points to.
pub(crate) const PREFIX: &str = "#/components/schemas/";

/// The reference to the schema called `name`, as schemas of a catalog hold it.
#[must_use]
pub fn reference(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// `order.status_changed` as `OrderStatusChanged`: what generators call a class.
pub(crate) fn class_name(name: &str) -> String {
    let mut class = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        class.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        class.push_str(letters.as_str());
    }
    class
}

fn collect_references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), value) {
                    ("$ref", Value::String(target)) => found.extend(target.strip_prefix(PREFIX)),
                    // Data, in which `$ref` is a name like any other.
                    ("const" | "enum" | "default" | "examples", _) => {}
                    _ => collect_references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
