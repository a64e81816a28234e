//! The AsyncAPI 3.0.0 document, made from the catalog that events are validated with and from what the binary knows of
//! its edges.
//!
//! It has two layers. Channels of the catalog say which events there are; endpoint channels, whose keys start with
//! `fanline.`, say how each transport carries them. Read [`Document`] first. Nothing here is about where a document is served.

// What the documents are made from, beside the catalog.
mod facts;

// How they are written.
mod object;
mod parts;

// The layer of the catalog.
mod channels;

// The layer of the transports.
mod grpc;
mod http;
mod lifecycle;
mod operations;
mod servers;
mod sse;
mod vocabulary;
mod websocket;
mod wire;

// The whole.
#[expect(clippy::module_inception, reason = "the document of the module `document`")]
mod document;
mod perspective;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use channels::{OWN, PUBLISH};
pub use document::Document;
pub use facts::{CloseFact, HubFacts, ReasonFact, Server, TryIt};
pub use perspective::{Perspective, Readers, Settings};
