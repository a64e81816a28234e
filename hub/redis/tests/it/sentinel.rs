//! Failovers that sentinels decide.

use crate::harness::{Publisher, SentinelSetup, Servers, TestHub, is_ready, until};
use fanline_core::broker::{Broker, Revocation, Subject};
use fanline_core::clock::Timestamp;
use fanline_core::ids::UserId;
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

#[tokio::test]
async fn a_promoted_replica_that_missed_a_revocation_is_told_of_it_again() {
    let mut setup = SentinelSetup::start().await;
    let hub = TestHub::start(setup.settings()).await;
    let notes = hub.broker.notes();
    let is_known = async |user: &str| {
        let page = notes.revocations(None).await;
        page.is_ok_and(|page| page.revocations.contains(&revocation(user)))
    };
    notes.revoke(revocation("seen")).await.expect("revoked");
    until("the replica has it", async || {
        let count = setup.replica.try_run::<u64>(&["ZCARD", "{fanline:$hub}:revoked:ends"]);
        count.await.is_ok_and(|count| count == 1)
    })
    .await;
    setup.replica.signal("STOP");
    setup.primary.run::<u64>(&["CLIENT", "KILL", "TYPE", "replica"]).await;
    hub.hub.revoke(revocation("missed")).await.expect("revoked");
    setup.primary.kill();
    setup.replica.signal("CONT");
    // It has the number that was missed.
    until("the new primary takes another", async || notes.revoke(revocation("next")).await.is_ok())
        .await;
    until("it was put back", async || is_known("missed").await).await;
    assert!(is_known("seen").await && is_known("next").await);
    until("the hub heard of the next", async || {
        let next = UserId::new("next");
        hub.hub.check_revoked(next.as_ref(), None, None).is_err()
    })
    .await;
}

fn revocation(user: &str) -> Revocation {
    let subject = Subject::User(UserId::new(user).expect("a name"));
    // In the year 2100.
    let until = Timestamp::from_millis(4_102_444_800_000);
    Revocation { subject, issued_before: None, until }
}
