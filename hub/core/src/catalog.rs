//! Reading the event catalog: the trait by which fronts tell what the hub knows of events.
//!
//! What the catalog makes of an event that is published is asked through [`validator`](crate::validator).

use bytes::Bytes;

/// The event catalog, as it is in force now.
pub trait EventCatalog: Send + Sync {
    /// The revision. None: the hub has no catalog.
    fn revision(&self) -> Option<String>;

    /// Event types whose name comes after `after`, at most `limit`, by name.
    fn event_types(&self, after: &str, limit: usize) -> Vec<EventTypeInfo>;

    /// All about one event type.
    fn event_type(&self, name: &str) -> Option<EventTypeDetails>;

    /// The AsyncAPI document for insiders, and its revision.
    fn document(&self, format: DocumentFormat) -> (Bytes, String);
}

/// How a document is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DocumentFormat {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// What a list tells of an event type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventTypeInfo {
    /// The name.
    pub name: String,
    /// A name for people.
    pub title: String,
    /// One sentence.
    pub summary: Option<String>,
    /// The addresses of the channels it is published in.
    pub addresses: Vec<String>,
    /// Who publishes it: `client`, `backend` or `any`.
    pub publisher: &'static str,
    /// The team to ask.
    pub owner: Option<String>,
    /// For finding it.
    pub tags: Vec<String>,
    /// The version of the catalog that brought it.
    pub since: Option<String>,
    /// Set: it goes away, and this says what comes instead.
    pub deprecated: Option<String>,
    /// The full name of its protobuf message.
    pub message: Option<String>,
}

/// All about an event type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventTypeDetails {
    /// What a list tells too.
    pub info: EventTypeInfo,
    /// The JSON Schema of what may be published.
    pub publish_schema: Bytes,
    /// The JSON Schema of what a subscriber can rely on.
    pub deliver_schema: Bytes,
    /// Valid data, each one JSON text.
    pub examples: Vec<Bytes>,
    /// The revision of the catalog.
    pub revision: String,
}
