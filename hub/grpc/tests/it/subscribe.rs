//! Following channels.

use crate::harness::{FULL_KEY, Front, key, subscribe_request, why};
use fanline_grpc::keys::Scope;
use fanline_proto::v1::channel_selector::Start;
use fanline_proto::v1::{Position, SubscribeRequest};
use tonic::Code;

#[tokio::test]
async fn a_stream_resumes_after_a_position_and_goes_on_live() {
    let front = Front::start().await;
    let first = front.publish("a:b", 1).await.position.unwrap();
    front.publish("a:b", 2).await;
    let mut items = front.subscribe([("a:b", Some(Start::After(first)))]).await;
    assert_eq!(items.next().await, "a:b after 1: recovered");
    assert_eq!(items.next().await, "a:b 2 = 2");
    front.publish("a:b", 3).await;
    assert_eq!(items.next().await, "a:b 3 = 3");
}

#[tokio::test]
async fn a_stream_starts_where_it_was_asked_to() {
    let front = Front::start().await;
    // The namespace keeps 10.
    for number in 1..=12 {
        front.publish("a:b", number).await;
    }
    let top = front.publish("a:b", 13).await.position.unwrap();
    let at = |offset| Start::After(Position { epoch: top.epoch.clone(), offset });
    let foreign = |epoch: &str| Start::After(Position { epoch: epoch.into(), offset: 1 });
    let table = [
        (None, "a:b after 13", 14),
        (Some(Start::Earliest(true)), "a:b after 3", 4),
        (Some(Start::Earliest(false)), "a:b after 13", 14),
        (Some(Start::Last(2)), "a:b after 11", 12),
        (Some(Start::Last(0)), "a:b after 13", 14),
        (Some(Start::Last(100)), "a:b after 3", 4),
        (Some(at(13)), "a:b after 13: recovered", 14),
        (Some(at(1)), "a:b after 3: trimmed", 4),
        (Some(at(14)), "a:b after 13: future", 14),
        (Some(foreign("other")), "a:b after 3: epoch_changed", 4),
        (Some(foreign("")), "a:b after 13: invalid", 14),
    ];
    let mut streams = Vec::new();
    for (start, subscribed, next) in table {
        let mut items = front.subscribe([("a:b", start.clone())]).await;
        assert_eq!(items.next().await, subscribed, "{start:?}");
        streams.push((items, next));
    }
    front.publish("a:b", 14).await;
    for (mut items, next) in streams {
        for offset in next..=14 {
            assert_eq!(items.next().await, format!("a:b {offset} = {offset}"));
        }
    }
}

#[tokio::test]
async fn one_stream_follows_several_channels() {
    let front = Front::start().await;
    front.publish("a:1", 7).await;
    let channels = [("a:1", Some(Start::Earliest(true))), ("a:2", None), ("none:3", None)];
    let mut items = front.subscribe(channels).await;
    assert_eq!(items.next().await, "a:1 after 0");
    assert_eq!(items.next().await, "a:2 after 0");
    assert_eq!(items.next().await, "none:3 after 0");
    assert_eq!(items.next().await, "a:1 1 = 7");
    for channel in ["none:3", "a:2", "a:1"] {
        front.publish(channel, 8).await;
        let offset = if channel == "a:1" { 2 } else { 1 };
        assert_eq!(items.next().await, format!("{channel} {offset} = 8"));
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_followed_is_refused_whole() {
    let front = Front::with_keys(vec![key("narrow", &Scope::ALL, &["a:*"])]).await;
    let table = [
        (subscribe_request([]), "InvalidArgument INVALID_ARGUMENT"),
        (
            subscribe_request([("a:1", None), ("a:1", Some(Start::Last(1)))]),
            "InvalidArgument INVALID_ARGUMENT",
        ),
        (subscribe_request([("a:1", None), ("a:*", None)]), "InvalidArgument INVALID_CHANNEL"),
        (
            subscribe_request([("a:1", None), ("none:1", None)]),
            "PermissionDenied PERMISSION_DENIED",
        ),
        // The harness allows three.
        (
            subscribe_request(["a:1", "a:2", "a:3", "a:4"].map(|channel| (channel, None))),
            "ResourceExhausted LIMIT_EXCEEDED",
        ),
    ];
    for (request, expected) in table {
        assert_eq!(refusal(&front, "narrow", request).await, expected);
    }
    let unknown = subscribe_request([("a:1", None), ("nowhere:1", None)]);
    assert_eq!(refusal(&front, FULL_KEY, unknown).await, "NotFound UNKNOWN_NAMESPACE");
    assert_eq!(front.metric("fanline_grpc_subscriptions"), 0);
}

#[tokio::test]
async fn a_drain_ends_streams_and_opens_none() {
    let front = Front::start().await;
    let mut items = front.subscribe([("a:b", None), ("a:c", None)]).await;
    assert_eq!(items.next().await, "a:b after 0");
    assert_eq!(items.next().await, "a:c after 0");
    assert_eq!(front.metric("fanline_grpc_subscriptions"), 2);
    front.stop.cancel();
    assert_eq!(items.next().await, format!("{:?}", Code::Unavailable));
    let late = subscribe_request([("a:b", None)]);
    assert_eq!(refusal(&front, FULL_KEY, late).await, "Unavailable DRAINING");
    front.until_metric("fanline_grpc_subscriptions", 0).await;
}

async fn refusal(front: &Front, key: &str, request: SubscribeRequest) -> String {
    why(&front.subscriber(key).subscribe(request).await.unwrap_err())
}
