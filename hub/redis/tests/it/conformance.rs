//! The suite that every broker passes.

use crate::harness::{Node, RedisServer};
use fanline_core::conformance::{self, PassTime, Subject};
use fanline_redis::RedisSettings;
use std::sync::Arc;

#[tokio::test]
async fn on_one_server_every_promise_of_a_broker_is_kept() {
    let server = RedisServer::start().await;
    let runs = std::cell::Cell::new(0);
    conformance::run(|| {
        // A prefix of its own is as good as an empty server.
        runs.set(runs.get() + 1);
        let prefix = format!("run{}", runs.get());
        let settings = RedisSettings { prefix, ..RedisSettings::standalone(server.url()) };
        async { subject(Node::start(settings).await) }
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
    Subject { broker, notices: node.notices, pass }
}
