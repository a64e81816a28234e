//! HTTP/2: many streams on one connection, WebSockets among them (RFC 8441).

use fanline_proto::v1::ChannelStatsRequest;
use fanline_tests::{
    Authority, DEADLINE, Http2, Hub, Publication, Script, Token, free_port, until, within,
};
use http::header::SEC_WEBSOCKET_VERSION;
use http_body_util::BodyExt as _;
use serde_json::json;

/// Under the default of `limits.http2_streams`, and over what many servers grant.
const STREAMS: u64 = 150;

fn ada() -> Token {
    Token::user("ada").everything_in(&["chat:*", "news:*"])
}

#[tokio::test]
async fn rooms_are_streams_of_one_connection() {
    let hub = Hub::start().await;
    let connection = Http2::connect(hub.addresses.public).await;
    let mut first = hub.upgrade().bearer(&ada().sign()).on(&connection).open().await;
    let mut second = hub.upgrade().subprotocol(&ada().sign()).on(&connection).open().await;
    first.join("chat:lobby").await;
    second.join("chat:lobby").await;
    // More than fits a frame of HTTP/2, and more than a stream's window.
    let long = "0123456789abcdef".repeat(16 * 1024);
    let position = hub.publish(Publication::to("chat:lobby", &*long)).await;
    for room in [&mut first, &mut second] {
        assert_eq!(room.event().await["data"], *long);
    }
    // The other way there are windows too.
    let shorter = &long[..60 * 1024];
    first.publish("chat:lobby", json!(shorter)).await;
    assert_eq!(second.event().await["data"], shorter);

    first.vanish();
    second.close().await;
    let mut third = hub.upgrade().bearer(&ada().sign()).on(&connection).open().await;
    let joined = third.join_since("chat:lobby", position).await;
    assert_eq!(joined["recovered"], true, "{joined}");
    assert_eq!(third.data(1).await, [shorter]);
}

#[tokio::test]
async fn who_may_not_open_a_room_may_not_over_http2() {
    let hub = Hub::start().await;
    let connection = Http2::connect(hub.addresses.public).await;
    let good = ada().sign();
    let expired = ada().expires_in(-60).sign();
    let ask = || hub.upgrade().on(&connection);

    let refusal = ask().bearer(&expired).refused().await;
    assert!(refusal.is_invalid_token(), "{refusal:?}");
    let refusal = ask().bearer(&good).origin("https://evil.example").refused().await;
    assert_eq!(refusal.status, 403, "{refusal:?}");
    let refusal = ask().cookie(&good).origin("https://evil.example").refused().await;
    assert_eq!(refusal.status, 403, "{refusal:?}");
    let refusal = ask().bearer(&good).subprotocol(&expired).refused().await;
    assert_eq!(refusal.status, 400, "{refusal:?}");
    let refusal = ask().bearer(&good).header(SEC_WEBSOCKET_VERSION, "8").refused().await;
    assert_eq!(refusal.status, 426, "{refusal:?}");
    ask().cookie(&good).origin("https://app.example.com").open().await;
}

#[tokio::test]
async fn a_room_that_stops_reading_is_closed_and_its_neighbours_go_on() {
    // Over the window of a stream, and under that of the connection, which its streams share.
    const EVENTS: u64 = 50;
    let hub = Hub::builder().set("limits.write_timeout", "1s").start().await;
    let connection = Http2::connect(hub.addresses.public).await;
    let open = || hub.upgrade().bearer(&ada().sign()).on(&connection).open();
    let (mut stalled, mut neighbour) = (open().await, open().await);
    stalled.join("news:a").await;
    neighbour.join("news:a").await;
    let rpc = hub.rpc().await;
    let long = "0123456789abcdef".repeat(4 * 1024);
    for _ in 0..EVENTS {
        rpc.publish(Publication::to("news:a", &*long)).await;
        assert_eq!(neighbour.event().await["data"], *long);
    }
    until("the hub to give the stalled room up", async || {
        let request = ChannelStatsRequest { channel: "news:a".to_owned() };
        let stats = rpc.channels().stats(request).await.expect("stats").into_inner();
        stats.members == 1
    })
    .await;
    rpc.publish(Publication::to("news:a", "on")).await;
    assert_eq!(neighbour.event().await["data"], "on");
    drop(stalled);
}

#[tokio::test]
async fn a_drain_closes_rooms_over_http2_too() {
    let mut hub = Hub::builder().set("drain.window", "500ms").start().await;
    let connection = Http2::connect(hub.addresses.public).await;
    let mut room = hub.upgrade().bearer(&ada().sign()).on(&connection).open().await;
    hub.process.terminate();
    assert_eq!(room.close_code().await, 1012);
    let status = within(DEADLINE, "the end of the hub", hub.process.exit()).await;
    assert_eq!(status.code(), Some(0), "{}", hub.process.output());
}

#[tokio::test]
async fn a_drain_ends_streams_over_http2_in_good_order() {
    let mut hub = Hub::builder().set("drain.window", "500ms").start().await;
    let connection = Http2::connect(hub.addresses.public).await;
    let uri = format!("http://{}/v1/sse?channel=news:a", hub.addresses.public);
    let bearer = format!("Bearer {}", ada().sign());
    let answer = connection.get(&uri, &[("authorization", &bearer)]).await;
    assert_eq!(answer.status(), 200);
    // Of the connection, and so of HTTP/1.1 only (RFC 9113, section 8.2.2).
    for header in ["connection", "transfer-encoding", "content-length"] {
        assert!(!answer.headers().contains_key(header), "{header} in {answer:?}");
    }
    let mut stream = answer.into_body();
    let first = within(DEADLINE, "the first block", stream.frame()).await;
    let first = first.expect("a frame").expect("no reset").into_data().expect("data");
    assert!(first.starts_with(b"event: fanline.open\n"), "{first:?}");

    hub.process.terminate();
    let rest = within(DEADLINE, "the end of the stream", stream.collect()).await;
    let rest = rest.expect("an end, and no reset").to_bytes();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("event: fanline.close\nretry: "), "{rest}");
    assert!(rest.contains("\"reason\":\"DRAINING\""), "{rest}");
    let status = within(DEADLINE, "the end of the hub", hub.process.exit()).await;
    assert_eq!(status.code(), Some(0), "{}", hub.process.output());
}

#[tokio::test]
async fn a_browser_has_all_its_streams_and_rooms_on_one_connection() {
    let authority = Authority::new();
    let page = format!("127.0.0.1:{}", free_port());
    let hub = Hub::builder()
        .for_a_crowd()
        .set("tls.cert", authority.reference("cert.pem"))
        .set("tls.key", authority.reference("key.pem"))
        .set("public.listen", &*page)
        .set("public.allowed_origins", vec![format!("https://{page}")])
        .set("public.query_token", true)
        .start()
        .await;
    let seen = Script::node("one_connection.mjs")
        .option("hub", format!("https://{page}"))
        .option("certificate", authority.path("cert.pem").display())
        .option("token", ada().sign())
        .option("channel", "news:a")
        .option("streams", STREAMS)
        .run()
        .await;
    println!("{seen}");
    assert_eq!(seen["protocols"], json!(["h2"]), "{seen}");
    assert_eq!(seen["streams"], STREAMS, "{seen}");
    assert_eq!(seen["rooms"], json!(["fanline.v1", "fanline.v1"]), "{seen}");
    let metrics = hub.metrics().await;
    let accepted = metrics.sum("fanline_listener_accepted_total", r#"listener="public""#);
    assert_eq!(accepted, 1.0, "connections of the browser");
}
