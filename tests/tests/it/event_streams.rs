//! SSE: a stream says where it starts, brings each event once, and can be resumed by its last id.

use fanline_tests::{
    Block, DEADLINE, EventStream, Hub, Publication, RedisServer, Token, get_with, within,
};
use serde_json::{Value, json};

fn token() -> Token {
    Token::user("ada").everything_in(&["news:*", "brief:*"])
}

async fn open(hub: &Hub, query: &str) -> EventStream {
    open_from(hub, query, None).await
}

async fn open_from(hub: &Hub, query: &str, last_event_id: Option<&str>) -> EventStream {
    let bearer = format!("Bearer {}", token().sign());
    let mut headers = vec![("authorization", &*bearer), ("accept", "text/event-stream")];
    headers.extend(last_event_id.map(|id| ("last-event-id", id)));
    EventStream::open(hub.addresses.public, &format!("/v1/sse?{query}"), &headers).await
}

/// The data of the next events.
async fn data(stream: &mut EventStream, count: usize) -> Vec<Value> {
    let mut data = Vec::new();
    for _ in 0..count {
        data.push(stream.named("").await.json()["data"].clone());
    }
    data
}

#[tokio::test]
async fn a_stream_says_where_it_starts_and_each_event_carries_its_position_last() {
    let hub = Hub::start().await;
    let mut stream = open(&hub, "channel=news:a").await;
    for header in [
        "content-type: text/event-stream",
        "cache-control: no-store, no-transform",
        "x-accel-buffering: no",
        "x-content-type-options: nosniff",
    ] {
        assert!(stream.head.contains(header), "{header} in {}", stream.head);
    }
    let opened = stream.named("fanline.open").await;
    assert!((1000..=3000).contains(&opened.retry.expect("a retry")), "{opened:?}");
    assert_eq!(opened.last_field, "id");
    assert!(opened.json()["channels"]["news:a"]["position"].is_string(), "{opened:?}");

    let position = hub.publish(Publication::to("news:a", "hello")).await;
    let event = stream.named("").await;
    assert_eq!((event.id.as_deref(), &*event.last_field), (Some(&*position.to_string()), "id"));
    assert_eq!(event.json()["data"], "hello");
}

#[tokio::test]
async fn a_stream_goes_on_after_its_last_id_also_when_it_had_seen_no_event() {
    let hub = Hub::start().await;
    let mut stream = open(&hub, "channel=news:a").await;
    let at_open = stream.named("fanline.open").await.id.expect("an id");
    drop(stream);
    let rpc = hub.rpc().await;
    rpc.publish_numbers("news:a", 1..=3).await;

    // The header wins over the query.
    let mut stream = open_from(&hub, "channel=news:a&since=earliest", Some(&at_open)).await;
    let opened = stream.named("fanline.open").await.json();
    assert_eq!(opened["channels"]["news:a"]["recovered"], true, "{opened}");
    assert_eq!(data(&mut stream, 2).await, [1, 2]);
    let third = stream.named("").await;
    drop(stream);
    rpc.publish_numbers("news:a", 4..=5).await;
    let query = format!("channel=news:a&last_event_id={}", third.id.expect("an id"));
    let mut stream = open(&hub, &query).await;
    stream.named("fanline.open").await;
    assert_eq!(data(&mut stream, 2).await, [4, 5]);
}

#[tokio::test]
async fn several_channels_share_a_cursor_that_resumes_all_of_them() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let mut stream = open(&hub, "channel=news:a&channel=news:b").await;
    stream.named("fanline.open").await;
    rpc.publish(Publication::to("news:a", 1)).await;
    let event = stream.named("").await;
    assert_eq!((event.json()["channel"].as_str(), event.id), (Some("news:a"), None));
    let cursor = stream.named("fanline.cursor").await;
    assert_eq!((&*cursor.data, &*cursor.last_field), ("{}", "id"));
    drop(stream);

    rpc.publish(Publication::to("news:b", 2)).await;
    rpc.publish(Publication::to("news:a", 3)).await;
    let mut stream = open_from(&hub, "channel=news:a&channel=news:b", cursor.id.as_deref()).await;
    let opened = stream.named("fanline.open").await.json();
    for channel in ["news:a", "news:b"] {
        assert_eq!(opened["channels"][channel]["recovered"], true, "{opened}");
    }
    let mut missed = data(&mut stream, 2).await;
    missed.sort_by_key(Value::as_u64);
    assert_eq!(missed, [2, 3]);
}

#[tokio::test]
async fn what_lies_beyond_history_is_not_recovered_and_the_rest_follows() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let first = rpc.publish(Publication::to("brief:a", 0)).await;
    rpc.publish_numbers("brief:a", 1..=20).await;
    let mut stream = open_from(&hub, "channel=brief:a", Some(&first.to_string())).await;
    let opened = stream.named("fanline.open").await.json();
    let channel = &opened["channels"]["brief:a"];
    assert_eq!((&channel["recovered"], &channel["reason"]), (&json!(false), &json!("trimmed")));
    let rest: Vec<u64> = (11..=20).collect();
    assert_eq!(json!(data(&mut stream, 10).await), json!(rest));
}

#[tokio::test]
async fn line_breaks_and_fields_inside_data_inject_nothing() {
    let hub = Hub::start().await;
    let mut stream = open(&hub, "channel=news:a").await;
    stream.named("fanline.open").await;
    let mut hostile = Publication::to("news:a", 0);
    // JSON may be broken between its tokens, with any of the line ends that a stream knows.
    hostile.0.data =
        "{\"a\":\r\n\"data: x\",\n\"id: 9\":\r1,\r\n\r\n\"b\":\"\\u0000\\n\\nevent: y\"}".into();
    hub.publish(hostile).await;
    hub.publish(Publication::to("news:a", "next")).await;
    let event = stream.named("").await.json();
    assert_eq!(event["data"], json!({"a": "data: x", "id: 9": 1, "b": "\0\n\nevent: y"}));
    assert_eq!(data(&mut stream, 1).await, ["next"]);
}

#[tokio::test]
async fn a_silent_stream_has_a_heartbeat_that_is_no_event() {
    let hub = Hub::builder().set("limits.heartbeat_interval", "200ms").start().await;
    let mut stream = open(&hub, "channel=news:a").await;
    stream.named("fanline.open").await;
    stream.heartbeat().await;
    hub.publish(Publication::to("news:a", 1)).await;
    assert_eq!(data(&mut stream, 1).await, [1]);
}

#[tokio::test]
async fn an_old_stream_ends_with_a_cursor_and_a_time_to_come_back() {
    let hub = Hub::builder().set("limits.stream_max_age", "1s").start().await;
    let mut stream = open(&hub, "channel=news:a").await;
    stream.named("fanline.open").await;
    let last = stream.named("fanline.cursor").await;
    assert!(last.id.is_some() && last.retry.is_some(), "{last:?}");
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let hub = Hub::builder().set("tokens.leeway", "0s").start().await;
    let bearer = format!("Bearer {}", token().expires_in(3).sign());
    let headers = [("authorization", &*bearer)];
    let path = "/v1/sse?channel=news:a";
    let mut stream = EventStream::open(hub.addresses.public, path, &headers).await;
    stream.named("fanline.open").await;
    assert_closed(&mut stream, "TOKEN_EXPIRED").await;
    assert_eq!(get_with(hub.addresses.public, path, &headers).await.status, 401);
}

#[tokio::test]
async fn a_drain_ends_streams_and_they_go_on_elsewhere() {
    let redis = RedisServer::start().await;
    let [mut leaving, staying] = Hub::builder().set("drain.window", "500ms").nodes(&redis).await;
    let channels = "channel=news:a&channel=news:b";
    let mut stream = open(&leaving, channels).await;
    stream.named("fanline.open").await;
    let rpc = staying.rpc().await;
    rpc.publish(Publication::to("news:a", 1)).await;
    assert_eq!(data(&mut stream, 1).await, [1]);
    stream.named("fanline.cursor").await;
    leaving.process.terminate();
    let cursor = assert_closed(&mut stream, "DRAINING").await;
    let status = within(DEADLINE, "the end of the hub", leaving.process.exit()).await;
    assert_eq!(status.code(), Some(0), "{}", leaving.process.output());

    rpc.publish(Publication::to("news:b", 2)).await;
    let mut stream = open_from(&staying, channels, Some(&cursor)).await;
    let opened = stream.named("fanline.open").await.json();
    for channel in ["news:a", "news:b"] {
        assert_eq!(opened["channels"][channel]["recovered"], true, "{opened}");
    }
    assert_eq!(data(&mut stream, 1).await, [2]);
}

#[tokio::test]
async fn who_does_not_take_event_streams_gets_406_and_who_may_not_gets_403() {
    let hub = Hub::start().await;
    let bearer = format!("Bearer {}", token().sign());
    let ask = async |path: &str, accept: &str| {
        let headers = [("authorization", &*bearer), ("accept", accept)];
        get_with(hub.addresses.public, path, &headers).await.status
    };
    assert_eq!(ask("/v1/sse?channel=news:a", "application/json").await, 406);
    assert_eq!(ask("/v1/sse?channel=vault:a", "text/event-stream").await, 403);
    assert_eq!(ask("/v1/sse?channel=bad%20name", "text/event-stream").await, 400);
}

/// The stream says why it ends and where to go on, which is given, and ends. Warnings before that are passed over.
async fn assert_closed(stream: &mut EventStream, reason: &str) -> String {
    let close = loop {
        let block: Block = stream.next().await.expect("a block that says why");
        if block.name != "fanline.expiring" {
            break block;
        }
    };
    assert_eq!((&*close.name, &*close.last_field), ("fanline.close", "id"));
    assert_eq!(close.json()["reason"], reason);
    assert!(close.retry.is_some(), "{close:?}");
    assert_eq!(stream.next().await, None);
    close.id.expect("its last field is an id")
}
