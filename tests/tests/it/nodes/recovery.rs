//! What happens in other channels is nothing to the recovery of one.

use fanline_tests::{
    Flood, Hub, Position, Publication, RedisServer, Room, Token, offset_of, position_of, seeds,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const CHANNEL: &str = "chat:lobby";
const OTHER_CHANNELS: u64 = 100;
const EVENTS_ELSEWHERE: u64 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_elsewhere_do_not_affect_the_recovery_of_a_channel() {
    let seed = seeds(1)[0];
    let mut rng = StdRng::seed_from_u64(seed);
    let redis = RedisServer::start().await;
    let nodes: [Hub; 2] = Hub::nodes(&redis).await;
    let [near, far] = &nodes;
    // One has seen events, and one joined and has seen none.
    let mut ada = room(near, "ada").await;
    ada.join(CHANNEL).await;
    near.rpc().await.publish_numbers(CHANNEL, 1..=3).await;
    let seen = position_of(&ada.events(3).await[2]);
    let mut bob = room(near, "bob").await;
    let joined = position_of(&bob.join(CHANNEL).await);
    ada.vanish();
    bob.vanish();

    let mut missed = 0;
    let mut flood = Flood::open(&far.rpc().await).await;
    for number in 0..EVENTS_ELSEWHERE {
        let other = format!("chat:other{}", rng.random_range(0..OTHER_CHANNELS));
        flood.publish(Publication::to(&other, number)).await;
        if number % 1000 == 0 {
            missed += 1;
            flood.publish(Publication::to(CHANNEL, format!("missed{missed}"))).await;
        }
    }
    let published = flood.offsets().await.len();
    for (user, since) in [("ada", &seen), ("bob", &joined)] {
        let got = recovered(far, user, since, missed).await;
        println!("seed {seed}: {published} events, of which {user} missed and recovered {got}");
    }
}

/// Joins from a position, and counts what comes: all that was missed, in order, and then what is new.
async fn recovered(node: &Hub, user: &str, since: &Position, missed: u64) -> u64 {
    let mut room = room(node, user).await;
    let answer = room.join_since(CHANNEL, since).await;
    assert_eq!(answer["recovered"], true, "{answer}");
    assert_eq!(position_of(&answer), *since);
    let marker = node.publish(Publication::to(CHANNEL, format!("{user} is back"))).await;
    let mut offset = since.offset;
    while offset < marker.offset {
        let event = room.event().await;
        offset += 1;
        assert_eq!(offset_of(&event), offset, "{event}");
        if offset <= since.offset + missed {
            let number = offset - since.offset;
            assert_eq!(event["data"], format!("missed{number}"), "{event}");
        }
    }
    missed
}

async fn room(node: &Hub, user: &str) -> Room {
    node.room(&Token::user(user).everything_in(&["chat:*"])).await
}
