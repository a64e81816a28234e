//! What the tests build on: brokers and hubs on real servers, and members that write down what they get.

mod broker;
mod hub;
mod observer;
mod settings;

pub(crate) use broker::{Node, is_ready, is_unready};
pub(crate) use fanline_test_redis::{
    ClusterSetup, DEADLINE, RedisServer, SentinelSetup, free_port, until,
};
pub(crate) use hub::{Publisher, TestHub, member};
pub(crate) use observer::{Observer, Step};
pub(crate) use settings::Servers;
