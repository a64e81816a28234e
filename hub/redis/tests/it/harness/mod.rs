//! What the tests build on: servers, brokers, hubs, and waiting with a deadline.

mod broker;
mod hub;
mod observer;
mod server;
mod wait;

pub(crate) use broker::Node;
pub(crate) use hub::{Publisher, TestHub};
pub(crate) use observer::Observer;
pub(crate) use server::RedisServer;
pub(crate) use wait::{DEADLINE, until};
