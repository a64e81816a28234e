//! A token that is not good opens nothing, wherever it stands.

use fanline_tests::{
    Http2, Hub, Issuer, IssuerKey, Publication, Signer, Token, free_address, send,
};
use serde_json::json;

#[tokio::test]
async fn a_bad_token_is_refused_before_the_upgrade_wherever_it_stands() {
    let Scene { hub, bad_tokens, issuer: _issuer } = Scene::start().await;
    let http2 = Http2::connect(hub.addresses.public).await;
    for (flaw, token) in bad_tokens {
        for over_http2 in [false, true] {
            let upgrade = || if over_http2 { hub.upgrade().on(&http2) } else { hub.upgrade() };
            let header = upgrade().bearer(&token).refused().await;
            assert!(header.is_invalid_token(), "{flaw}, as header: {header:?}");

            let subprotocol = upgrade().subprotocol(&token).refused().await;
            assert!(subprotocol.is_invalid_token(), "{flaw}, as subprotocol: {subprotocol:?}");

            let page = upgrade().origin("https://app.example.com");
            let cookie = page.cookie(&token).refused().await;
            assert!(cookie.is_invalid_token(), "{flaw}, as cookie: {cookie:?}");
        }
    }
}

#[tokio::test]
async fn a_bad_token_in_the_first_frame_closes_with_4401_and_nothing_is_handled() {
    let Scene { hub, bad_tokens, issuer: _issuer } = Scene::start().await;
    let mut witness = hub.room(&token()).await;
    witness.join("chat:lobby").await;
    for (flaw, token) in bad_tokens {
        let mut intruder = hub.upgrade().open_unauthenticated().await;
        let auth = json!({"op": "auth", "id": 1, "token": token});
        intruder.send_text(&auth.to_string()).await;
        // Sent without waiting for the verdict, as an attacker would.
        let publish = json!({"op": "publish", "id": 2, "channel": "chat:lobby", "data": flaw});
        intruder.send_text(&publish.to_string()).await;
        assert_eq!(intruder.close_code().await, 4401, "{flaw}");
        let told: Vec<_> = intruder.unread().collect();
        assert!(told.iter().all(|frame| frame["op"] == "error"), "{flaw}: {told:?}");
    }
    hub.publish(Publication::to("chat:lobby", "marker")).await;
    assert_eq!(witness.event().await["data"], "marker");
}

#[tokio::test]
async fn a_bad_token_gets_no_byte_of_an_event_over_http() {
    let Scene { hub, bad_tokens, issuer: _issuer } = Scene::start().await;
    hub.publish(Publication::to("chat:lobby", "secret")).await;
    let mut witness = hub.room(&token()).await;
    witness.join("chat:lobby").await;
    let event = json!({"channel": "chat:lobby", "type": "note", "data": "forged"}).to_string();
    let call = json!({"method": "chat.rename", "data": 1}).to_string();
    for (flaw, token) in bad_tokens {
        let bearer = format!("Bearer {token}");
        for (method, path, body) in [
            ("GET", "/v1/sse?channel=chat:lobby&since=earliest", ""),
            ("GET", "/v1/poll?channel=chat:lobby&since=earliest", ""),
            ("GET", "/v1/history?channel=chat:lobby", ""),
            ("GET", "/v1/presence?channel=chat:lobby", ""),
            ("POST", "/v1/publish", &*event),
            ("POST", "/v1/call", &*call),
            ("POST", "/v1/tickets", ""),
        ] {
            let headers = [("authorization", &*bearer)];
            let answer = send(hub.addresses.public, method, path, &headers, body).await;
            assert_eq!(answer.status, 401, "{flaw}, {path}: {answer:?}");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.is_some_and(|text| text.contains("invalid_token")), "{answer:?}");
            assert!(!answer.body.contains("secret"), "{flaw}, {path}: {answer:?}");
        }
    }
    hub.publish(Publication::to("chat:lobby", "marker")).await;
    assert_eq!(witness.event().await["data"], "marker");
}

#[tokio::test]
async fn a_refused_handshake_counts_as_refused_and_not_as_a_connection() {
    let hub = Hub::start().await;
    let before = hub.metrics().await;
    hub.upgrade().bearer(&token().signed_by(Signer::Stranger).sign()).refused().await;
    let after = hub.metrics().await;
    let grew = |name: &str| after.sum(name, "") - before.sum(name, "");
    assert_eq!(grew("fanline_refusals_total"), 1.0);
    assert_eq!(grew("fanline_connections_opened_total"), 0.0);
    for handled in
        ["fanline_joins_total", "fanline_events_published_total", "fanline_deliveries_total"]
    {
        assert_eq!(grew(handled), 0.0, "{handled}");
    }
}

#[tokio::test]
async fn good_tokens_of_both_algorithms_work() {
    let hub = Hub::start().await;
    for signer in [Signer::Hs256, Signer::Rs256] {
        let mut room = hub.room(&token().signed_by(signer)).await;
        room.join("chat:lobby").await;
        room.publish("chat:lobby", json!("hello")).await;
        assert_eq!(room.event().await["data"], "hello", "{signer:?}");
    }
}

#[tokio::test]
async fn leeway_forgives_a_clock_that_is_a_little_off() {
    let hub = Hub::builder().set("tokens.leeway", "30s").start().await;
    hub.room(&token().valid_in(10)).await;
    let hub = Hub::builder().set("tokens.leeway", "0s").start().await;
    let refusal = hub.upgrade().bearer(&token().valid_in(10).sign()).refused().await;
    assert!(refusal.is_invalid_token(), "{refusal:?}");
}

fn token() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}

/// A hub with keys of its own and those of an issuer, and tokens of neither.
struct Scene {
    hub: Hub,
    issuer: Issuer,
    /// Every way to be bad, with a name for it.
    bad_tokens: Vec<(&'static str, String)>,
}

impl Scene {
    async fn start() -> Self {
        let issuer = Issuer::start_at(free_address(), None).await;
        let (good, bad) = published(&issuer);
        // More requests than an address may otherwise make with tokens that the hub does not know.
        let hub = Hub::builder()
            .for_a_crowd()
            .set("tokens.jwks.url", issuer.url())
            .set("tokens.jwks.algorithms", vec![toml::Value::from("EdDSA")])
            .start()
            .await;
        // It waits for the keys: from here on they are known.
        hub.upgrade().bearer(&good).open().await;
        let bad_tokens = bad_tokens().into_iter().chain(bad).collect();
        Self { hub, issuer, bad_tokens }
    }
}

/// Publishes a good key among bad ones: a good token, and tokens that count on a mistake.
fn published(issuer: &Issuer) -> (String, Vec<(&'static str, String)>) {
    let good = IssuerKey::ed25519("published");
    let (secret, exposed) = (IssuerKey::secret("secret"), IssuerKey::ed25519("exposed"));
    let (sealing, unlisted) = (IssuerKey::ed25519("sealing"), IssuerKey::p256("unlisted"));
    let same_name = IssuerKey::ed25519("rsa");
    let with = |key: &IssuerKey, member: &str, value: &str| {
        let mut jwk = key.jwk();
        jwk[member] = json!(value);
        jwk
    };
    issuer.publish_jwks(vec![
        good.jwk(),
        secret.jwk(),
        with(&exposed, "d", "AAAA"),
        with(&sealing, "use", "enc"),
        unlisted.jwk(),
        same_name.jwk(),
    ]);
    let stranger = IssuerKey::ed25519("published");
    let unknown = IssuerKey::ed25519("unknown");
    let enclosed = unknown.sign_with_key_enclosed(&token(), "https://evil.test/jwks.json");
    let bad = vec![
        ("a stranger under the name of a published key", stranger.sign(&token())),
        ("a key that was never published", unknown.sign(&token())),
        ("a key that comes with the token", enclosed),
        ("a published key as secret", good.confused().sign(&token())),
        ("a secret that was published", secret.sign(&token())),
        ("a key whose private half was published", exposed.sign(&token())),
        ("a published key for encryption", sealing.sign(&token())),
        ("a published key of another algorithm", unlisted.sign(&token())),
        ("a published key under the name of a configured one", same_name.sign(&token())),
        ("a published key, expired", good.sign(&token().expires_in(-60))),
        ("a published key, wrong issuer", good.sign(&token().claim("iss", "https://other.test"))),
        ("a published key, wrong audience", good.sign(&token().claim("aud", "another-hub"))),
    ];
    (good.sign(&token()), bad)
}

/// Tokens that are bad wherever keys come from.
fn bad_tokens() -> Vec<(&'static str, String)> {
    let day = 24 * 3600;
    let tokens = [
        ("forged signature", token().signed_by(Signer::Stranger)),
        ("unknown key", token().signed_by(Signer::UnknownKey)),
        ("alg none", token().signed_by(Signer::Nobody)),
        ("public key as secret", token().signed_by(Signer::KeyConfusion)),
        ("expired", token().expires_in(-60)),
        ("not yet valid", token().valid_in(60)),
        ("wrong audience", token().claim("aud", "another-hub")),
        ("no audience", token().without("aud")),
        ("wrong issuer", token().claim("iss", "https://elsewhere.test")),
        ("no issuer", token().without("iss")),
        ("no expiry", token().without("exp")),
        ("expiry that is no number", token().claim("exp", "tomorrow")),
        ("lives too long", token().expires_in(2 * day)),
    ];
    let mut bad: Vec<_> = tokens.into_iter().map(|(flaw, token)| (flaw, token.sign())).collect();
    bad.push(("claims changed after signing", tampered()));
    bad.push(("no token at all", "not-a-token".to_owned()));
    bad
}

/// A good signature under the claims of another user.
fn tampered() -> String {
    let good = token().sign();
    let other = Token::user("root").everything_in(&["*"]).sign();
    let part = |token: &str, index| {
        let mut parts = token.split('.').map(str::to_owned);
        parts.nth(index).expect("a token has three parts")
    };
    format!("{}.{}.{}", part(&good, 0), part(&other, 1), part(&good, 2))
}
