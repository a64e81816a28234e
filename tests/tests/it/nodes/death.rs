//! A node that is killed under load: its clients go to the other one and miss nothing, and who does not is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fanline_proto::v1::PresenceRequest;
use fanline_proto::v1::channel_selector::Start;
use fanline_tests::{Hub, RedisServer, Room, Witness, eventually};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
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

/// The users in the room, as a node tells it.
async fn present(node: &Hub) -> BTreeSet<String> {
    let request = PresenceRequest { channel: CHANNEL.to_owned() };
    let presence = node.rpc().await.channels().presence(request).await.expect("presence");
    presence.into_inner().members.into_iter().map(|member| member.user).collect()
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
