//! Publishing.

use crate::harness::{FULL_KEY, Front, in_time, key, publish_request, why};
use fanline_core::Limits;
use fanline_grpc::keys::Scope;
use fanline_proto::v1::{BroadcastRequest, PublishRequest, PublishResponse};
use futures_util::stream;
use std::collections::BTreeMap;
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test]
async fn an_event_is_answered_with_its_place_and_arrives_whole() {
    let front = Front::start().await;
    let mut items = front.subscribe([("a:b", None)]).await;
    assert_eq!(items.next().await, "a:b after 0");
    let request = PublishRequest {
        r#type: "order.paid".into(),
        headers: BTreeMap::from([("trace".into(), "t-1".into())]),
        request_id: "r1".into(),
        ..publish_request("a:b", "{\"n\": 1}")
    };
    let answer = front.publisher(FULL_KEY).publish(request).await.unwrap().into_inner();
    assert_eq!(answer.position.as_ref().unwrap().offset, 1);
    assert_eq!(answer.request_id, "r1");
    assert!(!answer.duplicate && answer.error.is_none());
    assert_eq!(items.next().await, "a:b 1 = {\"n\": 1}");
}

#[tokio::test]
async fn the_same_key_publishes_once() {
    let front = Front::start().await;
    let request =
        || PublishRequest { idempotency_key: "order-7".into(), ..publish_request("a:b", "1") };
    let mut publisher = front.publisher(FULL_KEY);
    let first = publisher.publish(request()).await.unwrap().into_inner();
    let again = publisher.publish(request()).await.unwrap().into_inner();
    assert_eq!(again, PublishResponse { duplicate: true, ..first });
    assert_eq!(front.publish("a:b", 2).await.position.unwrap().offset, 2);
}

#[tokio::test]
async fn a_refused_event_names_reason_and_field() {
    let front = Front::start().await;
    let over = "7".repeat(Limits::default().grpc_event_bytes + 1);
    let minus = prost_types::Duration { seconds: -1, nanos: 0 };
    let zero = prost_types::Duration::default();
    let valid = || publish_request("a:b", "1");
    let table = [
        (publish_request("", "1"), "InvalidArgument INVALID_CHANNEL", "channel"),
        (publish_request("a:*", "1"), "InvalidArgument INVALID_CHANNEL", "channel"),
        (publish_request("a:b", "{"), "InvalidArgument INVALID_ARGUMENT", "data"),
        (publish_request("a:b", &over), "InvalidArgument TOO_LARGE", "data"),
        (
            PublishRequest { r#type: "a b".into(), ..valid() },
            "InvalidArgument INVALID_ARGUMENT",
            "type",
        ),
        (
            PublishRequest { idempotency_key: "k".repeat(129), ..valid() },
            "InvalidArgument INVALID_ARGUMENT",
            "idempotency_key",
        ),
        (
            PublishRequest { exclude_connections: vec!["me".into()], ..valid() },
            "InvalidArgument INVALID_ARGUMENT",
            "exclude_connections",
        ),
        (PublishRequest { ttl: Some(minus), ..valid() }, "InvalidArgument INVALID_ARGUMENT", "ttl"),
        (PublishRequest { ttl: Some(zero), ..valid() }, "InvalidArgument INVALID_ARGUMENT", "ttl"),
    ];
    for (request, reason, field) in table {
        let status = front.publisher(FULL_KEY).publish(request).await.unwrap_err();
        assert_eq!(why(&status), reason, "{status:?}");
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field, "{status:?}");
    }
    let status = front.publisher(FULL_KEY).publish(publish_request("nowhere:b", "1")).await;
    assert_eq!(why(&status.unwrap_err()), "NotFound UNKNOWN_NAMESPACE");
    assert_eq!(front.publish("a:b", 1).await.position.unwrap().offset, 1, "nothing was applied");
}

#[tokio::test]
async fn an_event_fits_up_to_its_limit_and_far_over_it_has_the_same_answer() {
    let front = Front::start().await;
    let bytes_max = Limits::default().grpc_event_bytes;
    let mut publisher = front.publisher(FULL_KEY);
    publisher.publish(publish_request("a:b", &"7".repeat(bytes_max))).await.unwrap();
    let status = publisher.publish(publish_request("a:b", &"7".repeat(3 * bytes_max))).await;
    assert_eq!(why(&status.unwrap_err()), "InvalidArgument TOO_LARGE");
}

#[tokio::test]
async fn in_a_broadcast_each_channel_succeeds_or_fails_by_itself() {
    let front = Front::with_keys(vec![key("most", &Scope::ALL, &["a:*", "nowhere:*"])]).await;
    let names = ["a:1", "a *", "none:1", "nowhere:1", "a:2"];
    let request = BroadcastRequest {
        channels: names.map(String::from).into(),
        event: Some(PublishRequest { request_id: "r1".into(), ..publish_request("", "1") }),
    };
    let response = front.publisher("most").broadcast(request).await.unwrap().into_inner();
    let results: Vec<_> = response
        .results
        .iter()
        .map(|result| {
            let response = result.response.as_ref().unwrap();
            assert_eq!(response.request_id, "r1");
            let code = response.error.as_ref().map(|error| Code::from_i32(error.code));
            assert_eq!(response.position.is_some(), code.is_none());
            (result.channel.as_str(), code)
        })
        .collect();
    assert_eq!(
        results,
        [
            ("a:1", None),
            ("a *", Some(Code::InvalidArgument)),
            ("none:1", Some(Code::PermissionDenied)),
            ("nowhere:1", Some(Code::NotFound)),
            ("a:2", None),
        ]
    );
    let empty = BroadcastRequest { channels: Vec::new(), event: Some(publish_request("", "1")) };
    let status = front.publisher("most").broadcast(empty).await.unwrap_err();
    assert_eq!(why(&status), "InvalidArgument INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_stream_of_publishes_is_answered_one_by_one_and_each_channel_keeps_its_order() {
    const EVENTS: u64 = 2000;
    let front = Front::start().await;
    let channel = |number: u64| format!("a:{}", number % 3);
    let requests = (0..EVENTS).map(move |number| PublishRequest {
        request_id: number.to_string(),
        ..publish_request(&channel(number), &number.to_string())
    });
    let mut publisher = front.publisher(FULL_KEY);
    let answers = publisher.publish_stream(stream::iter(requests)).await.unwrap();
    let mut answers = answers.into_inner();
    let mut offsets = BTreeMap::new();
    while let Some(answer) = in_time(answers.message()).await.unwrap() {
        assert_eq!(answer.error, None);
        let number: u64 = answer.request_id.parse().unwrap();
        let doubled = offsets.insert(number, answer.position.unwrap().offset);
        assert_eq!(doubled, None, "{number} is answered once");
    }
    let expected = (0..EVENTS).map(|number| (number, number / 3 + 1));
    assert!(offsets.into_iter().eq(expected), "each event follows the one sent before it");
}

#[tokio::test]
async fn a_refused_request_does_not_end_the_stream_and_one_that_cannot_be_read_does() {
    let front = Front::start().await;
    let over = "7".repeat(3 * Limits::default().grpc_event_bytes);
    let requests = [
        publish_request("a:b", "1"),
        publish_request("nowhere:b", "2"),
        publish_request("a:b", "3"),
        publish_request("a:b", &over),
        publish_request("a:b", "5"),
    ];
    let mut publisher = front.publisher(FULL_KEY);
    let answers = publisher.publish_stream(stream::iter(requests)).await.unwrap();
    let mut answers = answers.into_inner();
    let mut codes = Vec::new();
    let end = loop {
        match in_time(answers.message()).await {
            Ok(Some(answer)) => codes.push(answer.error.map_or(0, |error| error.code)),
            Ok(None) => panic!("it ended well"),
            Err(status) => break status,
        }
    };
    assert_eq!(codes, [0, Code::NotFound as i32, 0]);
    assert_eq!(why(&end), "InvalidArgument TOO_LARGE");
}
