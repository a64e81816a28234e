//! The suite that every broker passes.

use crate::harness::{ClusterSetup, Node, RedisServer, SentinelSetup, Servers};
use fanline_core::clock::SystemClock;
use fanline_core::conformance::{self, PassTime, Subject};
use fanline_redis::RedisSettings;
use std::cell::Cell;
use std::sync::Arc;

#[tokio::test]
async fn on_one_server_every_promise_of_a_broker_is_kept() {
    let server = RedisServer::start().await;
    run(&server.settings()).await;
}

#[tokio::test]
async fn on_several_servers_every_promise_of_a_broker_is_kept() {
    let servers =
        [RedisServer::start().await, RedisServer::start().await, RedisServer::start().await];
    run(&servers[..].settings()).await;
}

#[tokio::test]
async fn behind_sentinels_every_promise_of_a_broker_is_kept() {
    let setup = SentinelSetup::start().await;
    run(&setup.settings()).await;
}

#[tokio::test]
async fn on_a_cluster_every_promise_of_a_broker_is_kept() {
    let setup = ClusterSetup::start().await;
    run(&setup.settings()).await;
}

/// Runs the suite, with a prefix for each promise: it is as good as an empty server.
async fn run(settings: &RedisSettings) {
    let runs = Cell::new(0);
    conformance::run(|| {
        runs.set(runs.get() + 1);
        let prefix = format!("run{}", runs.get());
        let settings = RedisSettings { prefix, ..settings.clone() };
        async { subject(Node::start(settings).await) }
    })
    .await;
    conformance::run_on_two(|| {
        runs.set(runs.get() + 1);
        let prefix = format!("run{}", runs.get());
        let settings = RedisSettings { prefix, ..settings.clone() };
        async {
            (subject(Node::start(settings.clone()).await), subject(Node::start(settings).await))
        }
    })
    .await;
}

fn subject(node: Node) -> Subject {
    let broker = Arc::new(node.broker);
    let stop = node.stop;
    // Time is Redis's own here: it really has to pass. The node lives as long as this.
    let pass: PassTime = Box::new(move |time| {
        let _alive = &stop;
        Box::pin(tokio::time::sleep(time))
    });
    Subject { broker, notices: node.notices, clock: Arc::new(SystemClock::start()), pass }
}
