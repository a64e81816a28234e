//! The listener with real sockets: what it closes, what it finishes, what it hands on.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fanline_core::Limits;
use http::{StatusCode, header};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use super::{Listener, ListenerMetrics, ListenerOptions};
use crate::config::Certificate;
use crate::lifecycle::Shutdown;

const DEADLINE: Duration = Duration::from_secs(10);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: fanline\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn a_peer_that_asks_nothing_is_closed_whatever_it_began() {
    let server = Server::start(|_| {}).await;
    for (sent, bytes) in
        [("nothing", &b""[..]), ("half a head", &GET[..20]), ("no stream", PREFACE)]
    {
        let mut peer = server.connect().await;
        peer.write_all(bytes).await.unwrap();
        read_to_end(&mut peer).await.expect(sent);
    }
    assert_eq!(server.count("fanline_listener_failures_total", "silent"), 3);
    assert_eq!(server.count("fanline_listener_connections", "public"), 0);
}

#[tokio::test]
async fn the_peer_is_told_to_the_service() {
    let server = Server::start(|_| {}).await;
    let mut peer = server.connect().await;
    let answer = ask(&mut peer, GET).await;
    assert!(answer.ends_with(&peer.local_addr().unwrap().to_string()), "{answer}");
}

#[tokio::test]
async fn a_connection_too_many_is_closed_at_once_and_counted() {
    let server = Server::start(|limits| limits.connections = 1).await;
    let mut first = server.connect().await;
    ask(&mut first, GET).await;
    let mut second = server.connect().await;
    read_to_end(&mut second).await.unwrap_or_default();
    assert_eq!(server.count("fanline_listener_failures_total", "full"), 1);
    ask(&mut first, GET).await;
}

#[tokio::test]
async fn a_drain_finishes_what_was_asked_and_takes_nothing_new() {
    let server = Server::start(|_| {}).await;
    let mut idle = server.connect().await;
    ask(&mut idle, GET).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: fanline\r\n\r\n").await.unwrap();
    server.waiting.acquire().await.unwrap().forget();

    server.shutdown.drain.cancel();
    read_to_end(&mut idle).await.expect("the idle connection is closed");
    server.tasks.close();
    server.go_on.add_permits(1);
    let answer = read_to_end(&mut busy).await.unwrap();
    assert!(String::from_utf8(answer).unwrap().ends_with("waited"));
    timeout(DEADLINE, server.tasks.wait()).await.expect("nothing is left");
    assert!(TcpStream::connect(server.address).await.is_err(), "still accepting");
}

#[tokio::test]
async fn a_stop_ends_what_a_drain_cannot() {
    let server = Server::start(|_| {}).await;
    let mut hanging = server.connect().await;
    hanging.write_all(b"GET /wait HTTP/1.1\r\nhost: fanline\r\n\r\n").await.unwrap();
    server.waiting.acquire().await.unwrap().forget();
    server.shutdown.drain.cancel();
    server.shutdown.stop.cancel();
    server.tasks.close();
    timeout(DEADLINE, server.tasks.wait()).await.expect("nothing is left");
    assert!(read_to_end(&mut hanging).await.unwrap_or_default().is_empty());
}

#[tokio::test]
async fn an_upgraded_connection_is_the_bare_socket_and_the_listener_is_done_with_it() {
    let server = Server::start(|_| {}).await;
    let mut peer = server.connect().await;
    let upgrade =
        b"GET /upgrade HTTP/1.1\r\nhost: fanline\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    peer.write_all(upgrade).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"bare socket") {
        let read = timeout(DEADLINE, peer.read_buf(&mut answer)).await.expect("an answer").unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
    }
    // The accept loop and the task of the upgraded socket, which waits for the peer to go.
    server.until_tasks_are(2).await;
    assert_eq!(server.count("fanline_listener_connections", "public"), 0);
}

#[tokio::test]
async fn over_tls_both_protocols_are_offered_and_a_peer_without_handshake_is_closed() {
    let (certificate, roots) = certificate();
    let server = Server::start_with(certificate.server(None).unwrap(), |_| {}).await;
    for protocol in [&b"h2"[..], b"http/1.1"] {
        let mut client =
            ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
        client.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let socket = server.connect().await;
        let mut peer = TlsConnector::from(Arc::new(client)).connect(name, socket).await.unwrap();
        assert_eq!(peer.get_ref().1.alpn_protocol(), Some(protocol));
        if protocol == b"http/1.1" {
            assert!(ask(&mut peer, GET).await.starts_with("HTTP/1.1 200 OK"));
        }
    }
    let mut silent = server.connect().await;
    read_to_end(&mut silent).await.expect("closed");
    assert_eq!(server.count("fanline_listener_failures_total", "tls"), 1);
}

#[tokio::test]
async fn with_authorities_a_peer_needs_a_certificate() {
    let (certificate, roots) = certificate();
    let server = Server::start_with(certificate.server(Some(roots.clone())).unwrap(), |_| {}).await;
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let socket = server.connect().await;
    // In TLS 1.3 a client learns of it with its first read.
    if let Ok(mut peer) = TlsConnector::from(Arc::new(client)).connect(name, socket).await {
        peer.write_all(GET).await.unwrap();
        let error = read_to_end(&mut peer).await.unwrap_err();
        assert!(error.to_string().contains("CertificateRequired"), "{error}");
    }
    server.until(|server| server.count("fanline_listener_failures_total", "tls") == 1).await;
}

/// A listener that is impatient, in front of a service with a few habits.
struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    tasks: TaskTracker,
    registry: Registry,
    /// A permit for each request to `/wait` that has arrived.
    waiting: Arc<Semaphore>,
    /// A permit lets one of them go on.
    go_on: Arc<Semaphore>,
}

impl Server {
    async fn start(change: impl FnOnce(&mut Limits)) -> Self {
        Self::launch(None, change)
    }

    async fn start_with(tls: Arc<rustls::ServerConfig>, change: impl FnOnce(&mut Limits)) -> Self {
        Self::launch(Some(tls), change)
    }

    fn launch(tls: Option<Arc<rustls::ServerConfig>>, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits { header_timeout: Duration::from_millis(300), ..Limits::default() };
        change(&mut limits);
        let mut registry = Registry::default();
        let metrics = ListenerMetrics::register(&mut registry);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener =
            Listener::bind(any, ListenerOptions::public(&limits, tls), &metrics).unwrap();
        let address = listener.address().unwrap();
        let (shutdown, tasks) = (Shutdown::default(), TaskTracker::new());
        let (waiting, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let wait = {
            let (waiting, go_on) = (Arc::clone(&waiting), Arc::clone(&go_on));
            || async move {
                waiting.add_permits(1);
                go_on.acquire().await.unwrap().forget();
                Ok::<_, Infallible>("waited")
            }
        };
        let routes = Router::new()
            .route(
                "/",
                get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
            )
            .route("/wait", get(wait))
            .route("/upgrade", get(upgrade).with_state(tasks.clone()));
        tasks.spawn(listener.serve(routes, shutdown.clone(), tasks.clone()));
        Server { address, shutdown, tasks, registry, waiting, go_on }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn count(&self, metric: &str, label: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let public = |line: &&str| {
            line.starts_with(metric) && line.contains("\"public\"") && line.contains(label)
        };
        text.lines().find(public).and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).unwrap()
    }

    async fn until_tasks_are(&self, expected: usize) {
        self.until(|server| server.tasks.len() == expected).await;
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, wait).await.expect("it never held");
    }
}

/// Takes the socket over, says what it is, and keeps it until the peer goes.
async fn upgrade(State(tasks): State<TaskTracker>, mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tasks.spawn(async move {
        let upgraded = upgrade.await.unwrap();
        let Ok(parts) = downcast::<TokioIo<TcpStream>>(upgraded) else {
            panic!("something is around the socket")
        };
        let mut socket = parts.io.into_inner();
        socket.write_all(b"bare socket").await.unwrap();
        read_to_end(&mut socket).await.unwrap_or_default();
    });
    let switch = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "echo")];
    (StatusCode::SWITCHING_PROTOCOLS, switch).into_response()
}

/// A certificate for `localhost`, and the authority that trusts it.
fn certificate() -> (Certificate, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    (Certificate::new(vec![made.cert.der().clone()], key), roots)
}

/// Asks, and reads one answer of known length.
async fn ask<I: AsyncRead + tokio::io::AsyncWrite + Unpin>(peer: &mut I, request: &[u8]) -> String {
    peer.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
                return text;
            }
        }
        let read = timeout(DEADLINE, peer.read_buf(&mut answer)).await.expect("an answer").unwrap();
        assert_ne!(read, 0, "closed after {text:?}");
    }
}

/// What comes until the end, which must come.
async fn read_to_end<I: AsyncRead + Unpin>(peer: &mut I) -> io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    timeout(DEADLINE, peer.read_to_end(&mut rest)).await.expect("it is not closed")?;
    Ok(rest)
}
