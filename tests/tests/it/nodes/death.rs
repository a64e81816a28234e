//! A node that is killed, or stands still, under load: its clients go on and miss nothing, and who does not is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use fanline_proto::v1::PresenceRequest;
use fanline_proto::v1::channel_selector::Start;
use fanline_tests::{
    EventStream, Hub, Publication, RedisServer, Room, Token, Witness, eventually, get_with,
    offset_of, position_of,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tokio::time::Instant;

use super::scene::{CHANNEL, Setting, join, join_since, with_each_seed};

/// Members of the node that dies who come back, and who do not.
const RETURNING: usize = 3;
const GHOSTS: [&str; 3] = ["ghost0", "ghost1", "ghost2"];
/// The lease of a node on its members, and what a loaded machine may add.
const LEASE: Duration = Duration::from_secs(15);
const SLACK: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_of_a_killed_node_go_to_the_other_one_and_miss_nothing() {
    with_each_seed(5, async |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let redis = RedisServer::start().await;
        let mut scene = Setting::default().start(&redis).await;
        let mut returning = BTreeMap::new();
        for number in 0..RETURNING {
            let user = format!("returning{number}");
            let (room, start) = join(&scene.nodes[0], &user).await;
            returning.insert(user, Witness::in_room(room, start));
        }
        let mut ghosts = Vec::new();
        for user in GHOSTS {
            ghosts.push(join(&scene.nodes[0], user).await.0);
        }
        let (mut observer, _) = join(&scene.nodes[1], "observer").await;
        scene.publishes(rng.random_range(20..100)).await;

        scene.nodes[0].process.kill().await;
        let killed = Instant::now();
        let far = &scene.nodes[1];
        // The first two of the scene were on it: one in the room, one on a stream.
        let [member, stream]: [Witness; 2] =
            scene.witnesses.drain(..2).collect::<Vec<_>>().try_into().expect("two");
        returning.insert("member0".to_owned(), member);
        for (user, witness) in returning {
            witness.ends().await;
            let record = witness.record();
            let (room, answer) = join_since(far, &user, record.end()).await;
            scene.witnesses.push(Witness::back_in_room(record, &answer, room));
        }
        stream.ends().await;
        let record = stream.record();
        let after = Start::After(record.end().clone().into());
        let again = far.rpc().await.subscribe(CHANNEL, Some(after)).await;
        scene.witnesses.push(Witness::back_on_stream(record, again).await);
        let back = killed.elapsed();

        let gone = eventually("the members of the dead node to leave", async || {
            let present = present(far).await;
            GHOSTS.iter().all(|ghost| !present.contains(*ghost)).then(|| killed.elapsed())
        })
        .await;
        assert!(gone < LEASE + SLACK, "the members of the dead node left only after {gone:?}");
        leave(&mut observer, &GHOSTS).await;
        scene.publishes(20).await;
        println!("seed {seed}: all clients back after {back:?}, the others gone after {gone:?}");
        let account = scene.settles("node killed", seed).await;
        assert!(account.is_whole(), "{account}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_polls_of_a_killed_node_go_on_at_the_other_one() {
    let redis = RedisServer::start().await;
    let mut scene = Setting::default().start(&redis).await;
    let bearer = format!("Bearer {}", Token::user("ada").everything_in(&["room:*"]).sign());
    let headers = [("authorization", &*bearer), ("accept", "text/event-stream")];
    let near = scene.nodes[0].addresses.public;
    let far = scene.nodes[1].addresses.public;

    let stream = format!("/v1/sse?channel={CHANNEL}");
    let mut open = EventStream::open(near, &stream, &headers).await;
    open.named("fanline.open").await;
    let poll = format!("/v1/poll?channel={CHANNEL}");
    scene.publishes(5).await;
    let polled = batch(near, &format!("{poll}&since=earliest&max=3"), &bearer).await;
    let seen = position_of(&event(&mut open).await);

    scene.nodes[0].process.kill().await;
    scene.publishes(20).await;
    let marker = scene.nodes[1].publish(Publication::to(CHANNEL, "marker")).await;

    let last_event_id = seen.to_string();
    let resumed = [&headers[..], &[("last-event-id", &*last_event_id)]].concat();
    let mut open = EventStream::open(far, &stream, &resumed).await;
    let first = open.named("fanline.open").await.json();
    assert_eq!(first["channels"][CHANNEL]["recovered"], true, "{first}");
    for offset in seen.offset + 1..=marker.offset {
        assert_eq!(offset_of(&event(&mut open).await), offset);
    }

    let mut cursor = polled["cursor"].clone();
    let mut offset = 3;
    while offset < marker.offset {
        let path = format!("{poll}&cursor={}", cursor.as_str().expect("a cursor"));
        let batch = batch(far, &path, &bearer).await;
        for event in batch["events"].as_array().expect("events") {
            offset += 1;
            assert_eq!(offset_of(event), offset, "{event}");
        }
        cursor = batch["cursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_goes_on_with_its_clients_and_its_members_come_back() {
    with_each_seed(5, async |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let redis = RedisServer::start().await;
        let mut scene = Setting::default().start(&redis).await;
        let mut ghosts = Vec::new();
        for user in GHOSTS {
            ghosts.push(join(&scene.nodes[0], user).await.0);
        }
        scene.publishes(rng.random_range(20..100)).await;
        let [near, far] = &scene.nodes;
        near.process.signal("STOP");
        let stopped = Instant::now();
        let are_present = async |all: bool| {
            let present = present(far).await;
            (GHOSTS.iter().filter(|ghost| present.contains(**ghost)).count()
                == if all { GHOSTS.len() } else { 0 })
            .then(|| stopped.elapsed())
        };
        let gone = eventually("the members to leave", async || are_present(false).await).await;
        near.process.signal("CONT");
        let back = eventually("the members to come back", async || are_present(true).await).await;
        scene.turns_green().await;
        scene.publishes(20).await;
        println!("seed {seed}: the members gone after {gone:?}, back after {back:?}");
        let account = scene.settles("node stood still", seed).await;
        assert!(account.is_whole(), "{account}");
    })
    .await;
}

/// The users in the room, as a node tells it.
async fn present(node: &Hub) -> BTreeSet<String> {
    let request = PresenceRequest { channel: CHANNEL.to_owned() };
    let presence = node.rpc().await.channels().presence(request).await.expect("presence");
    presence.into_inner().members.into_iter().map(|member| member.user).collect()
}

/// The next event of a stream; who joins and leaves is passed over.
async fn event(stream: &mut EventStream) -> Value {
    loop {
        let block = stream.next().await.expect("the stream goes on");
        if block.name != "fanline.presence" {
            assert_eq!(block.name, "", "{block:?}");
            return block.json();
        }
    }
}

/// The answer to a poll.
async fn batch(node: SocketAddr, path: &str, bearer: &str) -> Value {
    let answer = get_with(node, path, &[("authorization", bearer)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Waits until a member was told that each of these left, which it is told once.
async fn leave(observer: &mut Room, users: &[&str]) {
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    while users.iter().any(|user| !left.contains_key(*user)) {
        let change = observer.next("presence").await;
        if let Some(user) = change["left"]["user"].as_str() {
            *left.entry(user.to_owned()).or_default() += 1;
        }
    }
    for user in users {
        assert_eq!(left[*user], 1, "{user} left more than once: {left:?}");
    }
}
