//! Several independent servers.

use crate::harness::{RedisServer, Servers, TestHub, is_unready};

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
