//! Requests that make no sense are answered, and the connection lives on; who does nothing else is closed.

use fanline_tests::{Hub, Room, Token};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_no_request_is_an_error_on_an_open_connection() {
    let hub = Hub::start().await;
    for text in [
        "",
        "nonsense",
        "{",
        "[]",
        "7",
        "null",
        r#""op""#,
        "{}",
        r#"{"op":7}"#,
        r#"{"op":"ping"} {}"#,
    ] {
        let mut room = hub.room(&token()).await;
        room.send_text(text).await;
        assert_eq!(room.error().await, "INVALID_ARGUMENT", "{text:?}");
        assert_alive(&mut room).await;
    }
}

#[tokio::test]
async fn an_error_carries_the_id_of_its_request() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    for (request, reason) in [
        (json!({"op": "dance"}), "UNKNOWN_OPERATION"),
        (json!({"op": "join"}), "INVALID_ARGUMENT"),
        (json!({"op": "join", "channel": 7}), "INVALID_ARGUMENT"),
        (json!({"op": "leave"}), "INVALID_ARGUMENT"),
        (json!({"op": "publish", "channel": "chat:lobby"}), "INVALID_ARGUMENT"),
        (json!({"op": "auth"}), "INVALID_ARGUMENT"),
    ] {
        assert_eq!(room.refused(request.clone()).await, reason, "{request}");
        assert_alive(&mut room).await;
    }
}

#[tokio::test]
async fn a_name_that_is_no_channel_is_invalid() {
    let hub = Hub::start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["*"])).await;
    let long = format!("chat:{}", "x".repeat(251));
    for channel in [
        "", "chat:a b", "chat:\"", "chat:\\", "chat:*", "chat:{a}", "chat:ä", "chat:\n",
        "chat:a,b", &long,
    ] {
        let join = json!({"op": "join", "channel": channel});
        assert_eq!(room.refused(join).await, "INVALID_CHANNEL", "{channel:?}");
        assert_alive(&mut room).await;
    }
    let longest = format!("chat:{}", "x".repeat(250));
    room.join(&longest).await;
}

#[tokio::test]
async fn an_idempotency_key_has_128_bytes_at_most() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    let publish = |length: usize| json!({"op": "publish", "channel": "chat:lobby", "type": "note", "data": 1, "key": "k".repeat(length)});
    assert_eq!(room.refused(publish(129)).await, "INVALID_ARGUMENT");
    room.ok(publish(128)).await;
}

#[tokio::test]
async fn json_that_is_nested_without_end_is_refused_like_any_other() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    room.send_text(&"[".repeat(100_000)).await;
    assert_eq!(room.error().await, "INVALID_ARGUMENT");
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let publish = format!(r#"{{"op":"publish","id":"deep","channel":"chat:lobby","data":{deep}}}"#);
    room.send_text(&publish).await;
    assert_alive(&mut room).await;
}

#[tokio::test]
async fn ten_mistakes_in_a_row_close_with_4400() {
    let hub = Hub::start().await;
    for mistake in ["nonsense", r#"{"op":"dance","id":1}"#, r#"{"op":"join","id":1}"#] {
        let mut room = hub.room(&token()).await;
        for _ in 0..10 {
            room.send_text(mistake).await;
        }
        assert_eq!(room.close_code().await, 4400, "{mistake}");
        let errors = room.unread().filter(|frame| frame["op"] == "error").count();
        assert!((9..=10).contains(&errors), "{mistake}: {errors} errors");
    }
}

#[tokio::test]
async fn a_good_request_between_mistakes_starts_the_count_again() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    for _ in 0..3 {
        for _ in 0..9 {
            room.send_text("nonsense").await;
            assert_eq!(room.error().await, "INVALID_ARGUMENT");
        }
        assert_alive(&mut room).await;
    }
}

async fn assert_alive(room: &mut Room) {
    let answer: Value = room.request(json!({"op": "ping"})).await;
    assert_eq!(answer["op"], "pong");
}

fn token() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}
