//! The console page of `fanline dev`: token, room, publish, watch, over each transport.
//!
//! Plain files in `server/console/`, part of the binary, with a bundle of `clients/js` among them that `cargo xtask gen`
//! makes, so that the binary builds without Node. Served in `dev` only, because it hands out a token.

use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, State};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

/// Only its own files, and connections to where it came from.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// Where the page gets the token.
pub(crate) const TOKEN_PATH: &str = "/console/token.json";

/// The routes of the page. `token` is what it starts with.
pub(crate) fn router(token: String) -> Router {
    Router::new()
        .route("/", get(file("text/html; charset=utf-8", include_str!("../console/index.html"))))
        .route(
            "/console.js",
            get(file("text/javascript; charset=utf-8", include_str!("../console/console.js"))),
        )
        .route(
            "/fanline.js",
            get(file("text/javascript; charset=utf-8", include_str!("../console/fanline.js"))),
        )
        .route(
            "/console.css",
            get(file("text/css; charset=utf-8", include_str!("../console/console.css"))),
        )
        .route("/console.svg", get(file("image/svg+xml", include_str!("../console/console.svg"))))
        .route(TOKEN_PATH, get(give_token).with_state(token))
        .layer(map_response(hardened))
}

fn file(content_type: &'static str, text: &'static str) -> impl Fn() -> Ready<Response> + Clone {
    move || ready(([(CONTENT_TYPE, content_type)], text).into_response())
}

/// The token is for whoever sits at this machine, also when `dev` listens on all addresses; and for a page that was asked
/// for under this machine's name, because any web site can point a name of its own at 127.0.0.1.
async fn give_token(
    State(token): State<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let named =
        headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(names_this_machine);
    if !peer.ip().to_canonical().is_loopback() || !named {
        return (StatusCode::FORBIDDEN, "the token is given on this machine only").into_response();
    }
    Json(json!({ "token": token })).into_response()
}

fn names_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_matches(['[', ']']);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn hardened(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt;

    async fn ask(path: &str, peer: &str, host: &str) -> Response {
        let peer: SocketAddr = peer.parse().unwrap();
        let request = Request::get(path)
            .header(HOST, host)
            .extension(ConnectInfo(peer))
            .body(Body::empty())
            .unwrap();
        router("t0ken".to_owned()).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn every_file_comes_with_the_policy() {
        for path in [
            "/",
            "/console.js",
            "/fanline.js",
            "/console.css",
            "/console.svg",
            "/console/token.json",
        ] {
            let answer = ask(path, "127.0.0.1:1", "localhost:8080").await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert!(
                answer.headers()[CONTENT_SECURITY_POLICY]
                    .to_str()
                    .unwrap()
                    .starts_with("default-src 'none'")
            );
            assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
    }

    #[tokio::test]
    async fn the_token_is_given_on_this_machine_and_under_its_name_only() {
        for (peer, host, status) in [
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:8080", StatusCode::OK),
            ("[::1]:1", "[::1]:8080", StatusCode::OK),
            ("192.0.2.1:1", "localhost", StatusCode::FORBIDDEN),
            ("127.0.0.1:1", "rebound.example:8080", StatusCode::FORBIDDEN),
        ] {
            assert_eq!(
                ask("/console/token.json", peer, host).await.status(),
                status,
                "{peer} {host}"
            );
        }
    }
}
