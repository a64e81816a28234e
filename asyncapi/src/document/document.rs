//! The whole document.

use super::facts::HubFacts;
use super::parts::Parts;
use super::{Settings, channels, grpc, http, lifecycle, servers, sse, vocabulary, websocket, wire};
use crate::catalog::Catalog;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::fmt::Write;

/// The version of AsyncAPI. 3.1.0 differs by a binding for ROS 2 only, and official generators do not read it.
const VERSION: &str = "3.0.0";

/// The title of a hub without a catalog.
const TITLE: &str = "Fanline";
const DESCRIPTION: &str = "Channels and frames of a Fanline hub. It has no event catalog, so any event type with any \
                           data may be published.";

/// An AsyncAPI document. Equal catalogs and facts give equal documents, byte for byte.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    value: Value,
    revision: String,
}

impl Document {
    /// Writes the document of a hub.
    ///
    /// # Panics
    /// When the descriptors of the gRPC front cannot be read, which its own tests exclude.
    #[must_use]
    pub fn new(catalog: Option<&Catalog>, facts: &HubFacts, settings: Settings) -> Self {
        let mut parts = Parts::default();
        vocabulary::add(&mut parts, facts);
        if let Some(catalog) = catalog {
            channels::add(&mut parts, catalog, settings);
        }
        websocket::add(&mut parts);
        sse::add(&mut parts);
        http::add(&mut parts);
        if !facts.services.is_empty() {
            grpc::add(&mut parts, &facts.services)
                .expect("the hub serves the same descriptors by reflection");
        }
        lifecycle::add(&mut parts, facts, catalog, settings);

        let Parts { channels, mut operations, messages, schemas } = parts;
        operations.values_mut().for_each(|operation| settings.perspective.turn(operation));
        let mut value = json!({
            "asyncapi": VERSION,
            "info": info(catalog),
            "defaultContentType": "application/json",
            "servers": servers::servers(facts),
            "channels": channels,
            "operations": operations,
            "components": {
                "messages": messages,
                "schemas": schemas,
                "securitySchemes": servers::security_schemes(),
            },
            "x-fanline": about(catalog, facts, settings),
        });
        let revision = revision(catalog, &value);
        value["x-fanline"]["revision"] = revision.as_str().into();
        Document { value, revision }
    }

    /// The document as a tree.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The revision of the catalog, then of all the rest: it changes exactly when the document does.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The document as JSON, indented.
    ///
    /// # Panics
    /// Never: a tree of JSON is JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.value).expect("a tree of JSON is JSON");
        text.push('\n');
        text
    }

    /// The document as YAML that readers of YAML 1.1 and 1.2 understand alike.
    ///
    /// # Panics
    /// Never: YAML can say all that JSON can.
    #[must_use]
    pub fn yaml(&self) -> String {
        serde_saphyr::to_string(&self.value).expect("YAML can say all that JSON can")
    }
}

fn info(catalog: Option<&Catalog>) -> Value {
    let Some(info) = catalog.map(Catalog::info) else {
        return json!({ "title": TITLE, "version": "0.1.0", "description": DESCRIPTION });
    };
    let mut value = json!({ "title": info.title, "version": info.version });
    if let Some(description) = &info.description {
        value["description"] = description.as_str().into();
    }
    value
}

/// What the page needs and AsyncAPI has no field for.
fn about(catalog: Option<&Catalog>, facts: &HubFacts, settings: Settings) -> Value {
    let reasons: Vec<Value> = facts
        .reasons
        .iter()
        .map(|reason| {
            json!({
                "reason": reason.name, "grpc": reason.grpc, "http": reason.http, "retryable": reason.retryable,
                "about": reason.about,
            })
        })
        .collect();
    let closes: Vec<Value> = facts
        .closes
        .iter()
        .map(|close| json!({ "code": close.code, "about": close.about, "reconnect": close.reconnect }))
        .collect();
    let mut about = json!({
        "hub": facts.version,
        "view": settings.perspective.as_str(),
        "tryIt": facts.try_it.as_str(),
        "reasons": reasons,
        "closeCodes": closes,
        "wire": wire::templates(),
        "snippets": wire::snippets(),
    });
    if let Some(path) = &facts.token_path {
        about["tokenPath"] = path.as_str().into();
    }
    if let Some(catalog) = catalog {
        about["catalogRevision"] = catalog.revision().as_str().into();
    }
    about
}

fn revision(catalog: Option<&Catalog>, value: &Value) -> String {
    /// Of 32: the rest of the document changes with a release or a setting, not often.
    const SHOWN: usize = 6;
    let mut revision = catalog.map_or("none", |catalog| catalog.revision().as_str()).to_owned();
    revision.push('.');
    let hash = digest(&SHA256, value.to_string().as_bytes());
    for byte in &hash.as_ref()[..SHOWN] {
        write!(revision, "{byte:02x}").expect("a String takes all");
    }
    revision
}
