//! What a client may ask of a room.

use fanline_tests::{Hub, Publication, Token, offset_of, position_of};
use serde_json::{Value, json};

#[tokio::test]
async fn joining_answers_with_a_position_and_leaving_ends_the_events() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    let answer = room.join("chat:lobby").await;
    assert_eq!(answer["channel"], "chat:lobby");
    assert_eq!(offset_of(&answer), 0);
    assert!(answer.get("recovered").is_none(), "nothing was asked for: {answer}");
    hub.publish(Publication::to("chat:lobby", "while there")).await;
    assert_eq!(room.event().await["data"], "while there");

    room.ok(json!({"op": "leave", "channel": "chat:lobby"})).await;
    hub.publish(Publication::to("chat:lobby", "after leaving")).await;
    room.join("chat:den").await;
    hub.publish(Publication::to("chat:den", "marker")).await;
    assert_eq!(room.event().await["data"], "marker");
}

#[tokio::test]
async fn joining_twice_and_leaving_twice_are_told_apart() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    room.join("chat:lobby").await;
    let join = json!({"op": "join", "channel": "chat:lobby"});
    assert_eq!(room.refused(join).await, "ALREADY_JOINED");
    let leave = json!({"op": "leave", "channel": "chat:lobby"});
    room.ok(leave.clone()).await;
    assert_eq!(room.refused(leave).await, "NOT_JOINED");
}

#[tokio::test]
async fn a_client_that_publishes_gets_a_position_and_the_event() {
    let hub = Hub::start().await;
    let mut ada = hub.room(&token()).await;
    ada.join("chat:lobby").await;
    let answer = ada.publish("chat:lobby", json!({"text": "hi"})).await;
    let event = ada.event().await;
    assert_eq!(event["id"], answer["event_id"]);
    assert_eq!(position_of(&event), position_of(&answer));
    assert_eq!(event["user"], "ada");
    assert_eq!(event["type"], "note");
    assert_eq!(event["data"], json!({"text": "hi"}));
}

#[tokio::test]
async fn a_publisher_need_not_be_a_member() {
    let hub = Hub::start().await;
    let mut member = hub.room(&token()).await;
    member.join("chat:lobby").await;
    let mut visitor = hub.room(&token()).await;
    visitor.publish("chat:lobby", json!("from outside")).await;
    assert_eq!(member.event().await["data"], "from outside");
}

#[tokio::test]
async fn without_echo_all_get_the_event_but_its_author() {
    let hub = Hub::start().await;
    let mut author = hub.room(&token()).await;
    let mut other_tab = hub.room(&token()).await;
    author.join("chat:lobby").await;
    other_tab.join("chat:lobby").await;
    author
        .ok(json!({"op": "publish", "channel": "chat:lobby", "type": "note", "data": "quiet", "echo": false}))
        .await;
    author.publish("chat:lobby", json!("loud")).await;
    assert_eq!(other_tab.data(2).await, ["quiet", "loud"]);
    let event = author.event().await;
    assert_eq!((&event["data"], offset_of(&event)), (&json!("loud"), 2));
}

#[tokio::test]
async fn the_same_idempotency_key_publishes_once() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    room.join("chat:lobby").await;
    let publish = json!({"op": "publish", "channel": "chat:lobby", "type": "note", "data": "once", "key": "k-1"});
    let first = room.ok(publish.clone()).await;
    let second = room.ok(publish).await;
    assert_eq!(first["position"], second["position"]);
    assert_eq!(first["event_id"], second["event_id"]);
    room.publish("chat:lobby", json!("marker")).await;
    assert_eq!(room.data(2).await, ["once", "marker"]);
}

#[tokio::test]
async fn history_is_read_in_pages_in_both_directions() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    rpc.publish_numbers("chat:lobby", 1..=10).await;
    let mut room = hub.room(&token()).await;
    let mut page = async |frame: Value| {
        let answer = room.ok(frame).await;
        assert_eq!(offset_of(&answer), 10, "the top of the channel: {answer}");
        answer["events"].as_array().expect("events").clone()
    };
    let numbers =
        |events: &[Value]| events.iter().map(|event| event["data"].clone()).collect::<Vec<_>>();

    let all = page(json!({"op": "history", "channel": "chat:lobby"})).await;
    assert_eq!(numbers(&all), (1..=10).map(Value::from).collect::<Vec<_>>());
    let first = page(json!({"op": "history", "channel": "chat:lobby", "limit": 3})).await;
    assert_eq!(numbers(&first), [1, 2, 3]);
    let since = &first[2]["position"];
    let second =
        page(json!({"op": "history", "channel": "chat:lobby", "limit": 3, "since": since})).await;
    assert_eq!(numbers(&second), [4, 5, 6]);
    let newest =
        page(json!({"op": "history", "channel": "chat:lobby", "limit": 3, "reverse": true})).await;
    assert_eq!(numbers(&newest), [10, 9, 8]);
    let since = &newest[2]["position"];
    let older = page(json!({"op": "history", "channel": "chat:lobby", "limit": 2, "reverse": true, "since": since})).await;
    assert_eq!(numbers(&older), [7, 6]);
    assert_eq!(all[0]["channel"], "chat:lobby", "events look the same everywhere");
}

#[tokio::test]
async fn a_ping_is_answered_with_a_pong() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    let answer = room.request(json!({"op": "ping"})).await;
    assert_eq!(answer["op"], "pong");
}

#[tokio::test]
async fn an_id_of_any_kind_comes_back_as_it_was() {
    let hub = Hub::start().await;
    let mut room = hub.raw_room(&token()).await;
    for id in [r#""a \" b""#, "7", "0", r#""""#] {
        let ping = format!(r#"{{"op":"ping","id":{id}}}"#);
        room.send_frames([fanline_tests::Frame::text(ping)]).await;
        let answer: Value = serde_json::from_str(&room.text().await).expect("JSON");
        let expected: Value = serde_json::from_str(id).expect("JSON");
        assert_eq!(answer["id"], expected, "{answer}");
    }
}

#[tokio::test]
async fn a_token_may_put_its_connection_into_channels() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let token = token().grant("join", &["chat:mine", "chat:mine"]);
    let mut room = hub.room(&token).await;
    let joined = &room.welcome["channels"]["chat:mine"];
    assert_eq!(offset_of(joined), 0, "{}", room.welcome);
    rpc.publish(Publication::to("chat:mine", "for you")).await;
    assert_eq!(room.event().await["data"], "for you");
    room.ok(json!({"op": "leave", "channel": "chat:mine"})).await;
    rpc.publish(Publication::to("chat:mine", "unheard")).await;
    room.join("chat:lobby").await;
    rpc.publish(Publication::to("chat:lobby", "marker")).await;
    assert_eq!(room.event().await["data"], "marker", "named twice is joined once");
}

#[tokio::test]
async fn a_close_in_good_order_is_answered() {
    let hub = Hub::start().await;
    let mut room = hub.raw_room(&token()).await;
    let close = fanline_tests::Frame::close([1000_u16.to_be_bytes().as_slice(), b"bye"].concat());
    room.send_frames([close]).await;
    assert_eq!(room.close_code().await, 1000);
}

fn token() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}
