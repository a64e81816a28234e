//! The order of publishes within a channel, also of those that have to be repeated.

use crate::harness::{ClusterSetup, DEADLINE, RedisServer, Servers, TestHub, until};
use fanline_core::broker::Published;
use fanline_core::{Reason, Refusal};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::coop::unconstrained;

const CHANNEL: &str = "a:lobby";
const META: &str = "{fanline:a:lobby}:meta";
const UNDER_WAY: usize = 256;

type Outcomes = BTreeMap<u64, Result<Published, Refusal>>;

/// Publishes numbers, to one channel after the other, with many of them under way, for as long as `meanwhile` takes and
/// until the last of them has an outcome.
async fn publish_during<const CHANNELS: usize>(
    hub: &TestHub,
    channels: [&str; CHANNELS],
    meanwhile: impl Future<Output = ()>,
) -> [Outcomes; CHANNELS] {
    let mut meanwhile = std::pin::pin!(meanwhile);
    let mut over = false;
    let mut under_way = FuturesUnordered::new();
    let mut number = 0;
    let mut outcomes = [(); CHANNELS].map(|()| BTreeMap::new());
    loop {
        while !over && under_way.len() < UNDER_WAY {
            number += 1;
            let (this, channel) = (number, number as usize % CHANNELS);
            let publish = async move { (this, hub.publish(channels[channel], this).await) };
            let mut publish = Box::pin(unconstrained(publish));
            // The first poll decides about the order.
            match futures_util::poll!(&mut publish) {
                std::task::Poll::Ready((number, outcome)) => {
                    outcomes[channel].insert(number, outcome);
                    tokio::task::yield_now().await;
                }
                std::task::Poll::Pending => under_way.push(publish),
            }
        }
        tokio::select! {
            () = &mut meanwhile, if !over => over = true,
            Some((number, outcome)) = under_way.next() => {
                outcomes[number as usize % CHANNELS].insert(number, outcome);
            }
            else => return outcomes,
        }
    }
}

/// Those of a test that succeeded.
struct Ordered {
    succeeded: usize,
    /// In how many epochs.
    epochs: usize,
}

/// That those which succeeded stand in the order of their numbers, in each epoch.
fn in_order(outcomes: &Outcomes) -> Ordered {
    let mut last: Option<Published> = None;
    let mut epochs = Vec::new();
    let mut succeeded = 0;
    for (number, outcome) in outcomes {
        let published = match outcome {
            Ok(published) => *published,
            Err(refusal) => {
                assert_eq!(refusal.reason(), Reason::BrokerUnavailable, "{number}");
                continue;
            }
        };
        succeeded += 1;
        let position = published.position;
        match last.map(|last| last.position) {
            Some(last) if last.epoch == position.epoch => {
                assert!(position.offset > last.offset, "{number} was overtaken");
            }
            _ => {
                assert!(!epochs.contains(&position.epoch), "{number} went back to a former epoch");
                epochs.push(position.epoch);
            }
        }
        last = Some(published);
    }
    Ordered { succeeded, epochs: epochs.len() }
}

async fn a_while() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn scripts_that_are_flushed_again_and_again_cost_neither_an_event_nor_its_order() {
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    hub.publish(CHANNEL, 0).await.expect("the scripts are there");
    let said_before = server.said("NOSCRIPT").await;
    let flushing = async {
        for _ in 0..20 {
            a_while().await;
            server.run::<String>(&["SCRIPT", "FLUSH"]).await;
        }
    };
    let publishing = publish_during(&hub, [CHANNEL], flushing);
    let [outcomes] = tokio::time::timeout(DEADLINE, publishing).await.expect("in time");
    assert_eq!(in_order(&outcomes).succeeded, outcomes.len());
    assert!(server.said("NOSCRIPT").await > said_before, "none had to be repeated");
}

#[tokio::test]
async fn no_channel_overtakes_itself_when_another_has_the_scripts_loaded_again() {
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    for _ in 0..10 {
        let flushing = async {
            a_while().await;
            server.run::<String>(&["SCRIPT", "FLUSH"]).await;
            a_while().await;
        };
        let publishing = publish_during(&hub, ["a:1", "a:2", "a:3", "a:4", "a:5"], flushing);
        let channels = tokio::time::timeout(DEADLINE, publishing).await.expect("in time");
        for outcomes in &channels {
            assert_eq!(in_order(outcomes).succeeded, outcomes.len());
        }
    }
}

#[tokio::test]
async fn scripts_that_are_flushed_while_publishes_are_repeated_cost_none_of_them() {
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    let client = redis::Client::open(server.url()).expect("an address");
    let mut own = client.get_multiplexed_async_connection().await.expect("connected");
    // One after the other, so that one comes between a repetition and what was sent beside it.
    let flushing = async {
        for _ in 0..20 {
            a_while().await;
            for _ in 0..10 {
                let flush = redis::cmd("SCRIPT").arg("FLUSH").take();
                own.send_packed_command(&flush).await.expect("flushed");
            }
        }
    };
    let channels = ["a:1", "a:2", "a:3", "a:4", "a:5", "a:6", "a:7", "a:8"];
    let publishing = publish_during(&hub, channels, flushing);
    let channels = tokio::time::timeout(DEADLINE, publishing).await.expect("in time");
    for outcomes in &channels {
        assert_eq!(in_order(outcomes).succeeded, outcomes.len());
    }
}

#[tokio::test]
async fn a_connection_that_is_killed_again_and_again_costs_no_order() {
    let server = RedisServer::start().await;
    let hub = TestHub::start(server.settings()).await;
    let (mut killed, lost_before) = (0, hub.connections_lost());
    let killing = async {
        for _ in 0..20 {
            a_while().await;
            let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
            killed += server.run::<u64>(&kill).await;
            until("it publishes again", async || hub.publish("a:other", 0).await.is_ok()).await;
        }
    };
    let publishing = publish_during(&hub, [CHANNEL], killing);
    let [outcomes] = tokio::time::timeout(DEADLINE, publishing).await.expect("in time");
    assert!(in_order(&outcomes).succeeded > 20);
    assert!(killed > 0 && hub.connections_lost() > lost_before, "{killed} connections killed");
}

#[tokio::test]
async fn a_slot_that_moves_costs_no_order() {
    let setup = ClusterSetup::start().await;
    let hub = TestHub::start(setup.settings()).await;
    hub.publish(CHANNEL, 0).await.expect("the slots are known");
    let sent_on_before = sent_on(&setup).await;
    let moving = async {
        let mut home = setup.home(META).await;
        for _ in 0..4 {
            let target = setup.other_primaries(home).await[0];
            setup.migrate(META, home, target).await;
            home = target;
            a_while().await;
        }
    };
    let publishing = publish_during(&hub, [CHANNEL], moving);
    let [outcomes] = tokio::time::timeout(2 * DEADLINE, publishing).await.expect("in time");
    let Ordered { succeeded, epochs } = in_order(&outcomes);
    assert!(succeeded > 1000);
    assert!(epochs > 1, "no move was noticed");
    assert!(sent_on(&setup).await > sent_on_before, "none had to be repeated");
}

/// How often the servers of a cluster have said that another has the slot.
async fn sent_on(setup: &ClusterSetup) -> u64 {
    let mut times = 0;
    for server in &setup.servers {
        times += server.said("MOVED").await + server.said("ASK").await;
    }
    times
}
