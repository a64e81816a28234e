//! Limits: each has its answer, and the connection lives on where it should.

use std::time::Duration;

use fanline_tests::{Frame, Hub, Room, Token, eventually};
use http::HeaderName;
use serde_json::{Value, json};

const KIB: usize = 1024;

#[tokio::test]
async fn a_frame_over_the_limit_closes_with_1009_before_its_payload_comes() {
    let hub = Hub::start().await;
    for frame in [
        Frame::text("").declaring(128 * 1024 + 1),
        Frame::text("").declaring(u64::from(u32::MAX) + 1),
        Frame::text("").declaring(u64::MAX >> 1),
        Frame::binary("").declaring(128 * 1024 + 1),
    ] {
        let mut room = hub.raw_room(&token()).await;
        room.send_frames([frame.clone()]).await;
        assert_eq!(room.close_code().await, 1009, "{frame:?}");
    }
}

#[tokio::test]
async fn fragments_that_add_up_to_too_much_close_with_1009() {
    let hub = Hub::start().await;
    let mut room = hub.raw_room(&token()).await;
    let part = "x".repeat(50 * KIB);
    room.send_frames([
        Frame::text(part.clone()).unfinished(),
        Frame::continuation(part.clone()).unfinished(),
        Frame::continuation(part).unfinished(),
    ])
    .await;
    assert_eq!(room.close_code().await, 1009);
}

#[tokio::test]
async fn an_event_over_the_limit_is_too_large_and_the_connection_lives() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    room.join("chat:lobby").await;
    // With its two quotes one byte over and exactly at `client_event_bytes`.
    let publish = |bytes: usize| json!({"op": "publish", "channel": "chat:lobby", "type": "note", "data": "x".repeat(bytes - 2)});
    assert_eq!(room.refused(publish(64 * KIB + 1)).await, "TOO_LARGE");
    room.ok(publish(64 * KIB)).await;
    let event = room.event().await;
    assert_eq!(event["data"].as_str().map(str::len), Some(64 * KIB - 2));
}

#[tokio::test]
async fn the_129th_channel_is_one_too_many() {
    let hub = Hub::builder().set("limits.operations_burst", 1000).start().await;
    let mut room = hub.room(&token()).await;
    for number in 1..=128 {
        room.join(&format!("chat:{number}")).await;
    }
    let join = json!({"op": "join", "channel": "chat:129"});
    assert_eq!(room.refused(join.clone()).await, "LIMIT_EXCEEDED");
    room.ok(json!({"op": "leave", "channel": "chat:1"})).await;
    room.ok(join).await;
}

#[tokio::test]
async fn operations_over_the_rate_are_refused_and_told_when_to_come_back() {
    let hub = Hub::builder()
        .set("limits.operations_per_second", 1)
        .set("limits.operations_burst", 50)
        .start()
        .await;
    let mut room = hub.room(&token()).await;
    for _ in 0..50 {
        room.ok(publish()).await;
    }
    let answer = room.request(publish()).await;
    assert_eq!(answer["reason"], "RATE_LIMITED", "the 51st: {answer}");
    let retry_after = answer["retry_after_ms"].as_u64().expect("when to come back");
    assert!((1..=1000).contains(&retry_after), "{answer}");
    // Coming back as told is not waiting for luck: the answer has to be good then.
    tokio::time::sleep(Duration::from_millis(retry_after)).await;
    room.ok(publish()).await;
}

#[tokio::test]
async fn fifty_operations_a_second_are_sustained_with_the_defaults() {
    let hub = Hub::start().await;
    let mut room = hub.room(&token()).await;
    // Two seconds of 50 operations on top of an empty burst.
    drain_burst(&mut room).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(21));
    for _ in 0..100 {
        ticks.tick().await;
        room.ok(publish()).await;
    }
}

#[tokio::test]
async fn who_keeps_breaking_the_rate_is_closed_with_4429() {
    let hub = Hub::start().await;
    let mut room = hub.raw_room(&token()).await;
    let ping = Frame::text(r#"{"op":"ping","id":1}"#);
    room.send_frames(std::iter::repeat_n(ping, 400)).await;
    let (texts, code) = room.rest().await;
    assert_eq!(code, Some(4429));
    let refused = texts.iter().filter(|text| text.contains("RATE_LIMITED")).count();
    let answered = texts.iter().filter(|text| text.contains("\"pong\"")).count();
    assert!((100..150).contains(&answered), "{answered} of 400 were answered");
    assert!((19..=20).contains(&refused), "{refused} refusals before the close");
}

#[tokio::test]
async fn one_user_may_not_open_too_many_connections() {
    let hub = Hub::builder().set("limits.connections_per_user", 2).start().await;
    let first = hub.room(&token()).await;
    let _second = hub.room(&token()).await;
    let refusal = hub.upgrade().bearer(&token().sign()).refused().await;
    assert_eq!(refusal.status, 429, "{refusal:?}");
    hub.room(&Token::user("bob")).await;
    first.close().await;
    eventually("the place of a closed connection to be free", async || {
        let upgrade = hub.upgrade().bearer(&token().sign());
        tokio::time::timeout(Duration::from_secs(1), upgrade.try_open()).await.ok()?.ok()
    })
    .await;
}

#[tokio::test]
async fn one_address_may_not_open_too_many_connections() {
    let hub = Hub::builder().set("limits.connections_per_ip", 3).start().await;
    let mut rooms: Vec<Room> = Vec::new();
    for user in ["ada", "bob", "eve"] {
        rooms.push(hub.room(&Token::user(user)).await);
    }
    let refusal = hub.upgrade().bearer(&Token::user("dan").sign()).refused().await;
    assert_eq!(refusal.status, 429, "{refusal:?}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_client_is_who_the_proxy_says() {
    let forwarded = HeaderName::from_static("x-forwarded-for");
    let upgrade = |hub: &Hub, client: &str| {
        hub.upgrade().bearer(&token().sign()).header(forwarded.clone(), client)
    };
    let proxies = toml::Value::from(vec!["127.0.0.0/8"]);
    let hub = Hub::builder()
        .set("public.trusted_proxies", proxies)
        .set("limits.connections_per_ip", 1)
        .start()
        .await;
    let _first = upgrade(&hub, "192.0.2.1").open().await;
    let _second = upgrade(&hub, "192.0.2.2").open().await;
    let refusal = upgrade(&hub, "192.0.2.1").refused().await;
    assert_eq!(refusal.status, 429, "{refusal:?}");
    // What a client claims stands before what the proxy has added, and is not believed.
    let refusal = upgrade(&hub, "203.0.113.9, 192.0.2.2").refused().await;
    assert_eq!(refusal.status, 429, "{refusal:?}");

    let hub = Hub::builder().set("limits.connections_per_ip", 1).start().await;
    let _first = upgrade(&hub, "192.0.2.1").open().await;
    let refusal = upgrade(&hub, "192.0.2.2").refused().await;
    assert_eq!(refusal.status, 429, "nobody is trusted here: {refusal:?}");
}

#[tokio::test]
async fn one_address_may_not_connect_too_fast() {
    let hub = Hub::builder()
        .set("limits.connect_rate_per_ip", 1)
        .set("limits.connect_burst_per_ip", 3)
        .start()
        .await;
    let mut statuses = Vec::new();
    for _ in 0..10 {
        match hub.upgrade().bearer(&token().sign()).try_open().await {
            Ok(room) => room.close().await,
            Err(refusal) => statuses.push(refusal.status),
        }
    }
    assert!(statuses.len() >= 5, "only {} of 10 refused", statuses.len());
    assert!(statuses.iter().all(|status| *status == 429), "{statuses:?}");
}

#[tokio::test]
async fn a_node_may_be_full() {
    let hub = Hub::builder().set("limits.connections", 1).start().await;
    let _room = hub.room(&token()).await;
    let refusal = hub.upgrade().bearer(&token().sign()).refused().await;
    assert_eq!(refusal.status, 429, "{refusal:?}");
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed_with_4408() {
    let hub = Hub::builder()
        .set("limits.ping_interval", "300ms")
        .set("limits.pong_timeout", "300ms")
        .start()
        .await;
    // Reads, and never answers.
    let mut deaf = hub.raw_room(&token()).await;
    assert_eq!(deaf.close_code().await, 4408);
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let hub = Hub::builder()
        .set("limits.ping_interval", "300ms")
        .set("limits.pong_timeout", "300ms")
        .start()
        .await;
    let mut alive = hub.room(&token()).await;
    // Opened later, it tells when a client that does not answer would have been closed.
    let mut deaf = hub.raw_room(&token()).await;
    tokio::select! {
        code = deaf.close_code() => assert_eq!(code, 4408),
        // Reading is what answers the Pings.
        frame = alive.next("anything") => panic!("nothing was asked for: {frame}"),
    }
    assert_eq!(alive.request(json!({"op": "ping"})).await["op"], "pong");
}

/// Publishes until the burst is used up, and then until one more is allowed.
async fn drain_burst(room: &mut Room) {
    loop {
        let answer = room.request(publish()).await;
        if answer["op"] == "error" {
            let wait = answer["retry_after_ms"].as_u64().expect("when to come back");
            tokio::time::sleep(Duration::from_millis(wait)).await;
            return;
        }
    }
}

fn publish() -> Value {
    json!({"op": "publish", "channel": "chat:lobby", "type": "note", "data": 1})
}

fn token() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}
