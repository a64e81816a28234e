//! An event type: its name, where it is published and by whom, and the schema of its data.

use super::info::Enforcement;
use super::source::Place;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An event type.
#[derive(Clone, Debug)]
pub struct EventDefinition {
    /// The name that events carry, such as `message` or `order.status_changed`: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// A name for people.
    pub title: String,
    /// One sentence.
    pub summary: Option<String>,
    /// What it means, in Markdown.
    pub description: Option<String>,
    /// The ids of the channels it is published in; at least one.
    pub channels: Vec<String>,
    /// Who publishes it.
    pub publisher: Publisher,
    /// The team to ask.
    pub owner: Option<String>,
    /// For finding it.
    pub tags: Vec<String>,
    /// The version of the catalog that brought it.
    pub since: Option<String>,
    /// Set: it goes away, and this says what comes instead.
    pub deprecated: Option<String>,
    /// What happens to an event that breaks the schema. None: as the namespace or the catalog says.
    pub enforcement: Option<Enforcement>,
    /// Examples of its data; each is valid.
    pub examples: Vec<Example>,
    /// The name of its data's schema, in [`Catalog::schema`](super::Catalog::schema).
    pub schema: String,
    /// The full name of its protobuf message, when that is where it comes from. Then `application/protobuf` is taken too.
    pub message: Option<String>,
    /// Where it is written.
    pub place: Place,
}

/// Who publishes an event type.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Publisher {
    /// Clients on a bridge.
    Client,
    /// Backends, over gRPC.
    Backend,
    /// Both.
    #[default]
    Any,
}

impl Publisher {
    /// Its word in the catalog's files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Publisher::Client => "client",
            Publisher::Backend => "backend",
            Publisher::Any => "any",
        }
    }
}

/// An example of an event's data.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Its name among the examples of its event.
    pub name: String,
    /// What it shows.
    pub summary: Option<String>,
    /// The data, as JSON.
    pub data: Value,
}
