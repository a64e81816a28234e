//! What clients that have left leave behind in the hub: nothing that lasts.

use fanline_tests::{Hub, Metrics, Token, eventually, get_with, resident_bytes};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const CHANNEL: &str = "news:a";
const POLLS: usize = 2000;
/// Polls with one token and cursor at once: what the hub allows.
const POLLS_PER_TOKEN: usize = 4;
const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn the_memory_of_polls_that_were_cut_goes_back_to_the_system() {
    let hub = Hub::builder().for_a_crowd().start().await;
    let process = hub.process.id();
    let resident = || resident_bytes(process);
    // What is set up once is not to be given back.
    drop(park(&hub, POLLS_PER_TOKEN).await);
    let before = resident();

    let polls = park(&hub, POLLS).await;
    let added = resident().saturating_sub(before);
    println!("{POLLS} polls add {} KiB to {}", added / 1024, before / 1024);
    assert!(added > 10 * MIB, "{added} bytes are too few to see them go");
    cut(&hub, polls).await;
    let left = eventually("two thirds of the memory to be given back", async || {
        let left = resident().saturating_sub(before);
        (left < added / 3).then_some(left)
    })
    .await;
    println!("and leave {} KiB", left / 1024);

    let polls = park(&hub, POLLS).await;
    let added_again = resident().saturating_sub(before);
    println!("the next {POLLS} come to {} KiB", added_again / 1024);
    assert!(added_again < added + added / 3, "{added} bytes at first, and then {added_again}");
    cut(&hub, polls).await;
}

/// Polls that wait.
async fn park(hub: &Hub, count: usize) -> Vec<TcpStream> {
    let user = |number| {
        let token = Token::user(&format!("user{number}")).everything_in(&["news:*"]).sign();
        format!("Bearer {token}")
    };
    let path = format!("/v1/poll?channel={CHANNEL}");
    let first = get_with(hub.addresses.public, &path, &[("authorization", &user(0))]).await;
    let cursor = first.header("fanline-cursor").expect("each answer has a cursor").to_owned();
    let mut polls = Vec::with_capacity(count);
    let mut bearer = String::new();
    for number in 0..count {
        if number % POLLS_PER_TOKEN == 0 {
            bearer = user(number / POLLS_PER_TOKEN);
        }
        let mut poll = TcpStream::connect(hub.addresses.public).await.expect("the hub listens");
        let head = format!(
            "GET {path}&wait=50&cursor={cursor} HTTP/1.1\r\nhost: fanline\r\nauthorization: {bearer}\r\n\r\n"
        );
        poll.write_all(head.as_bytes()).await.expect("the hub reads");
        polls.push(poll);
    }
    wait_until(hub, count).await;
    polls
}

async fn cut(hub: &Hub, polls: Vec<TcpStream>) {
    drop(polls);
    wait_until(hub, 0).await;
}

/// Waits until the hub counts so many polls that wait.
async fn wait_until(hub: &Hub, count: usize) {
    let count = u32::try_from(count).expect("a test has fewer").into();
    let labels = "transport=\"poll\"";
    Metrics::until(hub.addresses.ops, "fanline_connections", labels, count).await;
}
