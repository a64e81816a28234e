//! The configuration: one TOML file, and the environment laid over it (contract section 10).
//!
//! A section is one file here: its keys, their defaults and manual, and the check that turns it into settings. Read
//! [`section`] for how one is declared, [`load`] for the way from text to [`Settings`].

// How values are written and sections declared.
mod secret;
mod section;
mod shape;
mod share;
mod text;

// The sections, in the order of the manual.
mod address;
mod api_keys;
mod broker;
mod catalog;
mod certificates;
mod docs;
mod drain;
mod grpc;
mod handlers;
mod history;
mod jwks;
mod limits;
mod namespaces;
mod ops;
mod public;
mod root;
mod telemetry;
mod tls;
mod tokens;

// From text to sections, with complaints that name their line.
mod document;
mod environment;
mod error;
mod fault;
mod origin;
mod path;
mod reader;

// From sections to what the hub is built of.
mod checker;
mod load;
mod settings;

// The other way round.
mod manual;
mod schema;

#[cfg(test)]
mod tests;

pub(crate) use api_keys::ApiKeyConfig;
pub(crate) use broker::BrokerSettings;
pub(crate) use docs::{DocsSettings, server as server_of_url};
pub(crate) use grpc::GrpcSettings;
pub(crate) use jwks::JwksSettings;
pub(crate) use load::{Loaded, Origin as ConfigOrigin};
pub(crate) use manual::manual;
pub(crate) use public::PublicSettings;
pub(crate) use root::Config;
pub(crate) use schema::schema;
pub(crate) use secret::Secret;
pub(crate) use settings::Settings;
pub(crate) use telemetry::{LogFormat, SpanSettings, TelemetrySettings};
pub(crate) use tls::{Certificate, trusted_by_this_machine};
pub(crate) use tokens::ClientKey;
