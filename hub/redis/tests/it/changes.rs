//! Changes of members that wait to be told: what keeping them costs, and what is given up.

use crate::harness::{RedisServer, Servers, TestHub, member};
use fanline_core::broker::Broker;
use fanline_core::channel::ChannelName;
use fanline_core::limits::CHANGES;

fn hall() -> ChannelName {
    "hall:1".parse().expect("a channel")
}

#[tokio::test]
async fn looking_for_them_does_not_go_through_all_members_each_time() {
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    hub.broker.enter(&hall(), member("ada"), true).await.expect("entered");
    // The registry of nodes is read in this way too, but once a second.
    let reads = async || {
        let stats: String = server.run(&["INFO", "commandstats"]).await;
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_hgetall:calls="));
        let calls = line.and_then(|line| line.split(',').next()?.parse().ok());
        calls.unwrap_or(0_u64)
    };
    let before = reads().await;
    let asked = 1000;
    for _ in 0..asked {
        let page = hub.broker.changes().untold(&hall()).await.expect("listed");
        assert_eq!(page.changes.len(), 1);
    }
    let made = reads().await - before;
    assert!(made < asked / 2, "{made} reads of all fields for {asked} looks");
}

#[tokio::test]
async fn those_that_find_no_room_are_counted() {
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    let fill = "for _ = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'k', 'J') end";
    let (key, count) = ("{fanline:hall:1}:changes", (CHANGES - 1).to_string());
    server.run::<redis::Value>(&["EVAL", fill, "1", key, &count]).await;
    let ada = member("ada");
    let lost = || hub.metric("fanline_redis_changes_lost_total");
    hub.broker.enter(&hall(), ada.clone(), true).await.expect("entered");
    assert_eq!(lost(), 0);
    hub.broker.leave(&hall(), ada.connection).await.expect("left");
    assert_eq!(lost(), 1);
    hub.broker.enter(&hall(), ada, true).await.expect("entered");
    assert_eq!(lost(), 2);
    assert_eq!(server.run::<u64>(&["XLEN", key]).await, CHANGES as u64);
}
