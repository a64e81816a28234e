//! A Redis that is not as it should be: a clear error, or a recovery that says what was lost.

use crate::harness::{Node, RedisServer, Servers, TestHub, is_ready, is_unready, member};
use fanline_core::broker::{Broker, HistoryQuery};
use fanline_core::channel::ChannelName;
use fanline_core::limits::CHANGES_PAGE;
use fanline_core::{Offset, Reason};
use fanline_redis::{Mode, RedisSettings};

async fn hub() -> (RedisServer, TestHub) {
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    (server, hub)
}

fn channel(name: &str) -> ChannelName {
    name.parse().expect("a channel")
}

#[tokio::test]
async fn a_foreign_value_under_a_key_is_an_error_and_stays() {
    let (server, hub) = hub().await;
    for (channel, key) in [("a:1", "{fanline:a:1}:meta"), ("a:2", "{fanline:a:2}:log")] {
        server.run::<String>(&["SET", key, "mine"]).await;
        let refusal = hub.publish(channel, 1).await.expect_err("a foreign value");
        assert_eq!(refusal.reason(), Reason::Internal, "{refusal}");
        assert_eq!(server.run::<String>(&["GET", key]).await, "mine");
    }
}

#[tokio::test]
async fn a_full_server_refuses_and_nothing_is_half_done() {
    let (server, hub) = hub().await;
    hub.publish("a:1", 1).await.expect("published");
    server.run::<String>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let refusal = hub.publish("a:1", 2).await.expect_err("no room");
    assert_eq!(refusal.reason(), Reason::LimitExceeded, "{refusal}");
    server.run::<String>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let published = hub.publish("a:1", 3).await.expect("published");
    assert_eq!(published.position.offset.get(), 2);
}

#[tokio::test]
async fn an_evicted_meta_key_means_a_gap_and_a_new_epoch() {
    let (server, hub) = hub().await;
    let member = hub.observe("a:1").await;
    let first = hub.publish("a:1", 1).await.expect("published");
    member.reaches(first.position).await;
    server.run::<u64>(&["DEL", "{fanline:a:1}:meta"]).await;
    let second = hub.publish("a:1", 2).await.expect("published");
    assert_ne!(second.position.epoch, first.position.epoch);
    assert_eq!(second.position.offset.get(), 1);
    member.reaches(second.position).await;
    assert_eq!(member.seen().gaps(), 1);
}

#[tokio::test]
async fn an_evicted_history_keeps_the_counter() {
    let (server, hub) = hub().await;
    let first = hub.publish("a:1", 1).await.expect("published");
    server.run::<u64>(&["DEL", "{fanline:a:1}:log"]).await;
    let second = hub.publish("a:1", 2).await.expect("published");
    assert_eq!(second.position, first.position.at(first.position.offset.next()));
}

#[tokio::test]
async fn a_history_ahead_of_its_counter_is_given_up() {
    let (server, hub) = hub().await;
    let first = hub.publish("a:1", 1).await.expect("published");
    server.run::<u64>(&["HSET", "{fanline:a:1}:meta", "offset", "0"]).await;
    let second = hub.publish("a:1", 2).await.expect("published");
    assert_ne!(second.position.epoch, first.position.epoch);
}

#[tokio::test]
async fn forgotten_scripts_are_loaded_anew() {
    let (server, hub) = hub().await;
    hub.publish("a:1", 1).await.expect("published");
    server.run::<String>(&["SCRIPT", "FLUSH"]).await;
    let published = hub.publish("a:1", 2).await.expect("published");
    assert_eq!(published.position.offset.get(), 2);
}

#[tokio::test]
async fn an_entry_that_is_not_ours_is_passed_over_as_lost() {
    let (server, hub) = hub().await;
    let first = hub.publish("a:1", 1).await.expect("published").position;
    let log = "{fanline:a:1}:log";
    server.run::<String>(&["XADD", log, "2-0", "x", "99999999999999", "e", "mine"]).await;
    server.run::<String>(&["XADD", log, "3-0", "theirs", "too"]).await;
    server.run::<u64>(&["HINCRBY", "{fanline:a:1}:meta", "offset", "2"]).await;
    let fourth = hub.publish("a:1", 4).await.expect("published").position;
    assert_eq!(fourth.offset.get(), 4);
    assert_eq!(first.offset.get(), 1);
    let query = HistoryQuery::after(Offset::ZERO, 10, usize::MAX);
    let page = hub.broker.history(&channel("a:1"), query).await.expect("a page");
    let offsets: Vec<_> = page.events.iter().map(|event| event.position.offset.get()).collect();
    assert_eq!(offsets, [1, 4]);
}

#[tokio::test]
async fn changes_of_members_that_are_not_ours_do_not_stand_in_the_way() {
    let (server, hub) = hub().await;
    let (hall, ada) = (channel("hall:1"), member("ada"));
    for number in 0..CHANGES_PAGE {
        let theirs: &[&str] = match number % 3 {
            0 => &["theirs", "too"],
            1 => &["k", "J", "c", "-1", "m", "theirs"],
            _ => &["k", "X", "c", "1", "m", ""],
        };
        server.run::<String>(&[&["XADD", "{fanline:hall:1}:changes", "*"], theirs].concat()).await;
    }
    hub.broker.enter(&hall, ada.clone(), true).await.expect("entered");
    let page = hub.broker.changes().untold(&hall).await.expect("listed");
    assert_eq!((page.changes, page.more), (vec![], true));
    assert_eq!(hub.metric("fanline_redis_foreign_values_total"), CHANGES_PAGE as u64);
    hub.broker.changes().forget(&hall, &page.last.expect("the last")).await.expect("forgotten");
    let page = hub.broker.changes().untold(&hall).await.expect("listed");
    assert_eq!((page.changes.len(), page.more), (1, false));
    assert_eq!(page.changes[0].member, ada);
}

#[tokio::test]
async fn a_lost_last_message_is_found_by_the_rounds() {
    let (server, hub) = hub().await;
    let member = hub.observe("a:1").await;
    let first = hub.publish("a:1", 1).await.expect("published");
    member.reaches(first.position).await;
    // A second one goes into history, but its message nowhere: as if the connection had lost it.
    let event = server.first_entry("{fanline:a:1}:log").await;
    server.xadd("{fanline:a:1}:log", "2-0", &event).await;
    server.run::<u64>(&["HSET", "{fanline:a:1}:meta", "offset", "2"]).await;
    member.reaches(first.position.at(first.position.offset.next())).await;
    assert_eq!(member.seen().gaps(), 0);
}

#[tokio::test]
async fn a_wrong_password_means_not_ready() {
    let server = RedisServer::with(&["--requirepass", "secret"]).await;
    let settings = |password| {
        RedisSettings::standalone(format!("redis://:{password}@127.0.0.1:{}", server.port))
    };
    let right = Node::start(settings("secret")).await;
    let wrong = Node::unready(settings("wrong"));
    // Refused again and again: `errorstat_WRONGPASS:count=3`.
    server.has_said("secret", "WRONGPASS", 3).await;
    assert!(wrong.broker.readiness().complaint().is_some());
    assert!(right.broker.readiness().complaint().is_none());
}

#[tokio::test]
async fn the_wrong_mode_means_not_ready() {
    let server = RedisServer::start().await;
    let settings = RedisSettings { mode: Mode::Cluster, ..server.settings() };
    let node = Node::unready(settings);
    server.has_said("", "ERR", 1).await;
    assert!(node.broker.readiness().complaint().is_some());
}

#[tokio::test]
async fn a_replica_is_not_written_to_and_a_primary_that_becomes_one_is_left() {
    let primary = RedisServer::start().await;
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    hub.publish("a:1", 1).await.expect("published");
    let port = primary.port.to_string();
    server.run::<String>(&["REPLICAOF", "127.0.0.1", &port]).await;
    is_unready(&hub.broker).await;
    let refusal = hub.publish("a:1", 2).await.expect_err("a replica");
    assert_eq!(refusal.reason(), Reason::BrokerUnavailable);
    server.run::<String>(&["REPLICAOF", "NO", "ONE"]).await;
    is_ready(&hub.broker).await;
    hub.publish("a:1", 3).await.expect("published");
}
