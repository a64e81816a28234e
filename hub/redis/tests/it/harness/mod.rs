//! What the tests build on: servers, brokers, hubs, and waiting with a deadline.

mod broker;
mod cluster;
mod hub;
mod observer;
mod sentinel;
mod server;
mod wait;

pub(crate) use broker::Node;
pub(crate) use cluster::ClusterSetup;
pub(crate) use hub::{Publisher, TestHub};
pub(crate) use observer::Observer;
pub(crate) use sentinel::SentinelSetup;
pub(crate) use server::{RedisServer, free_port};
pub(crate) use wait::{DEADLINE, until};
