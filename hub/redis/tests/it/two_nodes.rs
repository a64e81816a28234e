//! Several nodes on one server behave as one hub.

use crate::harness::{Publisher, RedisServer, Servers, TestHub};
use std::sync::Arc;
use std::time::Duration;

async fn nodes(server: &RedisServer, count: usize) -> Vec<Arc<TestHub>> {
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(Arc::new(TestHub::start(server.settings()).await));
    }
    nodes
}

#[tokio::test]
async fn members_on_all_nodes_see_one_order_whoever_publishes() {
    let server = RedisServer::start().await;
    let nodes = nodes(&server, 2).await;
    let mut members = Vec::new();
    for node in &nodes {
        for _ in 0..5 {
            members.push(node.observe("a:room").await);
        }
    }
    let publish = async |node: &TestHub, from: u64| {
        for number in from..from + 500 {
            node.publish("a:room", number).await.expect("published");
        }
    };
    futures_util::future::join(publish(&nodes[0], 0), publish(&nodes[1], 1000)).await;
    let end = nodes[0].hub.state(&"a:room".parse().expect("a channel")).await.expect("a state").top;
    assert_eq!(end.offset.get(), 1000);
    for member in &members {
        member.reaches(end).await;
        assert_eq!(member.seen().steps, members[0].seen().steps);
        assert_eq!(member.seen().gaps(), 0);
    }
}

#[tokio::test]
async fn a_channel_costs_redis_one_message_for_each_node_that_has_members_there() {
    let server = RedisServer::start().await;
    let nodes = nodes(&server, 4).await;
    let member = nodes[1].observe("a:room").await;
    let sent = async || server.figure("commandstats", "cmdstat_publish:calls=").await;
    let before = sent().await;
    for number in 1..=100 {
        let published = nodes[0].publish("a:room", number).await.expect("published");
        member.reaches(published.position).await;
    }
    let sent = sent().await - before;
    // The nodes tell each other things, too.
    assert!((100..110).contains(&sent), "{sent} messages for 100 events");
    assert_eq!(server.listeners("{fanline:a:room}:live").await, 1);
}

#[tokio::test]
async fn a_member_on_a_channel_with_a_short_history_misses_nothing_at_full_speed() {
    let server = RedisServer::start().await;
    let nodes = nodes(&server, 2).await;
    let member = nodes[1].observe("short:room").await;
    let mut publisher = Publisher::start(Arc::clone(&nodes[0]), "short:room", Duration::ZERO);
    publisher.publishes(1000).await;
    let acknowledged = publisher.stop().await;
    assert_eq!(member.holds(&acknowledged).await, 0);
}
