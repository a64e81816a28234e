//! The way to a handler: one HTTP/2 connection, opened when it is needed, and again after it broke.

use super::HandlerOptions;
use fanline_core::limits::WORKER_COMMANDS_MAX;
use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// The longest that connecting may take, TLS included. A handler is a machine of the same network.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two PINGs, and the longest wait for their answer: a peer that is gone without a word is noticed within both.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// A socket, with TLS or without.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A channel to a handler. It opens no connection before it is used.
pub(super) fn channel(options: &HandlerOptions) -> Channel {
    let HandlerOptions { url, tls, .. } = options;
    let mut plain = url.clone().into_parts();
    // TLS is ours: the channel is not to look for its own.
    plain.scheme = Some(Scheme::HTTP);
    let endpoint = Uri::from_parts(plain).map_or_else(|_| url.clone().into(), Endpoint::from);
    let (url, tls) = (url.clone(), tls.clone());
    endpoint
        .origin(url.clone())
        .http2_keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1)
        .keep_alive_while_idle(true)
        .buffer_size(WORKER_COMMANDS_MAX)
        .connect_with_connector_lazy(service_fn(move |_plain: Uri| {
            let (url, tls) = (url.clone(), tls.clone());
            async move {
                let socket = timeout(CONNECT_TIMEOUT, connect(&url, tls)).await;
                socket
                    .map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))?
                    .map(TokioIo::new)
            }
        }))
}

async fn connect(url: &Uri, tls: Option<Arc<ClientConfig>>) -> io::Result<Box<dyn Socket>> {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let default_port = if tls.is_some() { 443 } else { 80 };
    let socket = TcpStream::connect((host, url.port_u16().unwrap_or(default_port))).await?;
    socket.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Box::new(socket)) };
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let socket = TlsConnector::from(tls).connect(name, socket).await?;
    if socket.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::other("the backend does not speak HTTP/2 over TLS (ALPN h2)"));
    }
    Ok(Box::new(socket))
}
