//! The upgrade: who may open a WebSocket, decided before there is one (RFC 6455, section 4.2).

use crate::connection::Connection;
use crate::io::Io;
use crate::socket::Socket;
use crate::task::ConnectionTask;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::get;
use fanline_core::{Reason, Refusal};
use fanline_edge::http_error::problem;
use fanline_edge::metrics::Transport;
use fanline_edge::{Edge, Subprotocols};
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::upgrade::OnUpgrade;
use std::net::SocketAddr;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The version of RFC 6455.
const VERSION: HeaderValue = HeaderValue::from_static("13");
/// A key is 16 bytes in base64 (RFC 6455, section 4.1).
const KEY_LENGTH: usize = 24;

/// `GET /v1/ws`. Needs the peer's address as [`ConnectInfo`].
pub fn router(edge: Edge) -> Router {
    Router::new().route("/v1/ws", get(upgrade)).with_state(edge)
}

async fn upgrade(
    State(edge): State<Edge>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (mut parts, _no_body) = request.into_parts();
    let accept = match read_key(&parts.headers) {
        Ok(key) => derive_accept_key(key.as_bytes()),
        Err(refusal) => return upgrade_required(&edge, &refusal),
    };
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        let refusal = Refusal::new(
            Reason::InvalidArgument,
            "this HTTP connection cannot be upgraded; use HTTP/1.1",
        );
        return upgrade_required(&edge, &refusal);
    };
    let subprotocols = match Subprotocols::offered(&parts.headers) {
        Ok(subprotocols) => subprotocols,
        Err(refusal) => {
            edge.metrics.refused(refusal.reason());
            return problem(&refusal).map(Body::from);
        }
    };
    let entrance = match edge.enter(peer.ip(), &parts, &subprotocols).await {
        Ok(entrance) => entrance,
        Err(refusal) => return problem(&refusal).map(Body::from),
    };

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(
        SEC_WEBSOCKET_ACCEPT,
        HeaderValue::try_from(accept).expect("base64 is a header value"),
    );
    if let Some(protocol) = subprotocols.answer() {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }

    let counted = edge.metrics.connected(Transport::WebSocket);
    let tasks = edge.tasks.clone();
    tasks.clone().spawn(async move {
        // The client may be gone before the upgrade is done.
        let Ok(upgraded) = upgrade.await else { return };
        let (io, read_already) = Io::from_upgraded(upgraded);
        let limits = edge.hub.limits();
        let socket = Socket::new(io, read_already, limits.frame_bytes, limits.writer_bytes);
        let task = ConnectionTask::new(edge.metrics.clone(), |express| {
            Connection::new(edge, entrance, counted, socket, express)
        });
        // A task of its own, so that nothing of the handshake is carried along for as long as the connection lives.
        tasks.spawn(task);
    });
    response
}

/// The key of a request that asks for a WebSocket.
fn read_key(headers: &HeaderMap) -> Result<&HeaderValue, Refusal> {
    let refuse = |message: &'static str| Err(Refusal::new(Reason::InvalidArgument, message));
    if !lists(headers, &CONNECTION, "upgrade") || !lists(headers, &UPGRADE, "websocket") {
        return refuse("here is a WebSocket; ask for an upgrade");
    }
    if headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        return refuse("the WebSocket version is 13");
    }
    match headers.get(SEC_WEBSOCKET_KEY) {
        Some(key) if key.len() == KEY_LENGTH => Ok(key),
        Some(_) | None => refuse("Sec-WebSocket-Key is missing or not 16 bytes in base64"),
    }
}

/// Whether a header lists a word, whatever its case.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// 426 says what is spoken here (RFC 9110, section 15.5.22).
fn upgrade_required(edge: &Edge, refusal: &Refusal) -> Response {
    edge.metrics.refused(refusal.reason());
    let mut response = problem(refusal).map(Body::from);
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, VERSION);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_request_is_for_a_websocket_only_with_all_that_the_rfc_asks() {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        assert!(read_key(&headers(&good)).is_ok());
        for missing in 0..good.len() {
            let mut rest = good.to_vec();
            rest.remove(missing);
            assert!(read_key(&headers(&rest)).is_err(), "without {}", good[missing].0);
        }
        let mut wrong = good;
        wrong[2].1 = "8";
        assert!(read_key(&headers(&wrong)).is_err());
    }
}
