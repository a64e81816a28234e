//! `Publisher`: publish, broadcast and the pipelined stream.

use std::collections::BTreeSet;

use fanline_proto::v1::{BroadcastRequest, HistoryRequest, PublishRequest};
use fanline_tests::{
    DEADLINE, Flood, Hub, Position, Publication, Token, eventually, reason, violated_fields, within,
};
use prost_types::Duration;
use serde_json::json;
use tokio_stream::StreamExt as _;
use tonic::Code;

#[tokio::test]
async fn the_same_idempotency_key_gives_the_first_answer_back() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:lobby").await;
    let publication = Publication::to("chat:lobby", "once").key("order-17");
    let first = rpc.try_publish(publication.clone()).await.expect("published");
    let second = rpc.try_publish(publication).await.expect("answered");
    assert!(!first.duplicate);
    assert!(second.duplicate);
    assert_eq!(first.position, second.position);
    assert_eq!(first.event_id, second.event_id);
    rpc.publish(Publication::to("chat:lobby", "marker")).await;
    assert_eq!(room.data(2).await, ["once", "marker"]);

    let elsewhere = Publication::to("chat:den", "once").key("order-17");
    let answer = rpc.try_publish(elsewhere).await.expect("published");
    assert!(!answer.duplicate, "a key counts for its own channel");
}

#[tokio::test]
async fn the_same_key_at_the_same_time_publishes_once() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let publication = || rpc.try_publish(Publication::to("chat:lobby", "once").key("race"));
    let answers = futures_util::future::join_all((0..20).map(|_| publication())).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("answered")).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1);
    assert!(answers.iter().all(|answer| answer.position == answers[0].position));
    let next = rpc.publish(Publication::to("chat:lobby", "next")).await;
    assert_eq!(next.offset, 2);
}

#[tokio::test]
async fn a_broadcast_reaches_each_channel_or_says_why_not() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*", "news:*"])).await;
    room.join("chat:lobby").await;
    room.join("news:today").await;
    let channels = ["chat:lobby", "unheard:of", "news:today"].map(str::to_owned).to_vec();
    let event = Some(Publication::to("", "to all").0);
    let broadcast = BroadcastRequest { channels: channels.clone(), event };
    let results =
        rpc.publisher().broadcast(broadcast).await.expect("answered").into_inner().results;
    let answered: Vec<_> = results.iter().map(|result| result.channel.clone()).collect();
    assert_eq!(answered, channels, "a result per channel, in order");
    let failed: Vec<bool> = results
        .iter()
        .map(|result| result.response.as_ref().expect("a response").error.is_some())
        .collect();
    assert_eq!(failed, [false, true, false]);
    let events = room.events(2).await;
    let reached: BTreeSet<_> = events.iter().map(|event| event["channel"].to_string()).collect();
    assert_eq!(reached.len(), 2, "{events:?}");
}

#[tokio::test]
async fn a_broadcast_whose_event_names_a_channel_is_refused_whole() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let event = Some(Publication::to("chat:lobby", 1).0);
    let broadcast = BroadcastRequest { channels: vec!["chat:den".to_owned()], event };
    let status = rpc.publisher().broadcast(broadcast).await.expect_err("refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "INVALID_ARGUMENT")
    );
    assert_eq!(violated_fields(&status), ["event.channel"]);
}

#[tokio::test]
async fn a_stream_answers_each_request_and_survives_a_bad_one() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let requests = vec![
        Publication::to("chat:lobby", 1).request_id("first").0,
        Publication::to("chat:a b", 2).request_id("bad name").0,
        Publication::to("unheard:of", 2).request_id("bad namespace").0,
        Publication::to("chat:lobby", 3).request_id("last").0,
    ];
    let mut publisher = rpc.publisher();
    let answers = publisher.publish_stream(tokio_stream::iter(requests)).await.expect("a stream");
    let answers: Vec<_> = within(DEADLINE, "the answers", answers.into_inner().collect()).await;
    let mut outcomes: Vec<(String, Option<i32>)> = answers
        .into_iter()
        .map(|answer| answer.expect("an answer"))
        .map(|answer| (answer.request_id, answer.error.map(|error| error.code)))
        .collect();
    outcomes.sort();
    let invalid = Some(Code::InvalidArgument as i32);
    let unknown = Some(Code::NotFound as i32);
    let outcome = |id: &str, code| (id.to_owned(), code);
    assert_eq!(
        outcomes,
        [
            outcome("bad name", invalid),
            outcome("bad namespace", unknown),
            outcome("first", None),
            outcome("last", None),
        ]
    );
}

#[tokio::test]
async fn a_stream_keeps_the_order_of_its_requests() {
    let hub = Hub::start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["news:*"])).await;
    room.join("news:today").await;
    let mut flood = Flood::open(&hub.rpc().await).await;
    for number in 1..=500 {
        flood.publish(Publication::to("news:today", number)).await;
    }
    let top: Position = flood.finish().await;
    assert_eq!(top.offset, 500);
    assert_eq!(room.data(500).await, (1..=500).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_request_that_breaks_a_rule_names_the_field() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let good = || Publication::to("chat:lobby", 1).0;
    let headers = |count: usize, bytes: usize| {
        let header = |number| (format!("h{number}"), "x".repeat(bytes));
        (0..count).map(header).collect()
    };
    for (request, expected_reason, field) in [
        (PublishRequest { channel: String::new(), ..good() }, "INVALID_CHANNEL", "channel"),
        (PublishRequest { channel: "chat:{a}".to_owned(), ..good() }, "INVALID_CHANNEL", "channel"),
        (PublishRequest { data: "{not json".into(), ..good() }, "INVALID_ARGUMENT", "data"),
        (PublishRequest { data: "1 2".into(), ..good() }, "INVALID_ARGUMENT", "data"),
        (
            PublishRequest { data: vec![b'"', 0xff, b'"'].into(), ..good() },
            "INVALID_ARGUMENT",
            "data",
        ),
        (
            PublishRequest { idempotency_key: "k".repeat(129), ..good() },
            "INVALID_ARGUMENT",
            "idempotency_key",
        ),
        (PublishRequest { headers: headers(17, 1), ..good() }, "INVALID_ARGUMENT", "headers"),
        (PublishRequest { headers: headers(5, 1024), ..good() }, "INVALID_ARGUMENT", "headers"),
        (
            PublishRequest { ttl: Some(Duration { seconds: -1, nanos: 0 }), ..good() },
            "INVALID_ARGUMENT",
            "ttl",
        ),
        (PublishRequest { ttl: Some(Duration::default()), ..good() }, "INVALID_ARGUMENT", "ttl"),
        (
            PublishRequest { data: json!("x".repeat(1024 * 1024)).to_string().into(), ..good() },
            "TOO_LARGE",
            "data",
        ),
    ] {
        let channel = request.channel.clone();
        let status = rpc.try_publish(Publication(request)).await.expect_err("refused");
        let context = format!("{field} of an event for {channel:?}: {status:.300?}");
        assert_eq!(status.code(), Code::InvalidArgument, "{context}");
        assert_eq!(reason(&status), expected_reason, "{context}");
        assert_eq!(violated_fields(&status), [field], "{context}");
    }
}

#[tokio::test]
async fn the_largest_event_that_is_allowed_arrives() {
    let hub = Hub::start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:lobby").await;
    let text = "x".repeat(1024 * 1024 - 2);
    hub.publish(Publication::to("chat:lobby", text.as_str())).await;
    assert_eq!(room.event().await["data"].as_str().map(str::len), Some(text.len()));
}

#[tokio::test]
async fn an_event_may_leave_history_before_the_others() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let ttl = Some(Duration { seconds: 0, nanos: 200_000_000 });
    rpc.publish(Publication(PublishRequest { ttl, ..Publication::to("news:today", 1).0 })).await;
    rpc.publish(Publication::to("news:today", 2)).await;
    let read = HistoryRequest { channel: "news:today".to_owned(), ..HistoryRequest::default() };
    let kept = eventually("the first event to leave history", async || {
        let page = rpc.channels().history(read.clone()).await.expect("history").into_inner();
        (page.events.len() == 1).then_some(page.events)
    })
    .await;
    assert_eq!(kept[0].data, "2");
}

#[tokio::test]
async fn an_unknown_namespace_is_not_found() {
    let hub = Hub::start().await;
    let publish = hub.rpc().await.try_publish(Publication::to("unheard:of", 1)).await;
    let status = publish.expect_err("refused");
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(reason(&status), "UNKNOWN_NAMESPACE");
}
