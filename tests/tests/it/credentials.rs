//! Where a token may stand, and which pages may open a connection.

use fanline_tests::{Hub, Token};
use http::header;

const OUR_PAGE: &str = "https://app.example.com";
const FOREIGN_PAGE: &str = "https://evil.example.net";

#[tokio::test]
async fn a_token_works_as_header_subprotocol_and_cookie() {
    let hub = Hub::start().await;
    let token = Token::user("ada").sign();
    for (place, upgrade) in [
        ("header", hub.upgrade().bearer(&token)),
        ("subprotocol", hub.upgrade().subprotocol(&token)),
        ("cookie", hub.upgrade().origin(OUR_PAGE).cookie(&token)),
    ] {
        let room = upgrade.open().await;
        assert_eq!(room.welcome["user"], "ada", "{place}: {}", room.welcome);
    }
}

#[tokio::test]
async fn a_cookie_counts_only_with_an_allowed_origin() {
    let hub = Hub::start().await;
    let token = Token::user("ada").sign();
    // Any page can make a browser send a cookie, so without an Origin it is not even looked at: the connection is one that
    // has yet to authenticate.
    let mut room = hub.upgrade().cookie(&token).open_unauthenticated().await;
    room.send_text(r#"{"op":"ping","id":1}"#).await;
    assert_eq!(room.close_code().await, 4401);
}

#[tokio::test]
async fn a_foreign_page_is_refused_whatever_its_token() {
    let hub = Hub::start().await;
    let token = Token::user("ada").sign();
    for (place, upgrade) in [
        ("header", hub.upgrade().bearer(&token)),
        ("subprotocol", hub.upgrade().subprotocol(&token)),
        ("cookie", hub.upgrade().cookie(&token)),
        ("nowhere", hub.upgrade()),
    ] {
        let refusal = upgrade.origin(FOREIGN_PAGE).refused().await;
        assert_eq!(refusal.status, 403, "{place}: {refusal:?}");
    }
}

#[tokio::test]
async fn an_origin_that_only_looks_allowed_is_foreign() {
    let hub = Hub::start().await;
    let token = Token::user("ada").sign();
    for origin in [
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example.net",
        "https://evil-app.example.com",
        "null",
    ] {
        let refusal = hub.upgrade().bearer(&token).origin(origin).refused().await;
        assert_eq!(refusal.status, 403, "{origin}: {refusal:?}");
    }
}

#[tokio::test]
async fn two_different_credentials_are_a_mistake() {
    let hub = Hub::start().await;
    let ada = Token::user("ada").sign();
    let bob = Token::user("bob").sign();
    let refusal = hub.upgrade().bearer(&ada).subprotocol(&bob).refused().await;
    assert_eq!(refusal.status, 400, "{refusal:?}");
    let page = hub.upgrade().origin(OUR_PAGE);
    let refusal = page.bearer(&ada).cookie(&bob).refused().await;
    assert_eq!(refusal.status, 400, "{refusal:?}");
}

#[tokio::test]
async fn the_same_credential_twice_is_one() {
    let hub = Hub::start().await;
    let token = Token::user("ada").sign();
    let room = hub.upgrade().bearer(&token).subprotocol(&token).open().await;
    assert_eq!(room.welcome["user"], "ada");
}

#[tokio::test]
async fn a_token_in_the_address_counts_only_where_configured() {
    let token = Token::user("ada").sign();
    let hub = Hub::start().await;
    // Not looked at: the connection is one that has yet to authenticate.
    let mut room = hub.upgrade().query(&token).open_unauthenticated().await;
    room.send_text(r#"{"op":"ping","id":1}"#).await;
    assert_eq!(room.close_code().await, 4401);

    let hub = Hub::builder().set("public.query_token", true).start().await;
    let room = hub.upgrade().query(&token).open().await;
    assert_eq!(room.welcome["user"], "ada");
}

#[tokio::test]
async fn a_scheme_other_than_bearer_is_no_token() {
    let hub = Hub::start().await;
    let upgrade = hub.upgrade().header(header::AUTHORIZATION, "Basic YWRhOnNlY3JldA==");
    let refusal = upgrade.refused().await;
    assert_eq!(refusal.status, 401, "{refusal:?}");
}
