//! Polls in a process whose broker and clock do as they are told. What needs sockets is in `tests/tests/it/polls.rs` and
//! `poll_faults.rs`.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use fanline_core::connections::{Ending, Order, Target};
use fanline_core::{ChannelName, Limits, Reason};
use fanline_edge::testing::TestEdge;
use fanline_longpoll::router;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tower::ServiceExt;

const HOUR: Duration = Duration::from_secs(3600);

/// The channel of all polls here.
fn channel() -> ChannelName {
    "a:b".parse().expect("a channel")
}

struct Client {
    routes: Router,
    bearer: String,
}

impl Client {
    fn of(edge: &TestEdge) -> Self {
        Self::with_life(edge, HOUR)
    }

    fn with_life(edge: &TestEdge, life: Duration) -> Self {
        let bearer = format!("Bearer {}", edge.token("ada", life));
        Client { routes: router((**edge).clone()), bearer }
    }

    async fn send(&self, method: &str, path: &str, body: String) -> (Response<()>, Value) {
        let peer: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", &self.bearer)
            .extension(ConnectInfo(peer))
            .body(Body::from(body))
            .expect("a request");
        let (head, body) =
            self.routes.clone().oneshot(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        (Response::from_parts(head, ()), serde_json::from_slice(&body).expect("JSON"))
    }

    /// A poll of the channel `a:b`.
    async fn poll(&self, query: &str) -> (Response<()>, Value) {
        self.send("GET", &format!("/v1/poll?channel=a:b&{query}"), String::new()).await
    }

    /// A poll that is answered with a batch: its data, and the next cursor.
    async fn batch(&self, query: &str) -> (Vec<Value>, String) {
        let (head, batch) = self.poll(query).await;
        assert_eq!(head.status(), 200, "{query}: {batch}");
        let data =
            batch["events"].as_array().expect("events").iter().map(|event| event["data"].clone());
        (data.collect(), batch["cursor"].as_str().expect("a cursor").to_owned())
    }

    async fn publish(&self, number: u64, echo: bool) {
        let event = json!({"channel": "a:b", "data": number, "echo": echo});
        let (head, answer) = self.send("POST", "/v1/publish", event.to_string()).await;
        assert_eq!(head.status(), 200, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_while_history_is_read_is_in_the_answer() {
    let edge = TestEdge::start();
    let client = Client::of(&edge);
    let (_, cursor) = client.batch("").await;
    edge.hub.broker.hold();
    let query = format!("cursor={cursor}");
    let ((data, _), ()) = tokio::join!(client.batch(&query), async {
        client.publish(1, true).await;
        edge.hub.broker.switch_on();
    });
    assert_eq!(data, [1]);
}

#[tokio::test(start_paused = true)]
async fn what_is_trimmed_while_a_poll_waits_for_history_is_a_gap_that_is_told() {
    let edge = TestEdge::with_limits(Limits { ring_events: 4, ..Limits::default() });
    let client = Client::of(&edge);
    let (_, cursor) = client.batch("").await;
    edge.hub.broker.hold();
    let query = format!("cursor={cursor}");
    let ((head, problem), ()) = tokio::join!(client.poll(&query), async {
        for number in 1..=25 {
            client.publish(number, true).await;
        }
        edge.hub.broker.switch_on();
    });
    assert_eq!(head.status(), 410, "{problem}");
    assert_eq!(problem["channels"]["a:b"]["reason"], "trimmed", "{problem}");
    let oldest = problem["oldest"].as_str().unwrap();
    let (data, _) = client.batch(&format!("cursor={oldest}")).await;
    assert_eq!(json!(data), json!((16..=25).collect::<Vec<u64>>()));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_steps_back_moves_no_position_and_repeats_no_event() {
    let edge = TestEdge::start();
    let client = Client::of(&edge);
    edge.hub.clock.advance(HOUR / 2);
    let (_, mut cursor) = client.batch("").await;
    for number in 1..=5 {
        client.publish(2 * number - 1, true).await;
        edge.hub.clock.set_back(HOUR / 10);
        client.publish(2 * number, true).await;
        let (data, next) = client.batch(&format!("cursor={cursor}")).await;
        assert_eq!(data, [2 * number - 1, 2 * number]);
        cursor = next;
    }
    // Also while it waits.
    let query = format!("cursor={cursor}");
    let ((data, next), ()) = tokio::join!(client.batch(&query), async {
        edge.hub.clock.set_back(HOUR);
        client.publish(11, true).await;
    });
    assert_eq!(data, [11]);
    assert_eq!(client.batch(&format!("wait=0&cursor={next}")).await.0, [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn history_that_cannot_be_read_now_is_503_and_no_reset() {
    let edge = TestEdge::with_limits(Limits { ring_events: 4, ..Limits::default() });
    let client = Client::of(&edge);
    let (_, cursor) = client.batch("").await;
    // More than the node itself still has.
    for number in 1..=6 {
        client.publish(number, true).await;
    }
    edge.hub.broker.switch_off();
    let (head, problem) = client.poll(&format!("cursor={cursor}")).await;
    assert_eq!((head.status().as_u16(), &problem["reason"]), (503, &json!("BROKER_UNAVAILABLE")));
    assert!(head.headers().contains_key("retry-after") && problem["reset"].is_null(), "{problem}");
    edge.hub.broker.switch_on();
    assert_eq!(client.batch(&format!("cursor={cursor}")).await.0, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn the_cursor_moves_past_what_is_not_for_the_client() {
    let edge = TestEdge::start();
    let client = Client::of(&edge);
    let (_, cursor) = client.batch("").await;
    client.publish(1, false).await;
    let (data, next) = client.batch(&format!("wait=1&cursor={cursor}")).await;
    assert_eq!(data, [0; 0]);
    assert_ne!(next, cursor);
    client.publish(2, true).await;
    assert_eq!(client.batch(&format!("cursor={next}")).await.0, [2]);
}

#[tokio::test(start_paused = true)]
async fn polls_with_a_token_that_is_known_cost_no_attempt_to_connect() {
    let edge = TestEdge::with_limits(Limits { connect_burst_per_ip: 1, ..Limits::default() });
    let client = Client::of(&edge);
    for _ in 0..50 {
        client.batch("").await;
    }
    let (head, _) = Client { bearer: "Bearer a.b.c".to_owned(), ..client }.poll("").await;
    assert_eq!(head.status(), 429, "a token that has to be verified costs one");
}

#[tokio::test(start_paused = true)]
async fn the_same_cursor_shows_the_same_events_with_the_same_ids() {
    let edge = TestEdge::start();
    let client = Client::of(&edge);
    let (_, cursor) = client.batch("").await;
    client.publish(1, true).await;
    client.publish(2, true).await;
    let query = format!("cursor={cursor}");
    let (first, again) = (client.poll(&query).await.1, client.poll(&query).await.1);
    assert_eq!(first, again);
    client.publish(3, true).await;
    let longer = client.poll(&query).await.1;
    assert!(longer["events"].as_array().unwrap().starts_with(first["events"].as_array().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_poll_between_the_end_of_its_token_and_the_end_of_the_leeway_is_told_of_the_end() {
    let edge = TestEdge::start();
    let client = Client::with_life(&edge, Duration::from_secs(10));
    let (_, cursor) = client.batch("").await;
    let later = Duration::from_secs(11);
    // The timer of the token's end is set before time passes. Timers go by the time of the runtime, tokens by the clock.
    tokio::task::yield_now().await;
    tokio::time::advance(later).await;
    edge.hub.clock.advance(later);
    while !edge.hub.members(&channel()).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let (head, problem) = client.poll(&format!("cursor={cursor}")).await;
    assert_eq!((head.status().as_u16(), &problem["reason"]), (401, &json!("TOKEN_EXPIRED")));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_ended_while_a_poll_begins_ends_the_poll_as_ordered() {
    let cases = [
        (Reason::TokenRevoked, false, 401),
        (Reason::Disconnected, false, 403),
        (Reason::Disconnected, true, 200),
    ];
    for (reason, reconnect, expected) in cases {
        let edge = TestEdge::start();
        let client = Client::of(&edge);
        let (_, cursor) = client.batch("").await;
        let connection = edge.hub.members(&channel()).await.unwrap()[0].connection;
        edge.hub.broker.hold();
        let query = format!("cursor={cursor}");
        let ((head, answer), ()) = tokio::join!(client.poll(&query), async {
            let order = Order::Disconnect(Ending { reason, reconnect });
            assert_eq!(edge.hub.order(Target::Token("t1".into()), order).await.unwrap(), 1);
            // It is obeyed once the client is nowhere any more.
            while edge.hub.is_in(connection, &channel()) {
                tokio::task::yield_now().await;
            }
            edge.hub.broker.switch_on();
        });
        assert_eq!(head.status(), expected, "{answer}");
        if reconnect {
            assert_eq!((&answer["events"], &answer["cursor"]), (&json!([]), &json!(cursor)));
            client.publish(1, true).await;
            assert_eq!(client.batch(&query).await.0, [1], "as another connection");
        } else {
            assert_eq!(answer["reason"], json!(reason.as_str()));
        }
    }
}
