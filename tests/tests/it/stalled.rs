//! A client that stops reading costs the hub no memory and the others no time.

use std::time::Duration;

use fanline_proto::v1::ChannelStatsRequest;
use fanline_tests::{
    CrowdMember, Flood, Frame, Hub, Position, Progress, Publication, RawSocket, Tally, Token,
    offset_of, position_of, resident_bytes, until,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

const CHANNEL: &str = "big:room";
const EVENTS: u64 = 200_000;
const TURNS: u64 = 20;
const HISTORY: u64 = 1000;
const FILLING: u64 = 20 * HISTORY;
/// How far the publisher may be ahead of the member that reads: within history, so that this one may lose nothing.
const LEAD: u64 = 500;
const MIB: u64 = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_costs_no_memory_and_gets_what_history_holds_after_a_gap() {
    let (mut other, mut side) = (Side::start().await, Side::start().await);
    let process = side.hub.process.id();
    // This fills history, and whatever else is filled once.
    side.publish(FILLING).await;
    let before = resident_bytes(process);

    let address = side.hub.addresses.public;
    let mut stalled = RawSocket::upgrade_with_small_window(address, &token().sign()).await;
    let joined = join(&mut stalled).await;
    // In turns: whatever else the machine does meanwhile slows both down.
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        alone.push(other.publish(EVENTS / TURNS).await);
        beside.push(side.publish(EVENTS / TURNS).await);
    }
    let (alone, beside) = (median(alone), median(beside));
    let after = resident_bytes(process);
    let growth = after.saturating_sub(before);
    println!(
        "{EVENTS} events in {TURNS} turns of {alone:?}, beside a stalled client of {beside:?}; memory {before} and {growth} more"
    );
    assert!(growth < 8 * MIB, "memory grew by {growth} bytes from {before}");
    // A reader that waits for the stalled one would never come to the end; this only bounds the slow-down.
    assert!(beside < alone * 2, "the reader took {beside:?} instead of {alone:?}");
    for side in [&mut other, &mut side] {
        assert!(side.reader.try_join_next().is_none(), "a reader has failed");
    }

    let (position, gaps) = read_on(&mut stalled, joined, side.published).await;
    assert_eq!(position.offset, FILLING + EVENTS);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let gap = &gaps[0];
    assert_eq!(gap["channel"], CHANNEL);
    assert_eq!(gap["reason"], "trimmed");
    let to: Position = gap["to"].as_str().expect("a position").parse().expect("a position");
    assert_eq!(
        to.offset,
        FILLING + EVENTS - HISTORY,
        "everything that history holds comes after the gap"
    );
    let again = side.hub.publish(Publication::to(CHANNEL, "live again")).await;
    let event = stalled.text().await;
    assert!(event.contains("live again") && event.contains(&again.to_string()), "{event}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_is_closed_in_time_and_resumes() {
    const MANY: u64 = 15_000;
    let hub = Hub::builder()
        .set("namespaces.big.history_size", 20_000)
        .set("limits.write_timeout", "1s")
        .start()
        .await;
    let mut stalled =
        RawSocket::upgrade_with_small_window(hub.addresses.public, &token().sign()).await;
    let joined = join(&mut stalled).await;
    let rpc = hub.rpc().await;
    let mut flood = Flood::open(&rpc).await;
    for _ in 0..MANY {
        flood.publish(event()).await;
    }
    let top = flood.finish().await;
    until("the hub to give the stalled client up", async || {
        let request = ChannelStatsRequest { channel: CHANNEL.to_owned() };
        let stats = rpc.channels().stats(request).await.expect("stats").into_inner();
        stats.members == 0
    })
    .await;

    // What the kernel had taken before is still there, unless the close was a reset.
    let (texts, code) = stalled.rest().await;
    assert!([None, Some(4408)].contains(&code), "closed with {code:?}");
    let mut position = joined;
    for text in &texts {
        step(&mut position, &parse(text));
    }
    println!("closed after {} of {MANY} events with {code:?}", texts.len());
    assert!(position.offset < top.offset, "the client was not closed while it stalled");

    let mut room = hub.room(&token()).await;
    let answer = room.join_since(CHANNEL, &position).await;
    assert_eq!(answer["recovered"], true, "{answer}");
    while position.offset < top.offset {
        let event = room.event().await;
        assert_eq!(position_of(&event), position.plus(1));
        position = position_of(&event);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_may_prefer_the_latest_event_to_those_that_were_missed() {
    const MANY: u64 = 15_000;
    let hub = Hub::builder()
        .set("namespaces.big.history_size", HISTORY.cast_signed())
        .set("namespaces.big.lag", "latest")
        .set("limits.write_timeout", "10m")
        .start()
        .await;
    let address = hub.addresses.public;
    let mut stalled = RawSocket::upgrade_with_small_window(address, &token().sign()).await;
    let joined = join(&mut stalled).await;
    let mut flood = Flood::open(&hub.rpc().await).await;
    for _ in 0..MANY {
        flood.publish(event()).await;
    }
    let top = flood.finish().await;
    let (position, gaps) = read_on(&mut stalled, joined, top.offset).await;
    assert_eq!(position, top);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(gaps[0]["to"], top.at(MANY - 1).to_string(), "only the latest event follows");
}

/// A hub with a member that reads all that it is sent.
struct Side {
    /// Ends before the hub does.
    reader: JoinSet<()>,
    hub: Hub,
    progress: Progress,
    published: u64,
}

impl Side {
    async fn start() -> Self {
        let hub = Hub::builder()
            .set("namespaces.big.history_size", HISTORY.cast_signed())
            .set("limits.write_timeout", "10m")
            // The stalled client answers no Ping either, and this is not what it is to be closed for here.
            .set("limits.ping_interval", "1h")
            .start()
            .await;
        let (address, token) = (hub.addresses.public, token().sign());
        let member = CrowdMember::join(address, &token, CHANNEL, Tally::default()).await;
        let progress = Progress::of(1);
        let mut reader = JoinSet::new();
        reader.spawn(read(member.expect("the reader joins"), progress.clone()));
        Self { reader, hub, progress, published: 0 }
    }

    /// Publishes events and waits for the reader; returns how long both took.
    async fn publish(&mut self, events: u64) -> Duration {
        let start = Instant::now();
        let mut flood = Flood::open(&self.hub.rpc().await).await;
        while flood.sent() < events {
            if flood.sent() % 64 == 0 {
                self.progress.until((self.published + flood.sent()).saturating_sub(LEAD)).await;
            }
            flood.publish(event()).await;
        }
        let top = flood.finish().await;
        self.published += events;
        assert_eq!(top.offset, self.published);
        self.progress.until(top.offset).await;
        start.elapsed()
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Reads for ever; a failure is seen as a reader that stays behind.
async fn read(mut member: CrowdMember, progress: Progress) {
    loop {
        match member.advance().await {
            Ok(offset) => progress.reached(0, offset),
            Err(error) => panic!("the reader: {error}"),
        }
    }
}

async fn join(stalled: &mut RawSocket) -> Position {
    let join = json!({"op": "join", "id": 1, "channel": CHANNEL}).to_string();
    stalled.send_frames([Frame::text(join)]).await;
    position_of(&parse(&stalled.text().await))
}

/// Reads up to an offset; returns the position there and the gaps on the way.
async fn read_on(stalled: &mut RawSocket, from: Position, to: u64) -> (Position, Vec<Value>) {
    let mut position = from;
    let mut gaps = Vec::new();
    while position.offset < to {
        let frame = parse(&stalled.text().await);
        step(&mut position, &frame);
        if frame["op"] == "gap" {
            gaps.push(frame);
        }
    }
    (position, gaps)
}

/// An event has to be the next one; a gap has to begin where we are.
fn step(position: &mut Position, frame: &Value) {
    if frame["op"] == "gap" {
        assert_eq!(frame["from"], position.to_string(), "{frame}");
        let to: Position = frame["to"].as_str().expect("a position").parse().expect("a position");
        assert!(to.offset > position.offset, "{frame}");
        *position = to;
    } else {
        let event = &frame["event"];
        assert_eq!(offset_of(event), position.offset + 1, "{frame:.200}");
        *position = position_of(event);
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// 1 KiB of data.
fn event() -> Publication {
    Publication::to(CHANNEL, "x".repeat(1022))
}

fn token() -> Token {
    Token::user("ada").everything_in(&["big:*"])
}
