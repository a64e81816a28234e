//! Several independent servers.

use crate::harness::{Node, RedisServer, Servers, TestHub, is_unready, until};
use fanline_core::broker::Broker;
use fanline_core::ids::UserId;

#[tokio::test]
async fn channels_spread_and_a_dead_server_takes_only_its_own_with_it() {
    let mut servers = [RedisServer::start().await, RedisServer::start().await];
    let hub = TestHub::start(servers[..].settings()).await;
    for number in 0..40 {
        hub.publish(&format!("a:{number}"), number).await.expect("published");
    }
    let mut homes = Vec::new();
    for server in &servers {
        homes.push(server.run::<Vec<String>>(&["KEYS", "*:log"]).await.len());
    }
    assert_eq!(homes.iter().sum::<usize>(), 40);
    assert!(homes.iter().all(|count| *count > 8), "{homes:?}");

    servers[0].kill();
    is_unready(&hub.broker).await;
    let mut published = 0;
    for number in 0..40 {
        published += usize::from(hub.publish(&format!("a:{number}"), number).await.is_ok());
    }
    assert_eq!(published, homes[1]);
}

#[tokio::test]
async fn a_server_that_forgets_is_told_again_which_users_are_where() {
    let mut servers = [RedisServer::start().await, RedisServer::start().await];
    let near = Node::start(servers[..].settings()).await;
    let far = Node::start(servers[..].settings()).await;
    let users: Vec<UserId> =
        (0..20).map(|number| UserId::new(&format!("u{number}")).expect("a user")).collect();
    users.iter().for_each(|user| near.broker.nodes().attach(user));
    let near_id = near.broker.nodes().id();
    let all_are_found = async || {
        for user in &users {
            if far.broker.nodes().of(user).await.ok().as_deref() != Some(&[near_id]) {
                return false;
            }
        }
        true
    };
    until("all users are found", all_are_found).await;

    // Not the one with the registry: a node that is lost there says everything again.
    let registry = servers[0].run::<u64>(&["EXISTS", "{fanline:$hub}:nodes"]).await;
    let other = usize::from(registry == 1);
    assert!(!servers[other].run::<Vec<String>>(&["KEYS", "*$user:*"]).await.is_empty());
    servers[other].kill();
    servers[other].restart().await;
    until("all users are found again", all_are_found).await;
}
