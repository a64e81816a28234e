//! Real Redis servers for tests: processes on free ports of the loopback, gone with their values.
//!
//! Knows nothing of the hub, so that the tests of the broker and those of whole nodes both stand on it, and on its way to
//! wait. Start with [`RedisServer`]; [`SentinelSetup`] and [`ClusterSetup`] are made of several.

mod cluster;
mod port;
mod sentinel;
mod server;
mod wait;

pub use cluster::ClusterSetup;
pub use port::free_port;
pub use sentinel::SentinelSetup;
pub use server::RedisServer;
pub use wait::{DEADLINE, eventually, until, within};
