//! One room on two nodes has one order, whoever publishes where.

use std::time::Duration;

use fanline_tests::{
    CrowdMember, Flood, Hub, Publication, RedisServer, Tally, Token, seeds, within,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

const CHANNEL: &str = "room:lobby";
const MEMBERS: usize = 50;
const EVENTS_OF_EACH: u64 = 10_000;
/// For all deliveries together, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_members_on_two_nodes_see_what_two_publishers_publish_in_the_same_order() {
    let seed = seeds(1)[0];
    let mut rng = StdRng::seed_from_u64(seed);
    let redis = RedisServer::start().await;
    let nodes: [Hub; 2] = Hub::builder()
        .for_a_crowd()
        .set("namespaces.room.history_size", 100_000)
        .nodes(&redis)
        .await;
    let token = Token::user("member").everything_in(&["room:*"]).sign();
    let end = 2 * EVENTS_OF_EACH;
    let mut members = JoinSet::new();
    let mut on_node = [0; 2];
    for number in 0..MEMBERS {
        // The first two on different nodes, the others by chance.
        let node = if number < 2 { number } else { rng.random_range(0..2) };
        on_node[node] += 1;
        let address = nodes[node].addresses.public;
        let join = CrowdMember::join(address, &token, CHANNEL, Tally::default());
        let member = within(PATIENCE, "a member to join", join).await.expect("joined");
        members.spawn(follow(member, end));
    }
    let publish = async |node: &Hub, name: &str| {
        let mut flood = Flood::open(&node.rpc().await).await;
        for number in 0..EVENTS_OF_EACH {
            flood.publish(Publication::to(CHANNEL, format!("{name}{number}"))).await;
        }
        flood.offsets().await
    };
    let (mut offsets, more) = tokio::join!(publish(&nodes[0], "a"), publish(&nodes[1], "b"));
    let turns = count_turns(&offsets);
    offsets.extend(more);
    offsets.sort_unstable();
    assert!(offsets.into_iter().eq(1..=end), "each offset is given once");
    // Events come in batches, so that turns are far fewer than events.
    assert!(turns > 10, "the publishers took turns only {turns} times: nothing was put in order");

    let followed = within(PATIENCE, "all members to see all events", members.join_all()).await;
    let tallies: Vec<Tally> = followed.into_iter().collect::<Result<_, _>>().expect("in order");
    let pairs = tallies.iter().enumerate().flat_map(|(index, one)| {
        tallies[index + 1..].iter().map(move |other| one.order != other.order)
    });
    let (disagreeing, pairs) =
        pairs.fold((0, 0), |(some, all), differ| (some + u32::from(differ), all + 1));
    println!(
        "seed {seed}: {end} events, {turns} turns of the publishers, {on_node:?} members; {disagreeing} of {pairs} pairs disagree"
    );
    assert_eq!(disagreeing, 0);
    assert!(tallies.iter().all(|tally| tally.events == end));
}

/// Follows to an offset; each event has to be the next.
async fn follow(mut member: CrowdMember, end: u64) -> Result<Tally, String> {
    while member.offset() < end {
        member.advance().await?;
    }
    Ok(member.vanish())
}

/// How often somebody else published between two events of one publisher.
fn count_turns(offsets: &[u64]) -> usize {
    let mut sorted = offsets.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).filter(|pair| pair[0] + 1 != pair[1]).count()
}
