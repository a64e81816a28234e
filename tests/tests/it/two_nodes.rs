//! Two nodes on one Redis are one hub, whatever clients use.

use fanline_proto::v1::subscribe_response::Item;
use fanline_tests::{DEADLINE, Hub, Publication, RedisServer, Room, Token, position_of, within};
use serde_json::json;

fn token(user: &str) -> Token {
    Token::user(user).everything_in(&["chat:*"])
}

#[tokio::test]
async fn a_publish_on_one_node_reaches_members_and_subscribers_on_both() {
    let redis = RedisServer::start().await;
    let [near, far] = Hub::nodes(&redis).await;
    let mut rooms = [near.room(&token("ada")).await, far.room(&token("bob")).await];
    for room in &mut rooms {
        room.join("chat:lobby").await;
    }
    let rpcs = [near.rpc().await, far.rpc().await];
    let mut streams = Vec::new();
    for rpc in &rpcs {
        streams.push(rpc.subscribe("chat:lobby", None).await);
    }
    for stream in &mut streams {
        let first = within(DEADLINE, "the subscription", stream.message()).await;
        let item = first.expect("it goes on").expect("an answer").item;
        assert!(matches!(item, Some(Item::Subscribed(_))), "{item:?}");
    }

    for (number, rpc) in rpcs.iter().enumerate() {
        let position = rpc.publish(Publication::to("chat:lobby", number as u64)).await;
        for room in &mut rooms {
            let event = room.event().await;
            assert_eq!((position_of(&event), &event["data"]), (position.clone(), &json!(number)));
        }
        for stream in &mut streams {
            let next = within(DEADLINE, "the event", stream.message()).await;
            let item = next.expect("it goes on").expect("an item").item;
            let Some(Item::Event(event)) = item else { panic!("not an event: {item:?}") };
            assert_eq!(event.position.map(Into::into), Some(position.clone()));
        }
    }
}

#[tokio::test]
async fn a_member_resumes_on_the_other_node_though_it_had_seen_nothing() {
    let redis = RedisServer::start().await;
    let [near, far] = Hub::nodes(&redis).await;
    let mut room = near.room(&token("ada")).await;
    let joined = position_of(&room.join("chat:lobby").await);
    room.vanish();
    let rpc = near.rpc().await;
    rpc.publish_numbers("chat:lobby", 1..=3).await;
    // What happens elsewhere is nothing to this channel.
    for number in 0..100 {
        rpc.publish(Publication::to(&format!("chat:other{number}"), number)).await;
    }
    let mut room = far.room(&token("ada")).await;
    let answer = room.join_since("chat:lobby", joined).await;
    assert_eq!(answer["recovered"], true, "{answer}");
    assert_eq!(room.data(3).await, [json!(1), json!(2), json!(3)]);
}

#[tokio::test]
async fn presence_is_that_of_all_nodes() {
    let redis = RedisServer::start().await;
    let [near, far] = Hub::nodes(&redis).await;
    let mut ada = near.room(&token("ada")).await;
    ada.join("chat:lobby").await;
    let mut bob = far.room(&token("bob")).await;
    bob.join("chat:lobby").await;
    assert_eq!(members(&mut ada).await, ["ada", "bob"]);
    assert_eq!(members(&mut bob).await, ["ada", "bob"]);
    bob.close().await;
    loop {
        let change = ada.next("presence").await;
        if change["left"]["user"] == "bob" {
            break;
        }
    }
    assert_eq!(members(&mut ada).await, ["ada"]);
}

/// The users in the lobby.
async fn members(room: &mut Room) -> Vec<String> {
    let answer = room.ok(json!({"op": "presence", "channel": "chat:lobby"})).await;
    let members = answer["members"].as_array().expect("members");
    members.iter().map(|member| member["user"].as_str().expect("a user").to_owned()).collect()
}
