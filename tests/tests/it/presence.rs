//! Who is in a room, and who comes and goes.

use fanline_tests::{Hub, Room, Token};
use serde_json::{Value, json};

#[tokio::test]
async fn members_see_each_other_come_and_go() {
    let hub = Hub::start().await;
    let mut ada = hub.room(&token("ada")).await;
    ada.join("chat:lobby").await;
    let mut bob = hub.room(&token("bob")).await;
    bob.join("chat:lobby").await;
    let change = next_change_of(&mut ada, "bob").await;
    assert_eq!(change["channel"], "chat:lobby");
    assert_eq!(change["joined"]["connection"], bob.connection());
    assert_eq!(change["joined"]["info"], json!({"name": "bob"}));

    bob.ok(json!({"op": "leave", "channel": "chat:lobby"})).await;
    let change = next_change_of(&mut ada, "bob").await;
    assert_eq!(change["left"]["connection"], bob.connection());
}

#[tokio::test]
async fn a_lost_connection_leaves_its_rooms() {
    let hub = Hub::start().await;
    let mut ada = hub.room(&token("ada")).await;
    ada.join("chat:lobby").await;
    for closes in [true, false] {
        let mut bob = hub.room(&token("bob")).await;
        bob.join("chat:lobby").await;
        assert!(next_change_of(&mut ada, "bob").await.get("joined").is_some());
        if closes {
            bob.close().await;
        } else {
            bob.vanish();
        }
        assert!(next_change_of(&mut ada, "bob").await.get("left").is_some());
    }
}

#[tokio::test]
async fn who_leaves_and_joins_again_at_once_is_a_member() {
    let hub = Hub::start().await;
    let mut ada = hub.room(&token("ada")).await;
    ada.join("chat:lobby").await;
    for _ in 0..40 {
        // Sent together: the hub must not let the end of the first membership undo the second.
        ada.send_text(r#"{"op":"leave","id":"l","channel":"chat:lobby"}"#).await;
        ada.send_text(r#"{"op":"join","id":"j","channel":"chat:lobby"}"#).await;
        for id in ["l", "j"] {
            assert_eq!(ada.answer(id).await["op"], "ok", "{id}");
        }
    }
    let answer = ada.ok(json!({"op": "presence", "channel": "chat:lobby"})).await;
    assert_eq!(connections(&answer), [ada.connection()]);
}

#[tokio::test]
async fn presence_lists_every_connection_of_a_room() {
    let hub = Hub::start().await;
    let mut ada = hub.room(&token("ada")).await;
    let mut ada_again = hub.room(&token("ada")).await;
    let mut bob = hub.room(&token("bob")).await;
    for room in [&mut ada, &mut ada_again, &mut bob] {
        room.join("chat:lobby").await;
    }
    bob.join("chat:den").await;
    let answer = bob.ok(json!({"op": "presence", "channel": "chat:lobby"})).await;
    let mut listed = connections(&answer);
    let mut expected = [ada.connection(), ada_again.connection(), bob.connection()];
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    let member = &answer["members"][0];
    assert!(member["user"].is_string() && member["info"]["name"].is_string(), "{member}");

    let answer = ada.ok(json!({"op": "presence", "channel": "chat:den"})).await;
    assert_eq!(connections(&answer), [bob.connection()]);
}

#[tokio::test]
async fn a_namespace_without_presence_is_silent_about_members() {
    let hub = Hub::start().await;
    let mut ada = hub.room(&token("ada")).await;
    ada.join("news:today").await;
    let mut bob = hub.room(&token("bob")).await;
    bob.join("news:today").await;
    bob.ok(json!({"op": "leave", "channel": "news:today"})).await;
    // What bob did in the quiet room would have come before what he now does in the other.
    ada.join("chat:lobby").await;
    bob.join("chat:lobby").await;
    assert_eq!(next_change_of(&mut ada, "bob").await["channel"], "chat:lobby");
    assert!(ada.unread().all(|frame| frame["channel"] != "news:today"));
}

/// The next presence change that is about `user`.
async fn next_change_of(room: &mut Room, user: &str) -> Value {
    loop {
        let change = room.next("presence").await;
        if change["joined"]["user"] == user || change["left"]["user"] == user {
            return change;
        }
    }
}

fn connections(answer: &Value) -> Vec<String> {
    let members = answer["members"].as_array().expect("members");
    let connection = |member: &Value| member["connection"].as_str().map(str::to_owned);
    members.iter().filter_map(connection).collect()
}

fn token(user: &str) -> Token {
    Token::user(user).everything_in(&["chat:*", "news:*"]).claim("info", json!({"name": user}))
}
