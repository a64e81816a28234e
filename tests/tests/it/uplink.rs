//! The uplink: the operations of a room as plain HTTP.

use fanline_proto::v1::CommandReply;
use fanline_tests::{Backend, HttpAnswer, Hub, RawSocket, Token, answer, get_with, send};
use serde_json::{Value, json};

fn bearer() -> String {
    format!("Bearer {}", Token::user("ada").everything_in(&["chat:*"]).sign())
}

async fn post(hub: &Hub, path: &str, body: &Value) -> HttpAnswer {
    let headers = [("authorization", &*bearer())];
    send(hub.addresses.public, "POST", path, &headers, &body.to_string()).await
}

async fn get(hub: &Hub, path: &str) -> HttpAnswer {
    get_with(hub.addresses.public, path, &[("authorization", &bearer())]).await
}

#[tokio::test]
async fn what_is_published_by_http_arrives_in_rooms_once_and_is_in_history() {
    let hub = Hub::start().await;
    let mut room = hub.room(&Token::user("bob").everything_in(&["chat:*"])).await;
    room.join("chat:a").await;
    let event = json!({"channel": "chat:a", "type": "note", "data": {"n": 1}, "key": "k1"});
    let first = post(&hub, "/v1/publish", &event).await;
    let again = post(&hub, "/v1/publish", &event).await;
    assert_eq!((first.status, again.status), (200, 200), "{first:?}");
    assert_eq!(first.json()["position"], again.json()["position"]);
    let arrived = room.event().await;
    assert_eq!((&arrived["data"], &arrived["user"]), (&json!({"n": 1}), &json!("ada")));
    let history = get(&hub, "/v1/history?channel=chat:a&limit=10").await.json();
    assert_eq!(history["events"].as_array().map(Vec::len), Some(1), "{history}");
    let members = get(&hub, "/v1/presence?channel=chat:a").await.json();
    assert_eq!(members["members"][0]["user"], "bob", "{members}");
}

#[tokio::test]
async fn a_call_is_answered_by_a_backend_or_by_404_that_nobody_does() {
    let hub = Hub::start().await;
    let call = json!({"method": "chat.rename", "data": {"to": "b"}});
    let nobody = post(&hub, "/v1/call", &call).await;
    assert_eq!((nobody.status, &nobody.json()["reason"]), (404, &json!("NO_HANDLER")));
    let mut backend = Backend::serve(&hub.rpc().await, &["chat.*"], 8).await;
    let (reply, ()) = tokio::join!(post(&hub, "/v1/call", &call), async {
        let command = backend.command().await;
        backend.reply(answer(&command, json!({"renamed": true}))).await;
    });
    assert_eq!(
        (reply.status, &reply.json()["data"]),
        (200, &json!({"renamed": true})),
        "{reply:?}"
    );
}

#[tokio::test]
async fn a_call_in_parts_is_its_last_reply_or_all_of_them_to_whoever_asks_for_lines() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["chat.*"], 8).await;
    let call = json!({"method": "chat.count"}).to_string();
    let (address, bearer) = (hub.addresses.public, bearer());

    let headers = [("authorization", &*bearer)];
    let (last, ()) = tokio::join!(send(address, "POST", "/v1/call", &headers, &call), async {
        let command = backend.command().await;
        for number in 1..=3 {
            backend.reply(CommandReply { more: number < 3, ..answer(&command, number) }).await;
        }
    });
    assert_eq!((last.status, last.json()), (200, json!({"data": 3})), "{last:?}");

    let headers = [("authorization", &*bearer), ("accept", "application/x-ndjson")];
    let (lines, ()) = tokio::join!(send(address, "POST", "/v1/call", &headers, &call), async {
        let command = backend.command().await;
        backend.reply(CommandReply { more: true, ..answer(&command, 1) }).await;
        let locked = tonic_types::pb::Status {
            code: tonic::Code::Aborted.into(),
            message: "the room is locked".to_owned(),
            ..Default::default()
        };
        backend.reply(CommandReply { error: Some(locked), ..answer(&command, "") }).await;
    });
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"), "{lines:?}");
    // Between them stand the sizes of chunks.
    let texts = lines.body.lines().filter(|line| line.starts_with('{'));
    let found: Vec<Value> = texts.map(|line| serde_json::from_str(line).expect(line)).collect();
    let [first, problem] = &found[..] else { panic!("{lines:?}") };
    assert_eq!(first, &json!({"data": 1, "more": true}));
    let told = (&problem["status"], &problem["reason"], &problem["detail"]);
    assert_eq!(told, (&json!(409), &json!("ABORTED"), &json!("the room is locked")));
}

#[tokio::test]
async fn bad_requests_get_a_problem_that_names_the_reason() {
    let hub = Hub::start().await;
    let long = json!({"channel": "chat:a", "type": "note", "data": "x".repeat(70 * 1024)});
    let huge = json!({"channel": "chat:a", "type": "note", "data": "x".repeat(200 * 1024)});
    for (body, status, reason) in [
        (json!({"type": "note", "data": 1}), 400, "INVALID_ARGUMENT"),
        (json!(["chat:a", "note", 1, null, true]), 400, "INVALID_ARGUMENT"),
        (json!({"channel": "chat a", "type": "note", "data": 1}), 400, "INVALID_CHANNEL"),
        (json!({"channel": "vault:a", "type": "note", "data": 1}), 403, "PERMISSION_DENIED"),
        (long, 413, "TOO_LARGE"),
        (huge, 413, "TOO_LARGE"),
    ] {
        let answer = post(&hub, "/v1/publish", &body).await;
        assert_eq!(answer.status, status, "{reason}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        assert_eq!(answer.json()["reason"], reason, "{answer:?}");
    }
    let headers = [("authorization", &*bearer())];
    let broken = send(hub.addresses.public, "POST", "/v1/publish", &headers, "{\"channel\":").await;
    assert_eq!((broken.status, &broken.json()["reason"]), (400, &json!("INVALID_ARGUMENT")));
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let hub = Hub::start().await;
    let mut socket = RawSocket::connect(hub.addresses.public).await;
    let bearer = bearer();
    let head = format!(
        "POST /v1/publish HTTP/1.1\r\nhost: fanline\r\nauthorization: {bearer}\r\n\
         content-length: 5000000\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
    );
    socket.send(head.as_bytes()).await;
    let answer = socket.http_answer().await;
    assert_eq!(answer.status, 413, "{}", answer.head);
}

#[tokio::test]
async fn the_openapi_document_names_every_route_with_its_methods() {
    let hub = Hub::start().await;
    let document = get(&hub, "/openapi.json").await.json();
    for (path, method) in [
        ("/v1/poll", "get"),
        ("/v1/publish", "post"),
        ("/v1/call", "post"),
        ("/v1/presence", "get"),
        ("/v1/history", "get"),
        ("/v1/tickets", "post"),
    ] {
        assert!(document["paths"][path][method].is_object(), "{method} {path} in {document}");
        // What is documented is served: it wants a token, and does not say that there is nothing.
        let answer = send(hub.addresses.public, &method.to_uppercase(), path, &[], "").await;
        assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
    }
}
