//! The main job: what is published over gRPC arrives in a room, whole.

use fanline_proto::v1::PublishRequest;
use fanline_tests::{Hub, Publication, Token, position_of};
use serde_json::json;

#[tokio::test]
async fn an_event_published_over_grpc_arrives_in_a_room() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    let joined = position_of(&room.join("chat:lobby").await);

    let publication = Publication(PublishRequest {
        channel: "chat:lobby".to_owned(),
        r#type: "message.created".to_owned(),
        data: json!({"text": "hello"}).to_string().into(),
        headers: [("trace".to_owned(), "t-1".to_owned())].into(),
        ..PublishRequest::default()
    });
    let answer = hub.rpc().await.try_publish(publication).await.expect("published");

    let event = room.event().await;
    assert_eq!(event["channel"], "chat:lobby");
    assert_eq!(event["type"], "message.created");
    assert_eq!(event["data"], json!({"text": "hello"}));
    assert_eq!(event["headers"], json!({"trace": "t-1"}));
    assert_eq!(event["id"], answer.event_id);
    assert_eq!(position_of(&event), answer.position.expect("a position").into());
    assert_eq!(position_of(&event), joined.plus(1));
    assert!(event.get("user").is_none(), "a backend is no user: {event}");
    let time = event["time"].as_str().expect("a time");
    assert!(time.ends_with('Z') && time.len() == "2026-11-24T09:30:00.123Z".len(), "{time}");
}

#[tokio::test]
async fn json_data_arrives_byte_for_byte() {
    let hub = Hub::start().await;
    let mut room = hub.raw_room(&token()).await;
    room.send_frames([fanline_tests::Frame::text(
        r#"{"op":"join","id":1,"channel":"chat:lobby"}"#,
    )])
    .await;
    assert!(room.text().await.contains(r#""op":"ok""#));
    let data = r#"{ "z":1.0, "a" : [1e3,  null], "u":"\u00e9\/", "big":12345678901234567890123 }"#;
    let publication =
        Publication(PublishRequest { data: data.into(), ..Publication::to("chat:lobby", 0).0 });
    hub.publish(publication).await;
    let mut text = room.text().await;
    // The member's own arrival may come first.
    while text.contains(r#""op":"presence""#) {
        text = room.text().await;
    }
    assert!(text.contains(&format!(r#""data":{data}"#)), "{text}");
}

#[tokio::test]
async fn data_that_is_not_json_arrives_in_base64() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    room.join("chat:lobby").await;
    let publication = Publication(PublishRequest {
        data: vec![0xff, 0x00, 0xfe].into(),
        content_type: "application/octet-stream".to_owned(),
        ..Publication::to("chat:lobby", 0).0
    });
    hub.publish(publication).await;
    let event = room.event().await;
    assert_eq!(event["content_type"], "application/octet-stream");
    assert_eq!(event["data_base64"], "/wD+");
    assert!(event.get("data").is_none(), "{event}");
}

#[tokio::test]
async fn all_members_see_the_same_events_in_the_same_order() {
    let hub = Hub::start().await;
    let mut members = Vec::new();
    for user in ["ada", "bob", "eve"] {
        let mut room = hub.room(&Token::user(user).everything_in(&["chat:*"])).await;
        room.join("chat:lobby").await;
        members.push(room);
    }
    // Two publishers at once, so that the order is the hub's and not theirs.
    let (left, right) = (hub.rpc().await, hub.rpc().await);
    tokio::join!(
        left.publish_numbers("chat:lobby", 1..=50),
        right.publish_numbers("chat:lobby", 101..=150),
    );
    let mut views = Vec::new();
    for room in &mut members {
        views.push(room.events(100).await);
    }
    let offsets: Vec<u64> = views[0].iter().map(fanline_tests::offset_of).collect();
    assert_eq!(offsets, (1..=100).collect::<Vec<u64>>());
    assert_eq!(views[0], views[1]);
    assert_eq!(views[0], views[2]);
}

#[tokio::test]
async fn an_excluded_connection_gets_no_event_but_the_next_one() {
    let hub = Hub::start().await;
    let mut author = hub.room(&token()).await;
    let mut reader = hub.room(&token()).await;
    author.join("chat:lobby").await;
    reader.join("chat:lobby").await;
    let publication = Publication(PublishRequest {
        exclude_connections: vec![author.connection()],
        ..Publication::to("chat:lobby", "not for the author").0
    });
    hub.publish(publication).await;
    hub.publish(Publication::to("chat:lobby", "for all")).await;
    assert_eq!(reader.data(2).await, ["not for the author", "for all"]);
    assert_eq!(author.event().await["data"], "for all");
    let history = author.ok(json!({"op": "history", "channel": "chat:lobby"})).await;
    assert_eq!(history["events"].as_array().map(Vec::len), Some(2), "{history}");
}

fn token() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}
