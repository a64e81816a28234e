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

/// That an answer is the first position of its own channel, and not that of another.
async fn is_first(hub: &TestHub, number: usize, answer: Result<Published, Refusal>) {
    let position = answer.expect("published").position;
    assert_eq!(position.offset.get(), 1);
    let channel = format!("a:{number}").parse().expect("a channel");
    assert_eq!(hub.hub.state(&channel).await.expect("a state").top, position, "{channel}");
}

#[tokio::test]
async fn a_broadcast_takes_few_round_trips_and_answers_for_each_channel() {
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    server.run::<String>(&["SET", "{fanline:a:7}:meta", "not the hub's"]).await;
    // How often the server has read from its connections.
    let reads = async || server.figure("stats", "total_reads_processed:").await;
    let before = reads().await;
    let answers = broadcast(&hub).await;
    let taken = reads().await - before;
    for (number, answer) in answers.into_iter().enumerate() {
        match number {
            7 => assert_eq!(answer.expect_err("a foreign value").reason(), Reason::Internal),
            number => is_first(&hub, number, answer).await,
        }
    }
    // A batch of 128 may be read in several pieces of 16 KiB, and the node does other things, too.
    assert!(taken < CHANNELS as u64 / 5, "{taken} reads for {CHANNELS} channels");
}

#[tokio::test]
async fn a_broadcast_on_a_cluster_answers_for_each_channel() {
    let setup = ClusterSetup::start().await;
    let hub = TestHub::start(setup.settings()).await;
    for (number, answer) in broadcast(&hub).await.into_iter().enumerate() {
        is_first(&hub, number, answer).await;
    }
}
