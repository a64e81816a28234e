//! A ticket lets one request in on every transport, whichever node it comes to.

use fanline_tests::{EventStream, HttpAnswer, Hub, Publication, RedisServer, Token, send};
use serde_json::json;

fn token() -> String {
    Token::user("ada").everything_in(&["news:*"]).sign()
}

async fn ask(hub: &Hub, method: &str, path: &str, bearer: Option<&str>) -> HttpAnswer {
    let bearer = bearer.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", &**bearer)).collect();
    send(hub.addresses.public, method, path, &headers, "").await
}

async fn ticket(hub: &Hub) -> String {
    let answer = ask(hub, "POST", "/v1/tickets", Some(&token())).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let body = answer.json();
    assert_eq!(body["expires_in"], 30, "{body}");
    body["ticket"].as_str().expect("a ticket").to_owned()
}

#[tokio::test]
async fn a_ticket_lets_one_request_in_on_every_transport() {
    let hub = Hub::start().await;
    hub.publish(Publication::to("news:a", "hello")).await;

    let once = ticket(&hub).await;
    let room = hub.upgrade().ticket(&once).open().await;
    assert_eq!(room.welcome["user"], "ada");
    assert!(hub.upgrade().ticket(&once).refused().await.is_invalid_token());

    let stream = format!("/v1/sse?channel=news:a&since=earliest&ticket={}", ticket(&hub).await);
    let mut open = EventStream::open(hub.addresses.public, &stream, &[]).await;
    open.named("fanline.open").await;
    assert_eq!(open.named("").await.json()["data"], "hello");
    assert_eq!(ask(&hub, "GET", &stream, None).await.status, 401);

    for path in ["/v1/poll?channel=news:a&since=earliest", "/v1/history?channel=news:a"] {
        let path = format!("{path}&ticket={}", ticket(&hub).await);
        let answer = ask(&hub, "GET", &path, None).await;
        assert_eq!(answer.json()["events"][0]["data"], "hello", "{path}: {answer:?}");
        let again = ask(&hub, "GET", &path, None).await;
        assert_eq!((again.status, &again.json()["reason"]), (401, &json!("UNAUTHENTICATED")));
        assert!(!again.body.contains("hello"), "{again:?}");
    }
}

#[tokio::test]
async fn a_ticket_of_one_node_is_used_on_another_and_then_nowhere() {
    let redis = RedisServer::start().await;
    let [near, far] = Hub::nodes(&redis).await;
    let once = ticket(&near).await;
    let path = format!("/v1/poll?channel=news:a&ticket={once}");
    assert_eq!(ask(&far, "GET", &path, None).await.status, 200);
    for node in [&near, &far] {
        assert_eq!(ask(node, "GET", &path, None).await.status, 401);
        assert!(node.upgrade().ticket(&once).refused().await.is_invalid_token());
    }

    let path = format!("/v1/poll?channel=news:a&ticket={}", ticket(&near).await);
    let (here, there) = tokio::join!(ask(&near, "GET", &path, None), ask(&far, "GET", &path, None));
    let mut statuses = [here.status, there.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "of two at once, one gets in");
}

#[tokio::test]
async fn a_ticket_is_given_to_a_token_only_and_stands_alone() {
    let hub = Hub::start().await;
    assert_eq!(ask(&hub, "POST", "/v1/tickets", None).await.status, 401);
    let once = ticket(&hub).await;
    let by_ticket = format!("/v1/tickets?ticket={once}");
    assert_eq!(ask(&hub, "POST", &by_ticket, None).await.status, 403);
    let poll = format!("/v1/poll?channel=news:a&ticket={once}");
    assert_eq!(ask(&hub, "GET", &poll, Some(&token())).await.status, 400);
    assert_eq!(ask(&hub, "GET", &poll, None).await.status, 200, "none of that used it up");
}

#[tokio::test]
async fn neither_token_nor_ticket_comes_into_the_log() {
    let hub = Hub::builder().set("telemetry.log", "trace").start().await;
    let once = ticket(&hub).await;
    hub.upgrade().ticket(&once).open().await;
    hub.upgrade().ticket(&once).refused().await;
    ask(&hub, "GET", &format!("/v1/poll?channel=news:a&ticket={}", ticket(&hub).await), None).await;
    let log = hub.process.output();
    assert!(log.contains("DEBUG"), "it says more than by default: {log}");
    for secret in [&*once, &*token(), "ticket="] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
