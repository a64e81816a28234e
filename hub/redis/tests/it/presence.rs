//! Presence over several nodes.

use crate::harness::{Node, RedisServer, Servers, TestHub, member, until};
use fanline_core::broker::Broker;
use fanline_core::channel::ChannelName;
use futures_util::stream::{self, StreamExt};
use std::time::{Duration, Instant};

fn room() -> ChannelName {
    "room:1".parse().expect("a channel")
}

async fn users(node: &TestHub) -> Vec<String> {
    let members = node.hub.members(&room()).await.expect("members");
    members.iter().filter_map(|member| Some(member.user.as_ref()?.to_string())).collect()
}

#[tokio::test]
async fn the_members_of_a_dead_node_leave_within_its_lease_and_all_are_told_once() {
    let server = RedisServer::start().await;
    let settings = server.settings();
    let near = TestHub::start(settings.clone()).await;
    let far = TestHub::start(settings.clone()).await;
    let observers = [near.observe("room:1").await, far.observe("room:1").await];
    let dying = Node::start(settings).await;
    let _ada = near.enter("room:1", "ada").await;
    dying.broker.enter(&room(), member("bob"), false).await.expect("entered");
    dying.broker.enter(&room(), member("eve"), false).await.expect("entered");
    assert_eq!(users(&far).await, ["ada", "bob", "eve"]);

    // Gone without a word: its tasks end, and nobody takes its members out.
    drop(dying.stop);
    let died = Instant::now();
    until("its members are gone", async || users(&far).await == ["ada"]).await;
    assert!(died.elapsed() < Duration::from_secs(16), "{:?}", died.elapsed());
    let told = [observers[0].presence(5).await, observers[1].presence(5).await];
    assert_eq!(told[0], told[1]);
    let mut left: Vec<_> = told[0][3..].to_vec();
    left.sort_unstable();
    assert_eq!(left, [(false, "bob".to_owned()), (false, "eve".to_owned())]);
    assert_eq!(users(&near).await, ["ada"], "a node that lives keeps its lease");
}

#[tokio::test]
async fn members_that_redis_forgot_are_put_back_and_those_who_left_meanwhile_are_not() {
    let mut server = RedisServer::start().await;
    let near = TestHub::start(server.settings()).await;
    let _ada = near.enter("room:1", "ada").await;
    let bob = near.enter("room:1", "bob").await;
    server.run::<String>(&["SAVE"]).await;
    server.kill();
    drop(bob);
    server.restart().await;
    until("bob has left", async || {
        near.hub.members(&room()).await.is_ok_and(|members| members.len() == 1)
    })
    .await;
    server.run::<String>(&["FLUSHALL"]).await;
    until("ada is back", async || users(&near).await == ["ada"]).await;
}

#[tokio::test]
async fn members_that_redis_forgot_are_put_back_also_when_others_enter_before_that_is_noticed() {
    let server = RedisServer::start().await;
    let near = TestHub::start(server.settings()).await;
    let _ada = near.enter("room:1", "ada").await;
    let _eve = near.enter("room:1", "eve").await;
    server.run::<String>(&["FLUSHALL"]).await;
    // The entrance of one of its members makes the node's lease anew.
    let _bob = near.enter("room:1", "bob").await;
    assert_eq!(users(&near).await, ["bob"]);
    until("all are there", async || users(&near).await.len() == 3).await;
    assert!(near.metric("fanline_redis_members_restored_total") >= 2);
}

#[tokio::test]
async fn a_node_that_is_in_thousands_of_rooms_keeps_its_members_in_all_of_them() {
    const ROOMS: usize = 8000;
    let server = RedisServer::start().await;
    let node = Node::start(server.settings()).await;
    let rooms: Vec<ChannelName> =
        (0..ROOMS).map(|number| format!("room:{number}").parse().expect("a channel")).collect();
    let ada = member("ada");
    let entered = Instant::now();
    let entering = stream::iter(&rooms).map(|room| node.broker.enter(room, ada.clone(), false));
    entering.buffer_unordered(256).for_each(async |entered| entered.expect("entered")).await;
    // Past the lease of the last one: each must have been renewed by then.
    until("a lease is over", async || {
        let present = stream::iter(&rooms).map(|room| node.broker.members(room));
        let present = present.buffer_unordered(256).map(|members| members.expect("members").len());
        assert_eq!(present.fold(0, async |sum, members| sum + members).await, ROOMS);
        entered.elapsed() > Duration::from_secs(18)
    })
    .await;
}
