//! Failovers that sentinels decide.

use crate::harness::{Publisher, SentinelSetup, Servers, TestHub, is_ready, until};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

const CHANNEL: &str = "a:lobby";

#[tokio::test]
async fn a_failover_delivers_each_acknowledged_event_or_names_it_as_lost() {
    let mut setup = SentinelSetup::start().await;
    let near = Arc::new(TestHub::start(setup.settings()).await);
    let far = Arc::new(TestHub::start(setup.settings()).await);
    let members = [near.observe(CHANNEL).await, far.observe(CHANNEL).await];
    let publisher = Publisher::start(Arc::clone(&near), CHANNEL, Duration::from_millis(2));
    let first = near.publish_surely("a:other", 1).await.0;
    setup.primary.kill();
    let next = far.publish_surely("a:other", 2).await.0;
    assert_ne!(next.position.epoch, first.position.epoch);
    let acknowledged = publisher.stop().await;
    for member in &members {
        member.holds(&acknowledged).await;
    }
    for hub in [&near, &far] {
        is_ready(&hub.broker).await;
    }
}

#[tokio::test]
async fn a_promoted_replica_that_missed_acknowledged_events_never_repeats_a_position() {
    let mut setup = SentinelSetup::start().await;
    let hub = TestHub::start(setup.settings()).await;
    let member = hub.observe(CHANNEL).await;
    let mut acknowledged = Vec::new();
    for number in 1..=20 {
        acknowledged.push(hub.publish_surely(CHANNEL, number).await.0);
    }
    // The replica stands still and is cut off, so that what follows never reaches it.
    until("the replica has it all", async || {
        setup
            .replica
            .try_run::<u64>(&["XLEN", "{fanline:a:lobby}:log"])
            .await
            .is_ok_and(|n| n == 20)
    })
    .await;
    setup.replica.signal("STOP");
    setup.primary.run::<u64>(&["CLIENT", "KILL", "TYPE", "replica"]).await;
    for number in 21..=25 {
        acknowledged.push(hub.publish_surely(CHANNEL, number).await.0);
    }
    setup.primary.kill();
    setup.replica.signal("CONT");
    for number in 26..=30 {
        acknowledged.push(hub.publish_surely(CHANNEL, number).await.0);
    }
    let positions: HashSet<_> = acknowledged.iter().map(|published| published.position).collect();
    assert_eq!(positions.len(), 30, "no position was given away twice");
    assert_eq!(acknowledged[25].position.offset.get(), 1);
    member.holds(&acknowledged).await;
    assert_eq!(member.seen().gaps(), 1);
    assert!(hub.epochs_fenced() >= 1);
}
