//! Keys that an issuer publishes: fetched, changed and missed, while clients come and go.

use fanline_tests::{
    Authority, HttpAnswer, Hub, HubBuilder, Issuer, IssuerKey, Publication, Token, free_address,
    get, get_with, reason, until,
};
use serde_json::{Value, json};

#[tokio::test]
async fn keys_of_each_kind_let_clients_in_beside_configured_ones() {
    let issuer = Issuer::start().await;
    let keys = [IssuerKey::rsa("r"), IssuerKey::p256("e"), IssuerKey::ed25519("d")];
    issuer.publish(&keys.each_ref());
    let hub = trusting(&issuer).start().await;
    until_ready(&hub).await;
    for key in &keys {
        let mut room = hub.upgrade().bearer(&key.sign(&token())).open().await;
        room.join("chat:lobby").await;
        room.publish("chat:lobby", json!("hello")).await;
        assert_eq!(room.event().await["data"], "hello", "{key:?}");
    }
    hub.room(&token()).await;
    assert_eq!(issuer.fetches(), 1, "nobody else has asked");
    assert_eq!(hub.metrics().await.sum("fanline_jwks_keys", ""), 3.0);
    assert!(hub.metrics().await.sum("fanline_jwks_fetched_timestamp_seconds", "") > 1.7e9);
}

#[tokio::test]
async fn a_new_key_works_at_once_and_one_that_has_left_the_set_does_not() {
    let issuer = Issuer::start().await;
    let (old, new) = (IssuerKey::ed25519("old"), IssuerKey::p256("new"));
    issuer.publish(&[&old]);
    let hub = trusting(&issuer).start().await;
    until_ready(&hub).await;
    let mut room = hub.upgrade().bearer(&old.sign(&token())).open().await;
    room.join("chat:lobby").await;
    let by_old = old.sign(&token());
    assert_eq!(history(&hub, &by_old).await.status, 200);

    issuer.publish(&[&new]);
    hub.upgrade().bearer(&new.sign(&token())).open().await;
    assert_eq!(issuer.fetches(), 2);
    // Also where the token was verified before, and is remembered.
    assert_eq!(history(&hub, &by_old).await.status, 401);
    let refusal = hub.upgrade().bearer(&by_old).refused().await;
    assert!(refusal.is_invalid_token(), "{refusal:?}");
    hub.publish(Publication::to("chat:lobby", "still here")).await;
    assert_eq!(room.event().await["data"], "still here", "who was let in stays");
}

#[tokio::test]
async fn made_up_keys_make_the_hub_ask_once() {
    let issuer = Issuer::start().await;
    let key = IssuerKey::ed25519("k");
    issuer.publish(&[&key]);
    let hub = trusting(&issuer).for_a_crowd().start().await;
    until_ready(&hub).await;
    let forged = |number: usize| IssuerKey::ed25519(&format!("made-up-{number}")).sign(&token());
    let (first, second, third) = tokio::join!(
        hub.upgrade().bearer(&forged(0)).refused(),
        hub.upgrade().bearer(&forged(1)).refused(),
        hub.upgrade().bearer(&forged(2)).refused(),
    );
    assert!([first, second, third].iter().all(|refusal| refusal.is_invalid_token()));
    for number in 3..30 {
        assert!(hub.upgrade().bearer(&forged(number)).refused().await.is_invalid_token());
    }
    assert_eq!(issuer.fetches(), 2, "the first, and one for all of them");
    let metrics = hub.metrics().await;
    let asked = |labels| metrics.sum("fanline_jwks_early_fetches_total", labels);
    assert_eq!(asked("outcome=\"begun\""), 1.0);
    assert!(asked("outcome=\"too_soon\"") >= 27.0, "{}", metrics.text());
    hub.upgrade().bearer(&key.sign(&token())).open().await;
}

#[tokio::test]
async fn a_fetch_that_brings_no_keys_changes_nothing_and_is_told() {
    let issuer = Issuer::start().await;
    let key = IssuerKey::ed25519("k");
    issuer.publish(&[&key]);
    let hub = trusting(&issuer).set("tokens.jwks.refresh", "1s").start().await;
    until_ready(&hub).await;
    let secret =
        json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ"});
    let too_large = format!(r#"{{"keys":[],"more":"{}"}}"#, "x".repeat(300 * 1024));
    let faults: [(&str, &str, &dyn Fn()); 8] = [
        ("an error", "answers 503", &|| issuer.answer(503, "")),
        ("an error with keys", "answers 404", &|| {
            issuer.answer(404, json!({"keys": [key.jwk()]}).to_string())
        }),
        ("a redirect", "final address", &|| issuer.redirect()),
        ("another page", "no key set", &|| issuer.answer(200, "<html>hello</html>")),
        ("too many bytes", "more than", &|| issuer.answer(200, too_large.clone())),
        ("no keys", "no keys", &|| issuer.publish(&[])),
        ("a secret", "it is a secret", &|| issuer.publish_jwks(vec![secret.clone()])),
        ("another algorithm", "accepted algorithms", &|| {
            issuer.publish_jwks(vec![with(key.jwk(), "alg", "ES384")]);
        }),
    ];
    for (fault, told, begin) in faults {
        begin();
        until(fault, async || hub.process.output().contains(told)).await;
        assert_eq!(hub.metrics().await.sum("fanline_jwks_keys", ""), 1.0, "{fault}");
        hub.upgrade().bearer(&key.sign(&token())).open().await;
        assert_eq!(get(hub.addresses.ops, "/readyz").await.status, 200, "{fault}");
    }
    let log = hub.process.output();
    assert!(log.contains(&issuer.url()) && log.contains("those of before go on counting"), "{log}");
    let metrics = hub.metrics().await;
    let fetches =
        |outcome| metrics.sum("fanline_jwks_fetches_total", &format!("outcome=\"{outcome}\""));
    for outcome in ["unreachable", "unusable"] {
        assert!(fetches(outcome) >= 1.0, "{outcome}");
    }
}

#[tokio::test]
async fn a_hub_starts_without_its_issuer_and_is_ready_once_it_has_keys() {
    let address = free_address();
    let key = IssuerKey::ed25519("k");
    let hub = trusting_url(&format!("http://{address}/jwks.json")).start().await;
    let ready = get(hub.addresses.ops, "/readyz").await;
    assert!(ready.status == 503 && ready.body.contains("[tokens.jwks]"), "{ready:?}");
    hub.room(&token()).await;
    let refused = history(&hub, &key.sign(&token())).await;
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(refused.json()["reason"], "UNAUTHENTICATED");

    let issuer = Issuer::start_at(address, None).await;
    issuer.publish(&[&key]);
    until_ready(&hub).await;
    hub.upgrade().bearer(&key.sign(&token())).open().await;
}

#[tokio::test]
async fn sighup_goes_to_another_issuer_and_forgets_the_keys_of_the_first() {
    let (first, second) = (Issuer::start().await, Issuer::start().await);
    let (old, new) = (IssuerKey::ed25519("k1"), IssuerKey::ed25519("k2"));
    first.publish(&[&old]);
    second.publish(&[&new]);
    let hub = trusting(&first).start().await;
    until_ready(&hub).await;
    let by_old = old.sign(&token());
    hub.upgrade().bearer(&by_old).open().await;
    assert_eq!(history(&hub, &by_old).await.status, 200);

    hub.write("fanline.toml", &trusting(&second).text());
    hub.process.signal("HUP");
    until("the other issuer is asked", async || second.fetches() > 0).await;
    hub.upgrade().bearer(&new.sign(&token())).open().await;
    assert_eq!(history(&hub, &by_old).await.status, 401);
    // Without a change it is asked again all the same: somebody wants it fresh.
    hub.process.signal("HUP");
    until("it is asked again", async || second.fetches() > 1).await;
    hub.upgrade().bearer(&new.sign(&token())).open().await;

    hub.write("fanline.toml", &Hub::builder().text());
    hub.process.signal("HUP");
    let is_refused = async || history(&hub, &new.sign(&token())).await.status == 401;
    until("no issuer is trusted", is_refused).await;
    assert_eq!(get(hub.addresses.ops, "/readyz").await.status, 200);
}

#[tokio::test]
async fn an_issuer_behind_tls_is_known_by_its_authority() {
    let (authority, other) = (Authority::new(), Authority::new());
    let issuer = Issuer::start_at(free_address(), Some(authority.web_server())).await;
    let key = IssuerKey::p256("k");
    issuer.publish(&[&key]);
    let url = format!("https://localhost:{}/jwks.json", issuer.address.port());
    let with_ca = |ca: &Authority| trusting_url(&url).set("tokens.jwks.ca", ca.reference("ca.pem"));
    let hub = with_ca(&authority).start().await;
    until_ready(&hub).await;
    hub.upgrade().bearer(&key.sign(&token())).open().await;

    let hub = with_ca(&other).start().await;
    until("the handshake fails", async || hub.process.output().contains("TLS handshake")).await;
    assert_eq!(issuer.fetches(), 1);
    assert_eq!(get(hub.addresses.ops, "/readyz").await.status, 503);
}

#[tokio::test]
async fn keys_for_services_are_for_grpc_and_keys_for_clients_are_not() {
    let issuer = Issuer::start().await;
    let key = IssuerKey::ed25519("k");
    let service = Token::service(&["publish"], &["chat:*"]);
    let hub = trusting(&issuer).set("tokens.jwks.use", "service").start().await;
    // If the hub has asked before, it asks again for the sake of the token.
    issuer.publish(&[&key]);
    let rpc = hub.rpc_with(&key.sign(&service)).await;
    rpc.publish(Publication::to("chat:lobby", 1)).await;
    let refusal = hub.upgrade().bearer(&key.sign(&token())).refused().await;
    assert!(refusal.is_invalid_token(), "{refusal:?}");

    let hub = trusting(&issuer).start().await;
    until_ready(&hub).await;
    let rpc = hub.rpc_with(&key.sign(&service)).await;
    let refused = rpc.try_publish(Publication::to("chat:lobby", 1)).await;
    assert_eq!(reason(&refused.expect_err("a client's key")), "PERMISSION_DENIED");
}

/// A hub that takes the keys of an issuer for three algorithms, beside those of its own.
fn trusting(issuer: &Issuer) -> HubBuilder {
    trusting_url(&issuer.url())
}

fn trusting_url(url: &str) -> HubBuilder {
    let algorithms = ["RS256", "ES256", "EdDSA"].map(toml::Value::from).to_vec();
    Hub::builder().set("tokens.jwks.url", url).set("tokens.jwks.algorithms", algorithms)
}

async fn until_ready(hub: &Hub) {
    until("the hub is ready", async || get(hub.addresses.ops, "/readyz").await.status == 200).await;
}

async fn history(hub: &Hub, token: &str) -> HttpAnswer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer)];
    get_with(hub.addresses.public, "/v1/history?channel=chat:lobby", &headers).await
}

fn with(mut jwk: Value, member: &str, value: &str) -> Value {
    jwk[member] = json!(value);
    jwk
}

fn token() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}
