//! Backends see, move and end the connections of clients, on whatever node and transport.

use std::net::SocketAddr;
use std::time::Duration;

use fanline_proto::v1::{
    Connection, DisconnectRequest, JoinRequest, LeaveRequest, ListConnectionsRequest,
    PresenceRequest, RevokeRequest, disconnect_request, join_request, leave_request,
    revoke_request,
};
use fanline_tests::{
    EventStream, HttpAnswer, Hub, Metrics, Publication, RedisServer, Room, Rpc, Token, get_with,
    send, until,
};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The promise for revoked tokens.
const SOON: Duration = Duration::from_secs(1);
/// A machine that needs more than this part of it for one plain call is too busy to be measured, and is given more.
const CALLS_IN_IT: u32 = 20;

fn ada() -> Token {
    Token::user("ada").claim("jti", "ada-1").everything_in(&["chat:*"])
}

fn bearer(token: &Token) -> String {
    format!("Bearer {}", token.sign())
}

/// Every session that a user can have on a node.
struct Sessions {
    room: Room,
    stream: EventStream,
    poll: JoinSet<HttpAnswer>,
}

impl Sessions {
    async fn open(hub: &Hub, token: &Token) -> Self {
        let mut room = hub.room(token).await;
        room.join("chat:lobby").await;
        let (public, bearer) = (hub.addresses.public, bearer(token));
        let headers = [("authorization", bearer.as_str())];
        let mut stream = EventStream::open(public, "/v1/sse?channel=chat:lobby", &headers).await;
        stream.named("fanline.open").await;
        let first = get_with(public, "/v1/poll?channel=chat:lobby", &headers).await.json();
        let cursor = first["cursor"].as_str().expect("a cursor").to_owned();
        let mut waiting = JoinSet::new();
        waiting.spawn(poll(public, bearer, cursor));
        Metrics::until(hub.addresses.ops, "fanline_connections", "transport=\"poll\"", 1.0).await;
        Sessions { room, stream, poll: waiting }
    }

    /// Waits until all of them have ended, each as it should.
    async fn have_been_revoked(mut self) {
        let closing = self.room.next("closing").await;
        assert_eq!(
            (&closing["reason"], &closing["reconnect"]),
            (&json!("TOKEN_REVOKED"), &json!(false))
        );
        assert_eq!(self.room.close_code().await, 4403);
        loop {
            let block = self.stream.next().await.expect("a last block");
            if block.name == "fanline.close" {
                assert_eq!(block.json(), json!({"reconnect": false, "reason": "TOKEN_REVOKED"}));
                break;
            }
        }
        assert_eq!(self.stream.next().await, None);
        let answer = self.poll.join_next().await.expect("a poll").expect("it is answered");
        assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("TOKEN_REVOKED")));
    }
}

async fn poll(public: SocketAddr, bearer: String, cursor: String) -> HttpAnswer {
    // What others join and leave in between is no news to a poll; an event would be.
    let path = format!("/v1/poll?channel=chat:lobby&wait=50&cursor={cursor}");
    get_with(public, &path, &[("authorization", &bearer)]).await
}

/// Asserts that a node refuses the token, wherever it is shown.
async fn is_refused_everywhere(hub: &Hub, token: &Token) {
    let refusal = hub.upgrade().bearer(&token.sign()).refused().await;
    assert_eq!(refusal.status, 401, "{refusal:?}");
    let mut room = hub.upgrade().open_unauthenticated().await;
    let auth = json!({"op": "auth", "token": token.sign()});
    assert_eq!(room.refused(auth).await, "TOKEN_REVOKED");
    let (public, bearer) = (hub.addresses.public, bearer(token));
    let headers = [("authorization", bearer.as_str())];
    let body = json!({"channel": "chat:lobby", "data": 1}).to_string();
    for (method, path, body) in [
        ("GET", "/v1/sse?channel=chat:lobby", ""),
        ("GET", "/v1/poll?channel=chat:lobby", ""),
        ("GET", "/v1/presence?channel=chat:lobby", ""),
        ("GET", "/v1/history?channel=chat:lobby", ""),
        ("POST", "/v1/publish", &body),
        ("POST", "/v1/call", r#"{"method":"chat.rename"}"#),
    ] {
        let answer = send(public, method, path, &headers, body).await;
        assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
        assert_eq!(answer.json()["reason"], "TOKEN_REVOKED", "{method} {path}");
    }
}

async fn revoke_user(rpc: &Rpc, user: &str) {
    let subject = Some(revoke_request::Subject::User(user.to_owned()));
    let request = RevokeRequest { subject, ..RevokeRequest::default() };
    rpc.connections().revoke(request).await.expect("the key may revoke");
}

async fn connections_of(rpc: &Rpc, user: &str) -> Vec<Connection> {
    let request =
        ListConnectionsRequest { user: user.to_owned(), ..ListConnectionsRequest::default() };
    rpc.connections().list(request).await.expect("the key may list").into_inner().connections
}

async fn members(rpc: &Rpc) -> Vec<String> {
    let request = PresenceRequest { channel: "chat:lobby".to_owned() };
    let presence = rpc.channels().presence(request).await.expect("the key may ask").into_inner();
    presence.members.into_iter().map(|member| member.user).collect()
}

#[tokio::test]
async fn a_revoked_user_is_out_within_a_second_on_both_nodes_and_stays_out_after_a_restart() {
    let redis = RedisServer::start().await;
    let [near, far] = Hub::nodes(&redis).await;
    let sessions = [Sessions::open(&near, &ada()).await, Sessions::open(&far, &ada()).await];
    let bob = Token::user("bob").everything_in(&["chat:*"]);
    let mut other = far.room(&bob).await;
    other.join("chat:lobby").await;
    let rpc = near.rpc().await;
    until("all connections to be listed", async || connections_of(&rpc, "ada").await.len() == 6)
        .await;

    let start = Instant::now();
    connections_of(&rpc, "ada").await;
    let limit = SOON.max(start.elapsed() * CALLS_IN_IT);
    let start = Instant::now();
    revoke_user(&rpc, "ada").await;
    for sessions in sessions {
        sessions.have_been_revoked().await;
    }
    let took = start.elapsed();
    println!("6 sessions on 2 nodes were closed {took:?} after the call");
    assert!(took < limit, "it took {took:?}");
    until("nobody of that user in the room", async || members(&rpc).await == ["bob"]).await;
    assert_eq!(connections_of(&rpc, "ada").await, []);
    for node in [&near, &far] {
        is_refused_everywhere(node, &ada()).await;
    }
    other.publish("chat:lobby", json!("still here")).await;

    drop((near, far));
    let [again] = Hub::nodes(&redis).await;
    is_refused_everywhere(&again, &ada()).await;
    again.room(&bob).await.join("chat:lobby").await;
}

#[tokio::test]
async fn a_backend_moves_the_connections_of_a_user_and_a_newer_token_does_not_undo_it() {
    let redis = RedisServer::start().await;
    let [near, far] = Hub::nodes(&redis).await;
    let mut room = far.room(&ada()).await;
    let bearer = bearer(&ada());
    let headers = [("authorization", bearer.as_str())];
    let path = "/v1/sse?channel=chat:lobby";
    let mut stream = EventStream::open(far.addresses.public, path, &headers).await;
    stream.named("fanline.open").await;
    let rpc = near.rpc().await;
    until("both connections to be listed", async || connections_of(&rpc, "ada").await.len() == 2)
        .await;

    let target = Some(join_request::Target::User("ada".to_owned()));
    let join = JoinRequest { target, channel: "news:today".to_owned() };
    let told = rpc.connections().join(join).await.expect("the key may join").into_inner();
    assert_eq!(told.connections, 2);
    assert_eq!(room.next("joined").await["channel"], "news:today");
    loop {
        let block = stream.next().await.expect("the stream goes on");
        if block.name == "fanline.joined" {
            assert_eq!(block.json()["channel"], "news:today");
            break;
        }
    }
    // Neither token grants that channel.
    room.ok(json!({"op": "auth", "token": ada().sign()})).await;
    rpc.publish(Publication::to("news:today", "moved")).await;
    assert_eq!(room.event().await["data"], "moved");
    loop {
        let block = stream.next().await.expect("the stream goes on");
        if block.name.is_empty() {
            assert_eq!(block.json()["data"], "moved");
            break;
        }
    }

    let target = Some(leave_request::Target::Connection(room.connection()));
    let leave = LeaveRequest { target, channel: "news:today".to_owned() };
    let told = rpc.connections().leave(leave).await.expect("the key may").into_inner();
    assert_eq!(told.connections, 1);
    assert_eq!(room.next("left").await["channel"], "news:today");
}

#[tokio::test]
async fn a_backend_ends_connections_for_now_or_for_good() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    for (reconnect, code) in [(true, 1012), (false, 4403)] {
        let mut room = hub.room(&ada()).await;
        let target = Some(disconnect_request::Target::TokenId("ada-1".to_owned()));
        let told = rpc.connections().disconnect(DisconnectRequest { target, reconnect }).await;
        assert_eq!(told.expect("the key may").into_inner().connections, 1);
        let closing = room.next("closing").await;
        assert_eq!(
            (&closing["reason"], &closing["reconnect"]),
            (&json!("DISCONNECTED"), &json!(reconnect))
        );
        assert_eq!(room.close_code().await, code);
    }
}

#[tokio::test]
async fn a_stream_that_takes_nothing_is_present_no_longer_than_its_token() {
    let hub = Hub::builder()
        .set("tokens.leeway", "0s")
        .set("limits.write_timeout", "10m")
        .set("namespaces.chat.history_size", 10)
        .start()
        .await;
    let rpc = hub.rpc().await;
    let bearer = bearer(&ada().expires_in(4));
    let headers = [("authorization", bearer.as_str())];
    let path = "/v1/sse?channel=chat:lobby";
    let mut stream = EventStream::open(hub.addresses.public, path, &headers).await;
    stream.named("fanline.open").await;
    // More than any buffer on the way holds, so that the hub is not asked for more.
    let large = "x".repeat(900_000);
    for _ in 0..8 {
        rpc.publish(Publication::to("chat:lobby", large.as_str())).await;
    }
    assert_eq!(members(&rpc).await, ["ada"]);
    until("the member to be gone", async || members(&rpc).await.is_empty()).await;
    drop(stream);
}
