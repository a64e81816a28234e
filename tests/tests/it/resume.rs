//! A client that was away gets what it missed, once and in order, or is told that it cannot.

use fanline_proto::v1::HistoryRequest;
use fanline_tests::{Hub, Position, Publication, Room, Rpc, Token, offset_of, position_of, until};
use serde_json::{Value, json};

#[tokio::test]
async fn what_was_missed_comes_first_and_then_what_is_new() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let mut room = hub.room(&token()).await;
    room.join("news:today").await;
    rpc.publish_numbers("news:today", 1..=2).await;
    let seen = position_of(&room.events(2).await[1]);
    room.vanish();
    rpc.publish_numbers("news:today", 3..=5).await;

    let mut room = hub.room(&token()).await;
    let answer = room.join_since("news:today", &seen).await;
    assert_recovered(&answer, &seen);
    assert_eq!(room.unread().count(), 0, "the answer comes before the events");
    rpc.publish_numbers("news:today", 6..=6).await;
    assert_eq!(room.data(4).await, [3, 4, 5, 6]);
}

#[tokio::test]
async fn a_client_that_saw_no_event_resumes_from_where_it_joined() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    for channel in ["news:empty", "news:used"] {
        if channel == "news:used" {
            rpc.publish_numbers(channel, 101..=103).await;
        }
        let mut room = hub.room(&token()).await;
        let joined = position_of(&room.join(channel).await);
        room.vanish();
        rpc.publish_numbers(channel, 1..=3).await;

        let mut room = hub.room(&token()).await;
        assert_recovered(&room.join_since(channel, &joined).await, &joined);
        assert_eq!(room.data(3).await, [1, 2, 3], "{channel}");
    }
}

#[tokio::test]
async fn a_client_that_missed_nothing_is_recovered_too() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let top = rpc.publish_numbers("news:today", 1..=3).await;
    let mut room = hub.room(&token()).await;
    assert_recovered(&room.join_since("news:today", &top).await, &top);
    rpc.publish_numbers("news:today", 4..=4).await;
    assert_eq!(room.event().await["data"], 4);
}

#[tokio::test]
async fn earliest_and_last_start_inside_history() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    for (channel, since, first) in [
        ("brief:a", "earliest", 3),
        ("brief:b", "last:4", 9),
        ("brief:c", "last:100", 3),
        ("brief:d", "last:0", 13),
    ] {
        rpc.publish_numbers(channel, 1..=12).await;
        let mut room = hub.room(&token()).await;
        let answer = room.join_since(channel, since).await;
        assert_eq!(offset_of(&answer) + 1, first, "{since}: {answer}");
        assert!(answer.get("recovered").is_none(), "no position was asked for: {answer}");
        let expected: Vec<u64> = (first..=12).collect();
        assert_eq!(room.data(expected.len()).await, expected, "{since}");
        marker_is_next(&rpc, &mut room, channel).await;
    }
}

#[tokio::test]
async fn a_position_that_history_has_passed_is_trimmed() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let second = rpc.publish_numbers("brief:log", 1..=2).await;
    rpc.publish_numbers("brief:log", 3..=15).await;
    let mut room = hub.room(&token()).await;
    let answer = room.join_since("brief:log", &second).await;
    assert_lost(&answer, "trimmed");
    assert_eq!(position_of(&answer), second.at(5), "history holds 6 to 15");
    assert_eq!(room.data(10).await, (6..=15).collect::<Vec<u64>>());
}

#[tokio::test]
async fn the_oldest_position_that_history_still_continues_is_recovered() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let top = rpc.publish_numbers("brief:log", 1..=15).await;
    let mut room = hub.room(&token()).await;
    let edge = top.at(5);
    assert_recovered(&room.join_since("brief:log", &edge).await, &edge);
    assert_eq!(room.data(10).await, (6..=15).collect::<Vec<u64>>());
}

#[tokio::test]
async fn events_that_grew_too_old_are_expired() {
    let hub = Hub::builder().set("namespaces.news.history_ttl", "200ms").start().await;
    let rpc = hub.rpc().await;
    let first = rpc.publish_numbers("news:today", 1..=1).await;
    rpc.publish_numbers("news:today", 2..=3).await;
    let read = HistoryRequest { channel: "news:today".to_owned(), ..HistoryRequest::default() };
    until("history to grow old", async || {
        let page = rpc.channels().history(read.clone()).await.expect("history");
        page.into_inner().events.is_empty()
    })
    .await;
    let mut room = hub.room(&token()).await;
    assert_lost(&room.join_since("news:today", &first).await, "expired");
    marker_is_next(&rpc, &mut room, "news:today").await;
}

#[tokio::test]
async fn a_position_of_another_life_of_the_channel_brings_what_history_holds() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    rpc.publish_numbers("news:today", 1..=3).await;
    let mut room = hub.room(&token()).await;
    let answer = room.join_since("news:today", "someotherlife-2").await;
    assert_lost(&answer, "epoch_changed");
    assert_eq!(room.data(3).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_position_that_has_not_been_yet_is_future_and_only_live_follows() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let top = rpc.publish_numbers("news:today", 1..=3).await;
    let mut room = hub.room(&token()).await;
    let answer = room.join_since("news:today", top.plus(100)).await;
    assert_lost(&answer, "future");
    assert_eq!(position_of(&answer), top);
    marker_is_next(&rpc, &mut room, "news:today").await;
}

#[tokio::test]
async fn what_is_no_position_is_invalid_and_only_live_follows() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let top = rpc.publish_numbers("news:today", 1..=3).await;
    let long = "x".repeat(5000);
    let overflow = format!("{}-99999999999999999999999", top.epoch);
    for since in ["", "gibberish", "-5", "last:", "last:many", "latest", "a-b-c", &long, &overflow]
    {
        let mut room = hub.room(&token()).await;
        let answer = room.join_since("news:today", since).await;
        assert_lost(&answer, "invalid");
        marker_is_next(&rpc, &mut room, "news:today").await;
    }
}

#[tokio::test]
async fn a_namespace_without_history_cannot_bring_anything_back() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let first = rpc.publish_numbers("live:score", 1..=1).await;
    rpc.publish_numbers("live:score", 2..=3).await;
    let mut room = hub.room(&token()).await;
    assert_lost(&room.join_since("live:score", &first).await, "no_history");
    marker_is_next(&rpc, &mut room, "live:score").await;
}

#[tokio::test]
async fn no_event_falls_between_catching_up_and_following() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    rpc.publish_numbers("news:today", 1..=100).await;
    let mut rooms: Vec<Room> = Vec::new();
    for _ in 0..5 {
        rooms.push(hub.room(&token()).await);
    }
    // The members join while the publisher is at it, each at another moment.
    let publish = rpc.publish_numbers("news:today", 101..=500);
    let follow = async {
        for room in &mut rooms {
            room.join_since("news:today", "earliest").await;
            assert_eq!(room.data(50).await, (1..=50).collect::<Vec<u64>>());
        }
        for room in &mut rooms {
            assert_eq!(room.data(450).await, (51..=500).collect::<Vec<u64>>());
        }
    };
    tokio::join!(publish, follow);
}

#[tokio::test]
async fn resuming_one_channel_does_not_depend_on_others() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let mut room = hub.room(&token()).await;
    let quiet = position_of(&room.join("news:quiet").await);
    room.join("news:busy").await;
    room.vanish();
    rpc.publish_numbers("news:quiet", 1..=2).await;
    rpc.publish_numbers("news:busy", 1..=200).await;
    let mut room = hub.room(&token()).await;
    assert_recovered(&room.join_since("news:quiet", &quiet).await, &quiet);
    assert_eq!(room.data(2).await, [1, 2]);
}

/// Nothing was waiting: the event published now is the next that comes.
async fn marker_is_next(rpc: &Rpc, room: &mut Room, channel: &str) {
    let position = rpc.publish(Publication::to(channel, json!("marker"))).await;
    let event = room.event().await;
    assert_eq!(position_of(&event), position, "{event}");
}

fn assert_recovered(answer: &Value, asked: &Position) {
    assert_eq!(answer["recovered"], true, "{answer}");
    assert_eq!(position_of(answer), *asked, "{answer}");
}

fn assert_lost(answer: &Value, reason: &str) {
    assert_eq!(answer["recovered"], false, "{answer}");
    assert_eq!(answer["reason"], reason, "{answer}");
}

fn token() -> Token {
    Token::user("ada").everything_in(&["news:*", "brief:*", "live:*"])
}
