//! `$lifecycle:<namespace>` tells backends who comes and goes, whatever becomes of clients and of nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fanline_proto::v1::channel_selector::Start;
use fanline_proto::v1::subscribe_response::Item;
use fanline_proto::v1::{Event, ListChannelsRequest, Position, PresenceRequest, SubscribeResponse};
use fanline_tests::{
    DEADLINE, Hub, HubBuilder, Publication, RedisServer, Room, Rpc, Token, within,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::{Code, Streaming};

const TOLD_IN: &str = "$lifecycle:chat";
const CLIENTS: usize = 500;
const ROOMS: usize = 20;
/// The leases of a node that was killed, and the time to tell of its members on a loaded machine.
const REAPING: Duration = Duration::from_secs(90);

fn told() -> HubBuilder {
    Hub::builder().for_a_crowd().set("namespaces.chat.lifecycle", true)
}

fn token(user: &str) -> Token {
    Token::user(user).everything_in(&["chat:*"])
}

/// The true state as a subscriber knows it from what it was told.
#[derive(Debug, Default)]
struct Picture {
    members: BTreeMap<String, BTreeSet<String>>,
    occupied: BTreeSet<String>,
    connected: BTreeSet<String>,
    last: Option<Position>,
    events: usize,
    of_dead_nodes: usize,
}

impl Picture {
    /// Takes an event in, which must fit what was told before: ordered per channel, and none missing.
    fn take(&mut self, event: Event) {
        let data: Value = serde_json::from_slice(&event.data).expect("JSON");
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let (channel, connection) = (text("channel"), text("connection"));
        let members = self.members.entry(channel.clone()).or_default();
        match event.r#type.as_str() {
            "occupied" => {
                assert!(members.is_empty() && self.occupied.insert(channel), "{data}");
            }
            "joined" => {
                assert!(members.insert(connection) && self.occupied.contains(&channel), "{data}");
                assert_eq!(data["members"], json!(members.len()), "{data}");
            }
            "left" => {
                assert!(members.remove(&connection), "{data}");
                assert_eq!(data["members"], json!(members.len()), "{data}");
            }
            "vacated" => {
                assert!(members.is_empty() && self.occupied.remove(&channel), "{data}");
            }
            "connected" => assert!(self.connected.insert(connection), "{data}"),
            "disconnected" => assert!(self.connected.remove(&connection), "{data}"),
            other => panic!("what is {other}?"),
        }
        self.of_dead_nodes += usize::from(data["reason"] == "NODE_LOST");
        self.events += 1;
        if let (Some(last), Some(position)) = (&self.last, &event.position) {
            assert_eq!(position.offset, last.offset + 1, "no event is missing");
        }
        self.last = event.position;
    }

    /// Follows a subscription until the picture is as it should be.
    async fn follow(
        &mut self,
        stream: &mut Streaming<SubscribeResponse>,
        what: &str,
        complete: impl Fn(&Self) -> bool,
    ) {
        let following = async {
            while !complete(self) {
                let response = stream.message().await.expect("it goes on").expect("an item");
                match response.item {
                    Some(Item::Event(event)) => self.take(event),
                    Some(Item::Subscribed(subscribed)) => {
                        assert_ne!(subscribed.recovered, Some(false), "{subscribed:?}");
                    }
                    other => panic!("{other:?}"),
                }
            }
        };
        if tokio::time::timeout(REAPING, following).await.is_err() {
            panic!("waited in vain for {what}: {self:?}");
        }
    }

    fn present(&self) -> usize {
        self.members.values().map(BTreeSet::len).sum()
    }
}

/// The members of all rooms as the hub itself knows them.
async fn truth(rpc: &Rpc) -> BTreeMap<String, BTreeSet<String>> {
    let list = ListChannelsRequest { pattern: "chat:*".to_owned(), ..Default::default() };
    let list = rpc.channels().list(list).await.expect("a list").into_inner();
    let mut rooms = BTreeMap::new();
    for info in list.channels {
        let request = PresenceRequest { channel: info.channel.clone() };
        let presence = rpc.channels().presence(request).await.expect("members").into_inner();
        let members = presence.members.into_iter().map(|member| member.connection);
        rooms.insert(info.channel, members.collect());
    }
    rooms
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_clients_and_a_dead_node_balance_out_to_the_true_state() {
    let redis = RedisServer::start().await;
    let [near, mut far] = told().nodes(&redis).await;
    let rpc = near.rpc().await;
    let mut stream = rpc.subscribe(TOLD_IN, Some(Start::Earliest(true))).await;
    let mut picture = Picture::default();

    // Each joins two rooms; then a third of them leaves one, and a third vanishes without a word.
    let mut joining = JoinSet::new();
    let mut clients: Vec<(usize, Room)> = Vec::new();
    for client in 0..CLIENTS {
        let node = if client % 2 == 0 { &near } else { &far };
        let mut room = node.room(&token(&format!("user{client}"))).await;
        joining.spawn(async move {
            room.join(&format!("chat:{}", client % ROOMS)).await;
            room.join(&format!("chat:{}", (client * 7 + 1) % ROOMS)).await;
            (client, room)
        });
        if joining.len() >= 32 {
            clients.push(joining.join_next().await.expect("one").expect("it joins"));
        }
    }
    while let Some(client) = joining.join_next().await {
        clients.push(client.expect("it joins"));
    }
    clients.sort_by_key(|(client, _)| *client);
    picture
        .follow(&mut stream, "all to have joined", |picture| {
            picture.present() == 2 * CLIENTS && picture.connected.len() == CLIENTS
        })
        .await;
    assert_eq!(picture.occupied.len(), ROOMS);

    // The subscriber is away while much happens.
    let away_since = picture.last.clone();
    drop(stream);
    let mut staying = Vec::new();
    for (client, mut room) in clients {
        match client / 2 % 3 {
            0 => {
                room.ok(json!({"op": "leave", "channel": format!("chat:{}", client % ROOMS)}))
                    .await;
                staying.push(room);
            }
            1 => room.vanish(),
            _ => staying.push(room),
        }
    }
    far.process.kill().await;

    let mut stream = rpc.subscribe(TOLD_IN, away_since.map(Start::After)).await;
    let alive = (0..CLIENTS).filter(|client| client % 2 == 0 && client / 2 % 3 != 1).count();
    picture
        .follow(&mut stream, "only those of the living node", |picture| {
            picture.connected.len() == alive
        })
        .await;
    let rooms = (0..CLIENTS).filter(|client| client % 2 == 0);
    let present: usize = rooms.map(|client| [1, 0, 2][client / 2 % 3]).sum();
    picture.follow(&mut stream, "their members", |picture| picture.present() == present).await;
    picture.members.retain(|_, members| !members.is_empty());
    assert_eq!(picture.members, truth(&rpc).await);
    assert_eq!(picture.occupied, picture.members.keys().cloned().collect());
    println!(
        "{} events told in order, {} of them of a killed node; {present} memberships of {alive} clients are left, as is true",
        picture.events, picture.of_dead_nodes
    );
    assert!(picture.of_dead_nodes > 0);

    drop(staying);
    picture
        .follow(&mut stream, "everybody to be gone", |picture| {
            picture.connected.is_empty() && picture.occupied.is_empty() && picture.present() == 0
        })
        .await;
}

#[tokio::test]
async fn what_a_hub_left_untold_is_told_when_there_is_one_again() {
    let redis = RedisServer::start().await;
    let [mut only] = told().nodes(&redis).await;
    let mut room = only.room(&token("ada")).await;
    room.join("chat:lobby").await;
    let mut picture = Picture::default();
    let mut stream = only.rpc().await.subscribe(TOLD_IN, Some(Start::Earliest(true))).await;
    picture
        .follow(&mut stream, "ada to be there", |picture| {
            picture.present() == 1 && picture.connected.len() == 1
        })
        .await;
    let seen = picture.last.clone();
    only.process.kill().await;

    let [again] = told().nodes(&redis).await;
    let mut stream = again.rpc().await.subscribe(TOLD_IN, seen.map(Start::After)).await;
    picture
        .follow(&mut stream, "nobody to be there", |picture| {
            picture.occupied.is_empty() && picture.connected.is_empty() && picture.present() == 0
        })
        .await;
    assert_eq!(picture.of_dead_nodes, 2);
}

#[tokio::test]
async fn only_the_hub_tells_and_only_where_it_is_asked_to() {
    let hub = told().start().await;
    let rpc = hub.rpc().await;
    let forged = rpc.try_publish(Publication::to(TOLD_IN, 1)).await.expect_err("refused");
    assert_eq!(forged.code(), Code::PermissionDenied);
    let unknown = rpc.try_publish(Publication::to("$lifecycle:news", 1)).await;
    assert_eq!(unknown.expect_err("refused").code(), Code::NotFound);
    let mut room = hub.room(&Token::user("ada").everything_in(&["*"])).await;
    let publish = json!({"op": "publish", "channel": TOLD_IN, "data": 1});
    assert_eq!(room.refused(publish).await, "PERMISSION_DENIED");
    let join = json!({"op": "join", "channel": "$lifecycle:news"});
    assert_eq!(room.refused(join).await, "UNKNOWN_NAMESPACE");

    let mut stream = rpc.subscribe(TOLD_IN, None).await;
    let first = within(DEADLINE, "the subscription", stream.message()).await;
    assert!(matches!(first.expect("it goes on").expect("an item").item, Some(Item::Subscribed(_))));
    room.join("news:today").await;
    room.join("chat:lobby").await;
    let mut types = Vec::new();
    while types.len() < 2 {
        let item = within(DEADLINE, "an event", stream.message()).await;
        let Some(Item::Event(event)) = item.expect("it goes on").expect("an item").item else {
            panic!("no event")
        };
        assert!(!String::from_utf8_lossy(&event.data).contains("news:today"));
        types.push(event.r#type);
    }
    assert_eq!(types, ["occupied", "joined"]);
}
