//! A client without a token in its handshake says who it is in its first frame.

use fanline_tests::{Hub, Publication, Token};
use serde_json::json;

#[tokio::test]
async fn the_first_frame_may_bring_the_token() {
    let hub = Hub::start().await;
    let token = Token::user("ada").everything_in(&["chat:*"]).sign();
    let mut room = hub.upgrade().open_unauthenticated().await;
    let answer = room.ok(json!({"op": "auth", "token": token})).await;
    let expires_in = answer["expires_in"].as_u64().expect("seconds to live");
    assert!((3500..=3600).contains(&expires_in), "{answer}");
    assert_eq!(room.next("welcome").await["user"], "ada");
    room.join("chat:lobby").await;
}

#[tokio::test]
async fn an_operation_before_the_token_closes_and_is_never_handled() {
    let hub = Hub::start().await;
    let mut witness = hub.room(&Token::user("ada").everything_in(&["plaza:*"])).await;
    witness.join("plaza:lobby").await;
    for operation in [
        json!({"op": "publish", "id": 1, "channel": "plaza:lobby", "data": "early"}),
        json!({"op": "join", "id": 1, "channel": "plaza:lobby", "since": "earliest"}),
        json!({"op": "history", "id": 1, "channel": "plaza:lobby"}),
        json!({"op": "ping", "id": 1}),
    ] {
        let mut early = hub.upgrade().open_unauthenticated().await;
        early.send_text(&operation.to_string()).await;
        assert_eq!(early.close_code().await, 4401, "{operation}");
        let told: Vec<_> = early.unread().collect();
        assert!(told.iter().all(|frame| frame["op"] == "error"), "{operation}: {told:?}");
    }
    hub.publish(Publication::to("plaza:lobby", "marker")).await;
    assert_eq!(witness.event().await["data"], "marker");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed_with_4408() {
    let hub = Hub::builder().set("limits.auth_timeout", "300ms").start().await;
    let mut silent = hub.upgrade().open_unauthenticated().await;
    assert_eq!(silent.close_code().await, 4408);
}

#[tokio::test]
async fn a_welcome_names_the_terms_of_the_connection() {
    let hub = Hub::start().await;
    let room = hub.room(&Token::user("ada")).await;
    let welcome = &room.welcome;
    assert!(!room.connection().is_empty());
    assert_eq!(welcome["user"], "ada");
    assert_eq!(welcome["ping_interval"], 25);
    let expires_in = welcome["expires_in"].as_u64().expect("seconds to live");
    assert!((3500..=3600).contains(&expires_in), "{welcome}");
    let other = hub.room(&Token::user("ada")).await;
    assert_ne!(room.connection(), other.connection());
}
