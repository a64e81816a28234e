//! The bad days of one server: what members see is whole, or says what is missing.

use crate::harness::{
    DEADLINE, Observer, Publisher, RedisServer, Servers, Step, TestHub, is_ready, is_unready, until,
};
use fanline_core::Reason;
use fanline_core::broker::{Broker, Revocation, Subject};
use fanline_core::clock::Timestamp;
use fanline_core::ids::UserId;
use fanline_redis::{Durability, RedisSettings};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CHANNEL: &str = "a:lobby";
const LIVE: &str = "{fanline:a:lobby}:live";

struct Scene {
    server: RedisServer,
    near: Arc<TestHub>,
    far: Arc<TestHub>,
    members: [Observer; 2],
}

/// Two nodes on one server, with a member on each.
async fn scene(settings: &[&str], durability: Durability) -> Scene {
    let server = RedisServer::with(settings).await;
    let settings = RedisSettings { durability, ..server.settings() };
    let near = Arc::new(TestHub::start(settings.clone()).await);
    let far = Arc::new(TestHub::start(settings).await);
    let members = [near.observe(CHANNEL).await, far.observe(CHANNEL).await];
    Scene { server, near, far, members }
}

#[tokio::test]
async fn a_subscribe_connection_killed_twenty_times_under_load_loses_and_doubles_nothing() {
    let Scene { server, near, far, members } = scene(&[], Durability::Volatile).await;
    let publisher = Publisher::start(Arc::clone(&near), CHANNEL, Duration::from_millis(1));
    let lost_before = far.connections_lost();
    for _ in 0..20 {
        let killed: u64 = server.run(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        assert!(killed > 0);
        until("both nodes listen again", async || server.listeners(LIVE).await == 2).await;
    }
    let acknowledged = publisher.stop().await;
    for member in &members {
        assert_eq!(member.holds(&acknowledged).await, 0);
        assert_eq!(member.seen().gaps(), 0);
    }
    assert!(far.connections_lost() >= lost_before + 20);
}

#[tokio::test]
async fn a_server_that_writes_to_disk_first_is_restarted_without_a_trace() {
    let settings = ["--appendonly", "yes", "--appendfsync", "always"];
    let Scene { mut server, near, far: _far, members } =
        scene(&settings, Durability::AofAlways).await;
    let mut publisher = Publisher::start(Arc::clone(&near), CHANNEL, Duration::from_millis(1));
    for _ in 0..3 {
        publisher.publishes(100).await;
        server.kill();
        server.restart().await;
    }
    near.publish_surely("a:other", 1).await;
    let acknowledged = publisher.stop().await;
    for member in &members {
        assert_eq!(member.holds(&acknowledged).await, 0);
        assert_eq!(member.seen().gaps(), 0);
    }
    assert_eq!(near.epochs_fenced(), 0);
}

#[tokio::test]
async fn a_server_that_forgets_everything_means_a_gap_and_a_new_epoch() {
    let Scene { mut server, near, far, members } = scene(&[], Durability::Volatile).await;
    let mut publisher = Publisher::start(Arc::clone(&near), CHANNEL, Duration::from_millis(1));
    publisher.publishes(100).await;
    server.kill();
    server.restart().await;
    let after = far.publish_surely("a:other", 1).await.0;
    assert_eq!(after.position.offset.get(), 1);
    let acknowledged = publisher.stop().await;
    let first = acknowledged[0].position.epoch;
    assert_ne!(acknowledged.last().expect("some").position.epoch, first);
    for member in &members {
        member.holds(&acknowledged).await;
        assert!(member.seen().gaps() >= 1);
    }
}

#[tokio::test]
async fn a_restart_from_an_old_dump_never_repeats_a_position() {
    let Scene { mut server, near, far, members } = scene(&[], Durability::Volatile).await;
    let mut acknowledged = Vec::new();
    for number in 1..=20 {
        acknowledged.push(near.publish_surely(CHANNEL, number).await.0);
    }
    server.run::<String>(&["SAVE"]).await;
    for number in 21..=25 {
        acknowledged.push(near.publish_surely(CHANNEL, number).await.0);
    }
    server.kill();
    server.restart().await;
    for number in 26..=30 {
        acknowledged.push(near.publish_surely(CHANNEL, number).await.0);
    }
    let positions: std::collections::HashSet<_> =
        acknowledged.iter().map(|published| published.position).collect();
    assert_eq!(positions.len(), acknowledged.len(), "no position was given away twice");
    for member in &members {
        member.holds(&acknowledged).await;
        assert!(member.seen().gaps() >= 1);
    }
    assert!(near.epochs_fenced() + far.epochs_fenced() >= 1, "it was counted");
}

#[tokio::test]
async fn while_a_server_stands_still_publishes_fail_fast_and_members_wait() {
    let Scene { server, near, far, members } = scene(&[], Durability::Volatile).await;
    let publisher = Publisher::start(Arc::clone(&far), CHANNEL, Duration::from_millis(2));
    server.signal("STOP");
    is_unready(&near.broker).await;
    until("a publish fails at once", async || {
        let asked = Instant::now();
        let refusal = near.publish("a:other", 1).await.expect_err("redis stands still");
        assert_eq!(refusal.reason(), Reason::BrokerUnavailable);
        assert!(refusal.retry_after().is_some());
        assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
        asked.elapsed() < Duration::from_millis(50)
    })
    .await;
    server.signal("CONT");
    is_ready(&near.broker).await;
    let acknowledged = publisher.stop().await;
    for member in &members {
        assert_eq!(member.holds(&acknowledged).await, 0);
        assert_eq!(member.seen().gaps(), 0);
    }
}

#[tokio::test]
async fn a_call_without_an_answer_ends_within_its_deadline() {
    let Scene { server, near, far: _far, members: _members } =
        scene(&[], Durability::Volatile).await;
    server.signal("STOP");
    let asked = Instant::now();
    near.publish(CHANNEL, 1).await.expect_err("redis stands still");
    assert!(asked.elapsed() < DEADLINE / 5, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_retry_on_another_node_is_not_acknowledged_before_the_replicas_have_the_event() {
    let server = RedisServer::start().await;
    let port = server.port.to_string();
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]).await;
    let settings = RedisSettings { durability: Durability::Wait(1), ..server.settings() };
    let near = TestHub::start(settings.clone()).await;
    near.publish_surely("a:other", 1).await;
    replica.signal("STOP");
    near.publish_with_key(CHANNEL, 1).await.expect_err("the replica stands still");
    // Its connection has written nothing yet.
    let far = TestHub::start(settings).await;
    far.publish_with_key(CHANNEL, 1).await.expect_err("the replica still does not have it");
    replica.signal("CONT");
    let (found, _) = far.publish_surely(CHANNEL, 1).await;
    assert!(found.duplicate && found.position.offset.get() == 1, "{found:?}");
}

#[tokio::test]
async fn a_replica_that_is_away_does_not_make_its_primary_look_dead() {
    let Scene { server: _server, near, far: _far, members: _members } =
        scene(&[], Durability::Wait(1)).await;
    let lost_before = near.connections_lost();
    let started = Instant::now();
    // Side by side, so that several batches wait for replicas, one behind the other, and whatever else is asked behind them.
    let publishing = (0..8).map(async |publisher| {
        tokio::time::sleep(Duration::from_millis(100 * publisher)).await;
        while started.elapsed() < Duration::from_secs(8) {
            let refused = near.publish_with_key("a:other", publisher).await;
            refused.expect_err("there is no replica");
            let user = UserId::new(&format!("u{publisher}")).expect("a user");
            let revocation = Revocation {
                subject: Subject::User(user),
                issued_before: None,
                until: Timestamp::from_millis(u64::MAX >> 16),
            };
            near.broker.notes().revoke(revocation).await.expect_err("there is no replica");
        }
    });
    futures_util::future::join_all(publishing).await;
    assert_eq!(near.connections_lost(), lost_before);
}

#[tokio::test]
async fn a_publish_that_reaches_too_few_replicas_is_not_acknowledged() {
    let Scene { server, near, far: _far, members } = scene(&[], Durability::Wait(1)).await;
    let refusal = near.publish_with_key(CHANNEL, 1).await.expect_err("there is no replica");
    assert_eq!(refusal.reason(), Reason::BrokerUnavailable, "{refusal}");
    let port = server.port.to_string();
    let _replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]).await;
    // The key makes the retry safe: what was published without an acknowledgement is found again.
    let first = near.publish_surely(CHANNEL, 1).await.0.position;
    assert_eq!(first.offset.get(), 1);
    let second = near.publish_surely(CHANNEL, 2).await.0.position;
    assert_eq!(second, first.at(first.offset.next()));
    for member in &members {
        member.reaches(second).await;
        assert_eq!(member.seen().steps, [Step::Event(first, 1), Step::Event(second, 2)]);
    }
}
