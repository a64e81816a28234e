//! What is published at once shares round trips, and each publish has its own answer.

use crate::harness::{ClusterSetup, RedisServer, Servers, TestHub};
use fanline_core::broker::Published;
use fanline_core::{Reason, Refusal};
use futures_util::future::join_all;

const CHANNELS: usize = 500;

/// Publishes to many channels at once, as a broadcast does.
async fn broadcast(hub: &TestHub) -> Vec<Result<Published, Refusal>> {
    let names: Vec<_> = (0..CHANNELS).map(|number| format!("a:{number}")).collect();
    join_all(names.iter().map(|name| hub.publish(name, 1))).await
}

/// How often a server has read from its connections.
async fn reads(server: &RedisServer) -> u64 {
    let stats: String = server.run(&["INFO", "stats"]).await;
    let reads = stats.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
    reads.expect("it is there").trim().parse().expect("a number")
}

#[tokio::test]
async fn a_broadcast_takes_few_round_trips_and_answers_for_each_channel() {
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    server.run::<String>(&["SET", "{fanline:a:7}:meta", "not the hub's"]).await;
    let before = reads(&server).await;
    let answers = broadcast(&hub).await;
    let taken = reads(&server).await - before;
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(published) => assert_eq!(published.position.offset.get(), 1),
            Err(refusal) => assert_eq!((number, refusal.reason()), (7, Reason::Internal)),
        }
    }
    // A batch of 128 may be read in several pieces of 16 KiB, and the node does other things, too.
    assert!(taken < CHANNELS as u64 / 5, "{taken} reads for {CHANNELS} channels");
}

#[tokio::test]
async fn a_broadcast_on_a_cluster_answers_for_each_channel() {
    let setup = ClusterSetup::start().await;
    let hub = TestHub::start(setup.settings()).await;
    for answer in broadcast(&hub).await {
        assert_eq!(answer.expect("published").position.offset.get(), 1);
    }
}
