//! Connections that never become requests, and the operators' page.

use std::time::Duration;

use fanline_tests::{DEADLINE, Hub, HubBuilder, RawSocket, Rpc, Token, get, send, within};
use serde_json::json;

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_of_something_is_closed() {
    let hub = impatient().start().await;
    let public = hub.addresses.public;
    let grpc = hub.addresses.grpc;
    let ops = hub.addresses.ops;
    let head = b"GET /v1/ws HTTP/1.1\r\nhost: fanline\r\nconnection: Up".as_slice();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM".as_slice();
    // What follows the whole preface has to be SETTINGS, of which this is a part.
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04".as_slice();
    let listeners = [("public", public), ("grpc", grpc), ("ops", ops)];
    let openings = [
        ("nothing", b"".as_slice()),
        ("half a head", head),
        ("half a preface", preface),
        ("half SETTINGS", settings),
    ];
    let attempts = listeners.into_iter().flat_map(|(listener, address)| {
        openings.into_iter().map(move |(sent, bytes)| async move {
            (format!("{sent} on {listener}"), close_after(address, bytes).await)
        })
    });
    for (sent, after) in futures_util::future::join_all(attempts).await {
        assert!(after > Duration::from_millis(500), "{sent}: closed at once, after {after:?}");
        assert!(after < Duration::from_secs(8), "{sent}: closed only after {after:?}");
    }
}

#[tokio::test]
async fn a_head_that_trickles_in_is_closed_too() {
    let hub = impatient().start().await;
    let mut socket = RawSocket::connect(hub.addresses.public).await;
    let start = tokio::time::Instant::now();
    let trickle = async {
        socket.send(b"GET /v1/ws HTTP/1.1\r\n").await;
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            socket.send(b"x: y\r\n").await;
            if socket.has_ended() {
                return;
            }
        }
    };
    within(DEADLINE, "the hub to lose patience", trickle).await;
    assert!(start.elapsed() < Duration::from_secs(8), "after {:?}", start.elapsed());
}

#[tokio::test]
async fn an_open_room_is_not_bound_by_the_header_timeout() {
    let hub = impatient().start().await;
    let mut room = hub.room(&Token::user("ada")).await;
    let rpc = hub.rpc().await;
    rpc.publish_numbers("chat:lobby", 1..=1).await;
    // Closed later than anything that was opened before it.
    close_after(hub.addresses.public, b"").await;
    assert_eq!(room.request(serde_json::json!({"op": "ping"})).await["op"], "pong");
    rpc.publish_numbers("chat:lobby", 2..=2).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_431() {
    let hub = Hub::start().await;
    let mut socket = RawSocket::connect(hub.addresses.public).await;
    let head = format!("GET / HTTP/1.1\r\nhost: fanline\r\nx: {}\r\n\r\n", "y".repeat(20 * 1024));
    socket.send(head.as_bytes()).await;
    let answer = socket.http_answer().await;
    assert_eq!(answer.status, 431, "{}", answer.head);
}

#[tokio::test]
async fn what_is_not_http_is_answered_400_or_closed() {
    let hub = Hub::start().await;
    let mut socket = RawSocket::connect(hub.addresses.public).await;
    socket.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n").await;
    let (_, answer) = socket.end().await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn a_request_that_is_no_upgrade_is_answered() {
    let hub = Hub::start().await;
    let answer = get(hub.addresses.public, "/v1/ws").await;
    assert!([400, 426].contains(&answer.status), "{}", answer.head);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.head);
    assert!(answer.body.contains(r#""reason":"INVALID_ARGUMENT""#), "{}", answer.body);
    assert_eq!(answer.json()["status"], answer.status);
    let answer = get(hub.addresses.public, "/").await;
    assert_eq!(answer.status, 404, "the console is for `dev` only: {}", answer.head);
}

#[tokio::test]
async fn every_path_and_every_method_is_answered_with_what_there_is() {
    let hub = Hub::start().await;
    let (public, ops) = (hub.addresses.public, hub.addresses.ops);
    for (address, method, path, status, allow) in [
        (public, "GET", "/no-such-thing", 404, None),
        (public, "GET", "/v1/sse/", 404, None),
        (public, "POST", "/docs/no-such-file", 405, Some("GET,HEAD")),
        (public, "DELETE", "/v1/ws", 405, Some("GET,HEAD,CONNECT")),
        (public, "POST", "/v1/sse", 405, Some("GET,HEAD")),
        (public, "OPTIONS", "/v1/poll", 405, Some("GET,HEAD")),
        (public, "GET", "/v1/publish", 405, Some("POST")),
        (public, "PUT", "/v1/call", 405, Some("POST")),
        (public, "GET", "/v1/tickets", 405, Some("POST")),
        (public, "FLY", "/v1/history", 405, Some("GET,HEAD")),
        (public, "POST", "/asyncapi.json", 405, Some("GET,HEAD")),
        (ops, "POST", "/metrics", 405, Some("GET,HEAD")),
        (ops, "GET", "/v1/poll", 404, None),
    ] {
        let answer = send(address, method, path, &[], "").await;
        let found = (answer.status, answer.header("allow"));
        assert_eq!(found, (status, allow), "{method} {path}: {}", answer.head);
        let problem = answer.json();
        let told = (&problem["status"], &problem["reason"]);
        assert_eq!(
            told,
            (&json!(status), &json!("UNKNOWN_OPERATION")),
            "{method} {path}: {problem}"
        );
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}

#[tokio::test]
async fn operators_see_health_and_metrics() {
    let hub = Hub::start().await;
    for path in ["/livez", "/readyz"] {
        let answer = get(hub.addresses.ops, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.head);
    }
    let metrics = hub.metrics().await;
    for line in metrics.text().lines().filter(|line| !line.starts_with('#')) {
        assert!(line.starts_with("fanline_"), "a foreign metric: {line}");
        assert!(!line.contains("chat:"), "a channel as a label: {line}");
    }
    for private in ["/metrics", "/readyz"] {
        let answer = get(hub.addresses.public, private).await;
        assert_eq!(answer.status, 404, "{private} on the public listener");
    }
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let hub = Hub::start().await;
    let token = Token::user("ada").everything_in(&["chat:*"]);
    let mut ada = hub.room(&token).await;
    let mut bob = hub.room(&token).await;
    for room in [&mut ada, &mut bob] {
        room.join("chat:lobby").await;
    }
    hub.rpc().await.publish_numbers("chat:lobby", 1..=10).await;
    ada.events(10).await;
    bob.events(10).await;
    let metrics = hub.metrics().await;
    assert_eq!(metrics.sum("fanline_connections", ""), 2.0, "{}", metrics.text());
    assert_eq!(metrics.sum("fanline_joins_total", ""), 2.0, "{}", metrics.text());
    assert_eq!(metrics.sum("fanline_events_published_total", ""), 10.0, "{}", metrics.text());
    assert_eq!(metrics.sum("fanline_deliveries_total", ""), 20.0, "{}", metrics.text());
}

#[tokio::test]
async fn both_protocols_are_served_to_prior_knowledge() {
    let hub = Hub::start().await;
    // The client's preface and empty SETTINGS, on the port that also speaks HTTP/1.1.
    let mut socket = RawSocket::connect(hub.addresses.public).await;
    socket.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let frame = socket.bytes(9).await;
    assert_eq!(frame[3], 4, "an HTTP/2 server begins with SETTINGS: {frame:?}");
    // gRPC is HTTP/2 and nothing else.
    Rpc::connect(hub.addresses.grpc, None).await;
}

fn impatient() -> HubBuilder {
    Hub::builder().set("limits.header_timeout", "1s")
}

/// Sends bytes and waits for the hub to close; returns after how long.
async fn close_after(address: std::net::SocketAddr, bytes: &[u8]) -> Duration {
    let mut socket = RawSocket::connect(address).await;
    socket.send(bytes).await;
    socket.end().await.0
}
