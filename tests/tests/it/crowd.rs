//! A thousand clients in one room, a publisher at full speed, and connections that break at random.

use std::net::SocketAddr;
use std::time::Duration;

use fanline_tests::{
    ApiKey, CrowdMember, Flood, Hub, Position, Progress, Publication, Rpc, Tally, Token, seeds,
    within,
};
use rand::rngs::StdRng;
use rand::seq::index;
use rand::{RngExt as _, SeedableRng as _};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

const CHANNEL: &str = "crowd:room";
const MEMBERS: usize = 1000;
const BREAKING: usize = 100;
const PUBLISHING: Duration = Duration::from_secs(20);
/// How far the publisher may be ahead of the last member: far beyond the ring of the channel log (256), so that members
/// catch up from history all the time, and far within history, so that nothing may ever be lost.
const LEAD: u64 = 2000;
const HISTORY: u64 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_members_see_each_event_once_and_in_order_though_a_hundred_connections_break() {
    let seed = seeds(1)[0];
    let hub = Hub::builder()
        .for_a_crowd()
        .set("namespaces.crowd.history_size", HISTORY.cast_signed())
        .start()
        .await;
    let token = Token::user("member").everything_in(&["crowd:*"]).sign();
    let start = Instant::now();
    let breaks = breaks(&mut StdRng::seed_from_u64(seed));

    let progress = Progress::of(MEMBERS);
    let (end, _) = watch::channel(None);
    let mut members = JoinSet::new();
    for (number, breaks_after) in breaks.into_iter().enumerate() {
        // One after the other: what is tried here is not the accept loop.
        let member = join(hub.addresses.public, &token, Tally::default()).await;
        members.spawn(follow(Life {
            address: hub.addresses.public,
            token: token.clone(),
            number,
            member: member.unwrap_or_else(|error| panic!("member {number}: {error}")),
            breaks_after,
            progress: progress.clone(),
            end: end.subscribe(),
        }));
    }
    println!("{MEMBERS} members joined in {:?}", start.elapsed());

    let start = Instant::now();
    let publisher = publish_at_full_speed(hub.addresses.grpc, progress.clone());
    let (published, top) = tokio::select! {
        outcome = publisher => outcome,
        // Nobody can reach an end that is not yet known.
        failed = members.join_next() => panic!("a member gives up: {failed:?}"),
    };
    assert_eq!(top.offset, published, "each publish has an offset of its own");
    end.send_replace(Some(top.offset));
    println!("{published} events published in {:?}", start.elapsed());
    progress.until(top.offset).await;

    let tallies =
        within(Duration::from_secs(120), "the members to reach the end", members.join_all()).await;
    let mut recovered = 0;
    for (number, tally) in tallies {
        let tally = tally.unwrap_or_else(|error| panic!("member {number}: {error}"));
        assert_eq!(tally.events, published, "member {number}");
        assert_eq!(tally.position.as_ref(), Some(&top), "member {number}");
        recovered += tally.recovered;
    }
    println!("{} deliveries in {:?}", published * MEMBERS as u64, start.elapsed());
    assert_eq!(recovered, BREAKING as u64);
}

/// Publishes for [`PUBLISHING`] on a thread of its own, where a thousand members cannot slow it down, and returns how many
/// events and the last position.
async fn publish_at_full_speed(grpc: SocketAddr, progress: Progress) -> (u64, Position) {
    let publish = async move {
        let rpc = Rpc::connect(grpc, Some(&ApiKey::all().secret)).await;
        let mut flood = Flood::open(&rpc).await;
        let start = Instant::now();
        while start.elapsed() < PUBLISHING {
            if flood.sent() % 64 == 0 {
                progress.until(flood.sent().saturating_sub(LEAD)).await;
            }
            flood.publish(Publication::to(CHANNEL, flood.sent())).await;
        }
        (flood.sent(), flood.finish().await)
    };
    let runtime =
        Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let (done, outcome) = oneshot::channel();
    // Not `spawn_blocking`: a test that fails would wait for it.
    std::thread::spawn(move || done.send(runtime.block_on(publish)));
    outcome.await.expect("the publisher does not panic")
}

/// One member from its first connection to the end of the test.
struct Life {
    address: SocketAddr,
    token: String,
    number: usize,
    member: CrowdMember,
    /// When its connection breaks and how long it stays away, if it does.
    breaks_after: Option<(Duration, Duration)>,
    progress: Progress,
    /// The last offset, once it is known.
    end: watch::Receiver<Option<u64>>,
}

async fn follow(mut life: Life) -> (usize, Result<Tally, String>) {
    let number = life.number;
    let tally = match life.breaks_after.take() {
        None => to_the_end(life).await,
        Some((after, away)) => {
            let breaking = Instant::now() + after;
            match until(&mut life, breaking).await {
                Err(error) => Err(error),
                Ok(()) => {
                    let tally = life.member.vanish();
                    sleep_until(breaking + away).await;
                    match join(life.address, &life.token, tally).await {
                        Err(error) => Err(error),
                        Ok(member) => to_the_end(Life { member, ..life }).await,
                    }
                }
            }
        }
    };
    (number, tally)
}

/// Follows until a moment.
async fn until(life: &mut Life, moment: Instant) -> Result<(), String> {
    loop {
        tokio::select! {
            () = sleep_until(moment) => return Ok(()),
            reached = life.member.advance() => life.progress.reached(life.number, reached?),
        }
    }
}

/// Follows until the last event.
async fn to_the_end(mut life: Life) -> Result<Tally, String> {
    // Whoever came back late may have nothing more to see.
    let mut reached = life.member.offset();
    loop {
        tokio::select! {
            end = life.end.wait_for(|end| end.is_some_and(|end| reached >= end)) => {
                return end.map(|_| ()).map_err(|error| error.to_string()).map(|()| life.member.vanish());
            }
            offset = life.member.advance() => {
                reached = offset?;
                life.progress.reached(life.number, reached);
            }
        }
    }
}

async fn join(address: SocketAddr, token: &str, tally: Tally) -> Result<CrowdMember, String> {
    let join = CrowdMember::join(address, token, CHANNEL, tally);
    within(Duration::from_secs(60), "a member to join", join).await
}

/// For each member, when its connection breaks and for how long; for most it never does.
fn breaks(rng: &mut StdRng) -> Vec<Option<(Duration, Duration)>> {
    let mut breaks = vec![None; MEMBERS];
    for member in index::sample(rng, MEMBERS, BREAKING) {
        let after = Duration::from_millis(rng.random_range(1_000..PUBLISHING.as_millis() as u64));
        let away = Duration::from_millis(rng.random_range(0..500));
        breaks[member] = Some((after, away));
    }
    breaks
}
