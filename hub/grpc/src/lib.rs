//! The gRPC front: what backends call, as `fanline.v1` of the crate `proto` describes it.
//!
//! It authenticates a caller before a message is decoded, authorises each channel, converts messages to the words of
//! the core and back, and leaves everything else to the [`Hub`](fanline_core::Hub). It has no listener: [`router`]
//! gives an [`axum::Router`] that the server puts behind its own accept loop. The one thing that goes the other way is
//! [`handlers`]: backends that the hub calls. Read `front.rs` first.

// The front and what surrounds every call.
mod front;

mod auth;
pub mod backends;
mod call_span;
mod caller;
mod count;
mod deadline;
pub mod keys;
mod metrics;
mod scope;
mod term;

// The words of the wire.
mod convert;
mod convert_command;
mod message_size;
mod status;

// The services.
mod applied_replies;
mod catalog;
mod channels;
mod command_bus;
mod connections;
mod health;
mod publish_stream;
mod publisher;
mod serve_stream;
mod subscribe_codec;
mod subscribe_stream;
mod subscriber;
mod unanswered;

// The other way.
pub mod handlers;

pub use front::{GrpcParts, TokenLifeMax, router};
pub use health::IsReady;
pub use metrics::GrpcMetrics;
pub use status::code;

#[cfg(test)]
mod testing;
