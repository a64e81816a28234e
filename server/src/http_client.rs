//! A client of HTTP/1.1 for a request now and then, each on a connection of its own.
//!
//! It follows no redirect, keeps no connection, and sets no deadline: whoever asks does. What speaks gRPC is elsewhere.

use std::sync::Arc;

use anyhow::{Context, Result};
use http::uri::{Authority, PathAndQuery};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// The protocol that this client offers in TLS (ALPN).
pub(crate) const ALPN: &[u8] = b"http/1.1";

/// An answer whose head has come.
pub(crate) struct Answer {
    status: StatusCode,
    body: Incoming,
    /// Drives the connection for as long as the answer is held.
    _connection: JoinSet<()>,
}

/// Opens a connection to the host of a URL.
///
/// # Errors
/// The host has no address, or nobody listens there.
pub(crate) async fn connect(authority: &Authority, default_port: u16) -> Result<TcpStream> {
    let host = host(authority);
    let port = authority.port_u16().unwrap_or(default_port);
    let connected = TcpStream::connect((host, port)).await;
    connected.with_context(|| format!("there is no connection to {host}, port {port}"))
}

/// `GET` of a URL, over TLS where there is some.
///
/// # Errors
/// There is no connection, TLS does not trust the host, or what answers does not speak HTTP.
pub(crate) async fn get(url: &Uri, tls: Option<Arc<ClientConfig>>, accept: &str) -> Result<Answer> {
    let authority = url.authority().context("the URL has no host")?;
    let path = url.path_and_query().map_or("/", PathAndQuery::as_str);
    let request = Request::get(path)
        .header(http::header::HOST, authority.as_str())
        .header(http::header::ACCEPT, accept)
        .header(http::header::USER_AGENT, concat!("fanline/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())?;
    match tls {
        None => send(connect(authority, 80).await?, request).await,
        Some(tls) => {
            let socket = connect(authority, 443).await?;
            let name = ServerName::try_from(host(authority).to_owned())?;
            let socket = TlsConnector::from(tls).connect(name, socket).await;
            send(socket.context("the TLS handshake fails")?, request).await
        }
    }
}

/// Sends a request over a connection that serves no other.
///
/// # Errors
/// What answers does not speak HTTP.
pub(crate) async fn send(
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Answer> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // How it ends shows in the answer.
        let _ended = connection.await;
    });
    let response = sender
        .send_request(request)
        .await
        .context("it does not answer in HTTP; is TLS (https://) or its absence meant?")?;
    let status = response.status();
    Ok(Answer { status, body: response.into_body(), _connection: driver })
}

/// The host as the resolver and TLS want it: without the brackets of an IPv6 address.
fn host(authority: &Authority) -> &str {
    authority.host().trim_matches(['[', ']'])
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The body, of at most so many bytes.
    ///
    /// # Errors
    /// It breaks off, or is longer.
    pub(crate) async fn bytes(self, longest: usize) -> Result<Bytes> {
        let body = Limited::new(self.body, longest).collect().await;
        let body = body
            .map_err(anyhow::Error::from_boxed)
            .with_context(|| format!("the answer breaks off, or has more than {longest} bytes"))?;
        Ok(body.to_bytes())
    }

    /// The body as JSON, of at most so many bytes.
    ///
    /// # Errors
    /// It breaks off, is longer, or is no JSON.
    pub(crate) async fn json(self, longest: usize) -> Result<Value> {
        serde_json::from_slice(&self.bytes(longest).await?).context("the answer is no JSON")
    }

    /// The next bytes of the body.
    ///
    /// # Errors
    /// It ends, or breaks off.
    pub(crate) async fn chunk(&mut self) -> Result<Bytes> {
        loop {
            let frame = self.body.frame().await.context("it ends")?.context("it breaks off")?;
            if let Ok(data) = frame.into_data() {
                return Ok(data);
            }
        }
    }
}
