//! The domain of Fanline: channels, their logs, subscriptions, presence, permissions and limits.
//!
//! This crate knows no transport: no gRPC, HTTP, WebSocket or Redis. Time and randomness are passed in, so that
//! every decision can be replayed in a test. Read [`Hub`] first, then [`Feed`], which is how anything outside
//! follows channels, then the [`catchup`] module, where the promise of design section 5.3 is kept.

// What everything else is made of.
pub mod channel;
pub mod clock;
pub mod cursor;
pub mod event;
pub mod ids;
pub mod limits;
pub mod pattern;
pub mod position;
pub mod random;
pub mod reason;
pub mod refusal;
pub mod spans;
mod sync;
pub mod trace;
pub mod wire;

// Who may do what, where.
pub mod namespace;
pub mod permission;

// The log and its cursors.
pub mod catchup;
mod fanout;
pub mod feed;
mod inbox;
mod log;
mod log_table;
mod ring;

// What carries events between nodes.
pub mod broker;
pub mod control;
pub mod memory;

// Who is connected, and what connections are told to do.
pub mod connections;

// The hub itself and what can be asked of it.
pub mod catalog;
pub mod command;
pub mod history;
pub mod hub;
mod lifecycle;
pub mod metrics;
pub mod presence;
pub mod publish;
pub mod validator;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;

pub use channel::ChannelName;
pub use cursor::{Cursor, Since};
pub use event::Event;
pub use feed::Feed;
pub use hub::Hub;
pub use limits::Limits;
pub use position::{Epoch, Offset, Position};
pub use reason::Reason;
pub use refusal::Refusal;
