//! Redis Cluster: slots that move and servers that die.

use crate::harness::{ClusterSetup, Publisher, Servers, TestHub, is_ready, until};
use std::sync::Arc;
use std::time::Duration;

const CHANNEL: &str = "a:lobby";
const LIVE: &str = "{fanline:a:lobby}:live";
const META: &str = "{fanline:a:lobby}:meta";

#[tokio::test]
async fn a_busy_channel_whose_slot_moves_delivers_each_event_or_names_it_as_lost() {
    let setup = ClusterSetup::start().await;
    let near = Arc::new(TestHub::start(setup.settings()).await);
    let far = Arc::new(TestHub::start(setup.settings()).await);
    let members = [near.observe(CHANNEL).await, far.observe(CHANNEL).await];
    let publisher = Publisher::start(Arc::clone(&near), CHANNEL, Duration::from_millis(2));
    let mut home = setup.home(META).await;
    for _ in 0..3 {
        let target = setup.other_primaries(home).await[0];
        setup.migrate(META, home, target).await;
        home = target;
        let home = &setup.servers[home];
        until("both nodes listen there", async || home.listeners(LIVE).await == 2).await;
    }
    let acknowledged = publisher.stop().await;
    for member in &members {
        member.holds(&acknowledged).await;
    }
}

#[tokio::test]
async fn a_dead_primary_is_replaced_and_what_it_lost_is_named() {
    let mut setup = ClusterSetup::start().await;
    let near = Arc::new(TestHub::start(setup.settings()).await);
    let far = Arc::new(TestHub::start(setup.settings()).await);
    let members = [near.observe(CHANNEL).await, far.observe(CHANNEL).await];
    let mut publisher = Publisher::start(Arc::clone(&near), CHANNEL, Duration::from_millis(2));
    let home = setup.home(META).await;
    // So that its replica has the channel: one that never heard of it has no epoch to end.
    publisher.publishes(100).await;
    setup.servers[home].kill();
    until("another server has the slot, and a new epoch began", async || {
        far.epochs_fenced() + near.epochs_fenced() > 0
    })
    .await;
    let acknowledged = publisher.stop().await;
    for member in &members {
        member.holds(&acknowledged).await;
    }
    for hub in [&near, &far] {
        is_ready(&hub.broker).await;
    }
}
