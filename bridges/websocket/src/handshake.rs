//! The handshake: who may open a WebSocket, decided before there is one.
//!
//! A request asks for one over HTTP/1.1 with an upgrade (RFC 6455, section 4.2), over HTTP/2 with an extended `CONNECT`
//! (RFC 8441), whose stream then is the WebSocket. Everything else about them is the same.

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
use fanline_edge::http_error::{method_not_allowed, problem, problem_as};
use fanline_edge::metrics::Transport;
use fanline_edge::{Edge, Subprotocols};
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use std::net::SocketAddr;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The version of RFC 6455.
const VERSION: HeaderValue = HeaderValue::from_static("13");
/// A key is 16 bytes in base64 (RFC 6455, section 4.1).
const KEY_LENGTH: usize = 24;

/// `GET` and, over HTTP/2, `CONNECT /v1/ws`. Needs the peer's address as [`ConnectInfo`].
pub fn router(edge: Edge) -> Router {
    Router::new()
        .route("/v1/ws", get(upgrade).connect(upgrade))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(edge)
}

/// How a request asks for a WebSocket.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Asked {
    /// By an upgrade of its connection, with a key that the answer has to show to have been read.
    Upgrade { accept: String },
    /// By an extended `CONNECT`, which nobody takes for something else: there is no key.
    Connect,
}

/// Why a request asks for none.
#[derive(Debug)]
enum Unasked {
    /// It asks for something else, or for another version: it is told what there is.
    OtherProtocol(Refusal),
    /// It asks, but not as it must (RFC 6455, section 4.2.2).
    Malformed(Refusal),
}

async fn upgrade(
    State(edge): State<Edge>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (mut parts, _no_body) = request.into_parts();
    let asked = match Asked::of(&parts) {
        Ok(asked) => asked,
        Err(Unasked::OtherProtocol(refusal)) => {
            return upgrade_required(&edge, &refusal, parts.version);
        }
        Err(Unasked::Malformed(refusal)) => {
            edge.metrics.refused(refusal.reason());
            return problem(&refusal).map(Body::from);
        }
    };
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        let refusal = invalid(
            "this HTTP connection cannot be upgraded; use HTTP/1.1, or CONNECT over HTTP/2",
        );
        return upgrade_required(&edge, &refusal, parts.version);
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

    let response = asked.answer(subprotocols.answer());
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

impl Asked {
    /// # Errors
    /// The request asks for something else, or not as it must.
    fn of(request: &Parts) -> Result<Self, Unasked> {
        let Parts { method, headers, extensions, .. } = request;
        let connects = method == Method::CONNECT;
        let names_websocket = if connects {
            extensions.get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket")
        } else {
            lists(headers, &CONNECTION, "upgrade") && lists(headers, &UPGRADE, "websocket")
        };
        if !names_websocket {
            let message = "here is a WebSocket; ask for an upgrade";
            return Err(Unasked::OtherProtocol(invalid(message)));
        }
        if headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
            return Err(Unasked::OtherProtocol(invalid("the WebSocket version is 13")));
        }
        match headers.get(SEC_WEBSOCKET_KEY) {
            _ if connects => Ok(Asked::Connect),
            Some(key) if key.len() == KEY_LENGTH => {
                Ok(Asked::Upgrade { accept: derive_accept_key(key.as_bytes()) })
            }
            Some(_) | None => {
                let message = "Sec-WebSocket-Key is missing or not 16 bytes in base64";
                Err(Unasked::Malformed(invalid(message)))
            }
        }
    }

    /// The answer after which the WebSocket begins.
    fn answer(self, subprotocol: Option<&'static str>) -> Response {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        if let Some(protocol) = subprotocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        if let Asked::Upgrade { accept } = self {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            let accept = HeaderValue::try_from(accept).expect("base64 is a header value");
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        response
    }
}

fn invalid(message: &'static str) -> Refusal {
    Refusal::new(Reason::InvalidArgument, message)
}

/// Whether a header lists a word, whatever its case.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// 426 says what is spoken here (RFC 9110, section 15.5.22).
fn upgrade_required(edge: &Edge, refusal: &Refusal, version: Version) -> Response {
    edge.metrics.refused(refusal.reason());
    let mut response = problem_as(StatusCode::UPGRADE_REQUIRED, refusal).map(Body::from);
    // HTTP/2 knows no such header (RFC 9113, section 8.2.2).
    if version < Version::HTTP_2 {
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, VERSION);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(
        method: Method,
        pairs: &[(&str, &str)],
        protocol: Option<&str>,
    ) -> http::Request<()> {
        let mut request = http::Request::builder().method(method).uri("/v1/ws");
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        if let Some(protocol) = protocol {
            request = request.extension(Protocol::from(protocol));
        }
        request.body(()).unwrap()
    }

    fn asked(method: Method, pairs: &[(&str, &str)], protocol: Option<&str>) -> Option<Asked> {
        let (parts, ()) = request(method, pairs, protocol).into_parts();
        Asked::of(&parts).ok()
    }

    #[test]
    fn an_upgrade_is_for_a_websocket_only_with_all_that_the_rfc_asks() {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned();
        assert_eq!(asked(Method::GET, &good, None), Some(Asked::Upgrade { accept }));
        for missing in 0..good.len() {
            let mut rest = good.to_vec();
            rest.remove(missing);
            assert_eq!(asked(Method::GET, &rest, None), None, "without {}", good[missing].0);
        }
        let mut wrong = good;
        wrong[2].1 = "8";
        assert_eq!(asked(Method::GET, &wrong, None), None);
        let mut short = good;
        short[3].1 = "dGhlIHNhbXBsZQ==";
        let (request, ()) = request(Method::GET, &short, None).into_parts();
        assert!(matches!(Asked::of(&request), Err(Unasked::Malformed(_))));
    }

    #[test]
    fn a_connect_is_for_a_websocket_when_it_names_it_and_its_version() {
        let version = [("sec-websocket-version", "13")];
        let connect = |pairs, protocol| asked(Method::CONNECT, pairs, protocol);
        assert_eq!(connect(&version, Some("websocket")), Some(Asked::Connect));
        assert_eq!(connect(&version, Some("connect-udp")), None);
        assert_eq!(connect(&version, None), None);
        assert_eq!(connect(&[("sec-websocket-version", "8")], Some("websocket")), None);
        assert_eq!(asked(Method::GET, &version, Some("websocket")), None);
    }
}
