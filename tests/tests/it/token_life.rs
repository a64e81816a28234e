//! A token's end, and a new one in its place.

use fanline_tests::{Hub, HubBuilder, Signer, Token};
use serde_json::json;

#[tokio::test]
async fn a_connection_is_warned_and_closed_when_its_token_expires() {
    let hub = without_leeway().start().await;
    let mut room = hub.room(&token().expires_in(2)).await;
    let warning = room.next("expiring").await;
    let left = warning["expires_in"].as_u64().expect("seconds to live");
    assert!(left <= 2, "{warning}");
    assert_eq!(room.close_code().await, 4401);
}

#[tokio::test]
async fn a_new_token_in_time_keeps_the_connection() {
    let hub = without_leeway().start().await;
    let mut refreshed = hub.room(&token().expires_in(3)).await;
    refreshed.join("chat:lobby").await;
    let new = token().sign();
    let answer = refreshed.ok(json!({"op": "auth", "token": new})).await;
    let expires_in = answer["expires_in"].as_u64().expect("seconds to live");
    assert!((3500..=3600).contains(&expires_in), "{answer}");

    // Opened later with as long to live: when it is closed, the first token has expired too.
    let mut clock = hub.room(&token().expires_in(3)).await;
    assert_eq!(clock.close_code().await, 4401);
    refreshed.publish("chat:lobby", json!("still here")).await;
    assert_eq!(refreshed.event().await["data"], "still here");
}

#[tokio::test]
async fn another_users_token_does_not_take_over_a_connection() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    let other = Token::user("bob").everything_in(&["*"]).sign();
    let reason = room.refused(json!({"op": "auth", "token": other})).await;
    assert_eq!(reason, "PERMISSION_DENIED");
    let publish = json!({"op": "publish", "channel": "news:today", "data": 1});
    assert_eq!(room.refused(publish).await, "PERMISSION_DENIED");
    room.join("chat:lobby").await;
}

#[tokio::test]
async fn a_forged_refresh_is_refused_and_changes_nothing() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    let forged = Token::user("ada").everything_in(&["*"]).signed_by(Signer::Stranger).sign();
    assert_eq!(room.refused(json!({"op": "auth", "token": forged})).await, "UNAUTHENTICATED");
    let publish = json!({"op": "publish", "channel": "news:today", "data": 1});
    assert_eq!(room.refused(publish).await, "PERMISSION_DENIED");
    room.join("chat:lobby").await;
}

#[tokio::test]
async fn a_refresh_may_change_what_is_granted() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    let publish = json!({"op": "publish", "channel": "news:today", "data": 1});
    assert_eq!(room.refused(publish.clone()).await, "PERMISSION_DENIED");
    let wider = Token::user("ada").everything_in(&["chat:*", "news:*"]);
    room.ok(json!({"op": "auth", "token": wider.sign()})).await;
    room.ok(publish.clone()).await;
    room.ok(json!({"op": "auth", "token": token().sign()})).await;
    assert_eq!(room.refused(publish).await, "PERMISSION_DENIED");
}

fn token() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}

fn without_leeway() -> HubBuilder {
    Hub::builder().set("tokens.leeway", "0s")
}
