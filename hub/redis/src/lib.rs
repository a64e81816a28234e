//! The Redis broker: any number of nodes behave as one hub.
//!
//! A channel lives on one Redis server: its counter, history, idempotency keys and members under keys of one slot, its
//! live messages go through one pub/sub channel. What must hold together is one script there (`scripts/`). Read
//! [`RedisBroker`] first, then `server`, which holds the connections, and `ear`, by which a node hears its channels. This
//! crate knows no clients and no transports; `docs/redis.md` is for those who run Redis.

// What operators choose.
pub mod durability;
pub mod error;
pub mod login;
pub mod settings;

// What lies in Redis.
mod envelope;
mod keys;
mod member;
mod scripts;

// Connections.
mod address;
mod advice;
mod backoff;
mod call;
mod dial;
mod identity;
mod link;
mod place;
mod session;

// The servers, and which of them a channel lives on.
mod cluster;
mod placing;
mod server;
mod servers;
mod tasks;

// The node's ear.
mod ear;
mod reader;
mod subscriptions;
mod suspects;

// What the broker does.
mod broker;
mod changes;
mod channels;
mod checks;
mod history;
mod membership;
mod mending;
mod metrics;
mod notes;
mod origin;
mod presence;
mod publish;
mod publisher;
mod readiness;
mod trouble;

// What nodes know of each other.
mod directory;
mod nodes;
mod registry;

pub use broker::{RedisBroker, RedisParts};
pub use durability::Durability;
pub use error::RedisError;
pub use login::Login;
pub use readiness::RedisReadiness;
pub use settings::{CheckedSettings, Mode, RedisSettings};
