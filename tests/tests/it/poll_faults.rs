//! Bad days of a client that polls: whatever is lost, doubled, killed or changed, it sees each event once and in order, or
//! is told of a gap. [`Poller`] holds every answer to that. What needs a clock of its own is in `bridges/longpoll/tests`.

use std::time::{Duration, Instant};

use fanline_tests::{
    Hub, HubBuilder, Metrics, Polled, Poller, Proxy, RedisServer, Token, offset_of, seeds,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

const POLLS: &str = "transport=\"poll\"";
/// Bursts, each three times as long as what history keeps.
const ROUNDS: u64 = 10;
const BURST: u64 = 30;
/// Of each channel; the data of an event is its offset.
const EVENTS: u64 = 300;

fn token() -> Token {
    Token::user("ada").everything_in(&["news:*", "brief:*"])
}

fn builder() -> HubBuilder {
    Hub::builder()
        .for_a_crowd()
        .set("limits.operations_per_second", 100_000)
        .set("limits.operations_burst", 100_000)
        .set("tokens.leeway", "0s")
}

/// The events of a poll that has to be answered with a batch.
#[track_caller]
fn batch(polled: Polled) -> Vec<Value> {
    let Polled::Batch(events) = polled else { panic!("no batch: {polled:?}") };
    for event in &events {
        assert_eq!(event["data"], offset_of(event), "{event}");
    }
    events
}

#[tokio::test]
async fn answers_of_which_every_third_is_lost_lose_and_double_nothing() {
    let hub = builder().start().await;
    let rpc = hub.rpc().await;
    let proxy = Proxy::to(hub.addresses.public).await;
    let channels = ["news:a", "news:b"];
    let mut poller = Poller::new(&token().sign(), 5);
    batch(poller.poll(proxy.address, &channels, 25).await);
    proxy.lose_answers(30);
    let publish = async {
        tokio::join!(
            rpc.publish_numbers("news:a", 1..=EVENTS),
            rpc.publish_numbers("news:b", 1..=EVENTS)
        )
    };
    let follow = async {
        let (mut events, mut asked, mut lost) = (Vec::new(), 0, 0);
        while events.len() < 2 * EVENTS as usize {
            asked += 1;
            let polled = poller.poll(proxy.address, &channels, 25).await;
            match polled {
                Polled::Lost => lost += 1,
                Polled::Batch(_) | Polled::Refused(_) | Polled::Reset(_) => {
                    events.extend(batch(polled));
                }
            }
        }
        (asked, lost, events)
    };
    let (_, (asked, lost, events)) = tokio::join!(publish, follow);
    println!(
        "{lost} of {asked} answers lost, {} events taken, none missed or doubled",
        events.len()
    );
    assert_eq!(lost, proxy.lost(), "each of them was an answer of the hub");
    assert!(lost * 5 > asked, "only {lost} of {asked} answers were lost");
    assert!(batch(poller.poll(hub.addresses.public, &channels, 0).await).is_empty());
}

#[tokio::test]
async fn two_polls_with_one_cursor_get_the_same_or_one_of_them_more() {
    let seed = seeds(1)[0];
    let mut rng = StdRng::seed_from_u64(seed);
    let hub = builder().start().await;
    let (rpc, address) = (hub.rpc().await, hub.addresses.public);
    let mut poller = Poller::new(&token().sign(), 7);
    batch(poller.poll(address, &["news:a"], 25).await);
    let follow = async {
        let mut seen = 0;
        while seen < EVENTS {
            let answers = tokio::join!(
                poller.ask(address, &["news:a"], 25),
                poller.ask(address, &["news:a"], 25)
            );
            let [first, second] = [answers.0, answers.1].map(|answer| answer.expect("an answer"));
            let [one, other] = [first.json()["events"].clone(), second.json()["events"].clone()];
            let [one, other] = [&one, &other].map(|all| all.as_array().expect("events"));
            assert!(one.starts_with(other) || other.starts_with(one), "{one:?} and {other:?}");
            let answer = if rng.random() { first } else { second };
            seen += batch(poller.take(&["news:a"], Some(answer))).len() as u64;
        }
    };
    tokio::join!(rpc.publish_numbers("news:a", 1..=EVENTS), follow);
}

#[tokio::test]
async fn a_set_of_channels_that_changes_with_each_poll_goes_on_in_those_that_stay() {
    let seed = seeds(1)[0];
    let mut rng = StdRng::seed_from_u64(seed);
    let hub = builder().start().await;
    let (rpc, address) = (hub.rpc().await, hub.addresses.public);
    let all = ["news:a", "news:b", "news:c"];
    let mut poller = Poller::new(&token().sign(), 20);
    let publish = async {
        for number in 1..=EVENTS {
            for channel in all {
                rpc.publish_numbers(channel, number..=number).await;
            }
        }
    };
    let follow = async {
        let (mut channels, mut events) = (all.to_vec(), 0);
        for _ in 0..300 {
            // One stays: a cursor of other channels than those asked for is a mistake, and refused.
            let stays = channels[rng.random_range(0..channels.len())];
            channels = all.to_vec();
            channels.retain(|&channel| channel == stays || rng.random());
            // Where a channel is new it starts from now, and says where that is.
            events += batch(poller.poll(address, &channels, 0).await).len();
        }
        events
    };
    let ((), events) = tokio::join!(publish, follow);
    println!("seed {seed}: {events} events in 300 polls");
    assert!(events > 0);
}

#[tokio::test]
async fn any_node_answers_any_poll_also_when_the_one_that_was_asked_is_killed() {
    let seed = seeds(1)[0];
    let mut rng = StdRng::seed_from_u64(seed);
    let redis = RedisServer::start().await;
    let [mut near, far]: [Hub; 2] = builder().nodes(&redis).await;
    let addresses = [near.addresses.public, far.addresses.public];
    let rpc = far.rpc().await;
    let mut poller = Poller::new(&token().sign(), 10);
    batch(poller.poll(addresses[0], &["news:a"], 25).await);
    let follow = async {
        let (mut seen, mut on_node) = (0, [0, 0]);
        while seen < EVENTS {
            let node = rng.random_range(0..2);
            on_node[node] += 1;
            seen += batch(poller.poll(addresses[node], &["news:a"], 25).await).len() as u64;
        }
        on_node
    };
    let (_, on_node) = tokio::join!(rpc.publish_numbers("news:a", 1..=EVENTS), follow);
    println!("seed {seed}: {on_node:?} polls on the nodes");
    assert!(on_node.iter().all(|&polls| polls > 0), "{on_node:?}");

    let ops = near.addresses.ops;
    let (polled, ()) = tokio::join!(poller.poll(addresses[0], &["news:a"], 50), async {
        Metrics::until(ops, "fanline_connections", POLLS, 1.0).await;
        near.process.kill().await;
    });
    assert!(matches!(polled, Polled::Lost), "{polled:?}");
    rpc.publish_numbers("news:a", EVENTS + 1..=EVENTS + 1).await;
    assert_eq!(batch(poller.poll(addresses[1], &["news:a"], 25).await).len(), 1);
}

#[tokio::test]
async fn a_token_that_expires_during_the_wait_ends_it_and_the_cursor_goes_on_with_another() {
    let hub = builder().start().await;
    let (rpc, address) = (hub.rpc().await, hub.addresses.public);
    let mut poller = Poller::new(&token().expires_in(3).sign(), 10);
    batch(poller.poll(address, &["news:a"], 25).await);
    rpc.publish_numbers("news:a", 1..=1).await;
    assert_eq!(batch(poller.poll(address, &["news:a"], 25).await).len(), 1);
    let asked = Instant::now();
    let polled = poller.poll(address, &["news:a"], 50).await;
    let Polled::Refused(answer) = polled else { panic!("{polled:?}") };
    assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("TOKEN_EXPIRED")));
    assert!(asked.elapsed() < Duration::from_secs(20), "at the end of the token, not of the wait");
    rpc.publish_numbers("news:a", 2..=3).await;
    let Polled::Refused(answer) = poller.poll(address, &["news:a"], 0).await else { panic!() };
    assert_eq!(answer.status, 401);
    poller.show(&token().sign());
    assert_eq!(batch(poller.poll(address, &["news:a"], 25).await).len(), 2);
}

#[tokio::test]
async fn history_that_is_trimmed_again_and_again_is_a_gap_each_time_and_no_loss_in_silence() {
    // Else the node itself would still have what the history of ten has not.
    let hub = builder().set("limits.ring_events", 4).start().await;
    let (rpc, address) = (hub.rpc().await, hub.addresses.public);
    let mut poller = Poller::new(&token().sign(), 3);
    batch(poller.poll(address, &["brief:a"], 25).await);
    let (mut taken, mut gaps) = (0, 0);
    for round in 0..ROUNDS {
        let (first, end) = (round * BURST + 1, (round + 1) * BURST);
        let waiting = poller.poll(address, &["brief:a"], 25);
        let (mut polled, _) = tokio::join!(waiting, rpc.publish_numbers("brief:a", first..=end));
        loop {
            match polled {
                Polled::Reset(problem) => {
                    gaps += 1;
                    assert_eq!(problem["channels"]["brief:a"]["reason"], "trimmed", "{problem}");
                }
                Polled::Batch(_) | Polled::Refused(_) | Polled::Lost => {
                    let events = batch(polled);
                    taken += events.len();
                    if events.last().is_some_and(|last| offset_of(last) == end) {
                        break;
                    }
                }
            }
            polled = poller.poll(address, &["brief:a"], 25).await;
        }
    }
    println!("{taken} of {} events taken, {gaps} gaps told", ROUNDS * BURST);
    assert!(gaps >= ROUNDS, "no more than three events of a burst can come before it is trimmed");
}

#[tokio::test]
async fn two_hundred_waiting_polls_that_are_cut_are_gone_at_once() {
    let hub = builder().start().await;
    let proxy = Proxy::to(hub.addresses.public).await;
    let tokens: Vec<_> =
        (0..50).map(|n| Token::user(&format!("u{n}")).everything_in(&["news:*"]).sign()).collect();
    let mut pollers: Vec<_> = tokens.iter().map(|token| Poller::new(token, 10)).collect();
    for poller in &mut pollers {
        batch(poller.poll(proxy.address, &["news:a"], 50).await);
    }
    let four = |poller| (0..4).map(move |_| Poller::ask(poller, proxy.address, &["news:a"], 50));
    let waiting = pollers.iter().flat_map(four);
    let (answers, ()) = tokio::join!(futures_util::future::join_all(waiting), async {
        Metrics::until(hub.addresses.ops, "fanline_connections", POLLS, 200.0).await;
        // One more with the same token and cursor is one too many.
        let fifth = pollers[0].ask(proxy.address, &["news:a"], 50).await.expect("an answer");
        assert_eq!(fifth.status, 429);
        proxy.cut();
        Metrics::until(hub.addresses.ops, "fanline_connections", POLLS, 0.0).await;
    });
    assert!(answers.iter().all(Option::is_none));
}
