//! One connection, from its first byte to its end or its upgrade.
//!
//! The future ends with the upgrade, so that of a WebSocket only the bridge's own task is left. Over HTTP/2 a WebSocket is
//! one stream of many, and the connection lives on beside it.

use std::error::Error as StdError;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fanline_grpc::backends::PeerCertificate;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::metrics::{Failure, OneListener};
use super::options::TrackedExecutor;
use super::peer_names::names_in;
use super::service::ConnectionService;
use crate::lifecycle::Shutdown;

/// Time that a peer gets to take a goodbye it has not earned: it asked nothing.
const GOODBYE: Duration = Duration::from_secs(1);

/// What requests are handed to.
pub(crate) trait Requests<B>:
    tower::Service<
        Request<Incoming>,
        Response = Response<B>,
        Error: Into<BoxError>,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
}

impl<S, B> Requests<B> for S where
    S: tower::Service<
            Request<Incoming>,
            Response = Response<B>,
            Error: Into<BoxError>,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static
{
}

/// What answers are made of.
pub(crate) trait AnswerBody:
    Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static
{
}

impl<B> AnswerBody for B where B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

type BoxError = Box<dyn StdError + Send + Sync>;

/// What all connections of a listener have in common.
pub(super) struct Common {
    pub(super) http: auto::Builder<TrackedExecutor>,
    pub(super) header_timeout: Duration,
    pub(super) metrics: OneListener,
    pub(super) shutdown: Shutdown,
}

/// One connection.
pub(super) struct Connection {
    common: Arc<Common>,
    peer: SocketAddr,
    /// Its place among those that the listener takes.
    _place: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(common: Arc<Common>, peer: SocketAddr, place: OwnedSemaphorePermit) -> Self {
        common.metrics.open.inc();
        common.metrics.accepted.inc();
        Connection { common, peer, _place: place }
    }

    /// Serves requests in plain text. The socket is handed on as it is, for whoever takes it over by an upgrade.
    pub(super) async fn serve_plain<B: AnswerBody>(
        self,
        socket: TcpStream,
        requests: impl Requests<B>,
    ) {
        self.serve(socket, None, requests).await;
    }

    /// Serves requests over TLS.
    pub(super) async fn serve_tls<B: AnswerBody>(
        self,
        socket: TcpStream,
        tls: Arc<ServerConfig>,
        requests: impl Requests<B>,
    ) {
        let handshake = timeout(self.common.header_timeout, TlsAcceptor::from(tls).accept(socket));
        let stream = tokio::select! {
            () = self.common.shutdown.drain.cancelled() => return,
            stream = handshake => stream,
        };
        match stream {
            Ok(Ok(stream)) => {
                let (_, session) = stream.get_ref();
                let shown = session.peer_certificates().and_then(<[_]>::first);
                let certificate = shown.map(|certificate| names_in(certificate));
                self.serve(stream, certificate, requests).await;
            }
            Ok(Err(error)) => {
                debug!(peer = %self.peer, %error, "TLS handshake failed");
                self.common.metrics.fail(Failure::Tls);
            }
            Err(_too_long) => self.common.metrics.fail(Failure::Tls),
        }
    }

    async fn serve<I, B, S>(self, io: I, certificate: Option<PeerCertificate>, requests: S)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        B: AnswerBody,
        S: Requests<B>,
    {
        let Common { http, header_timeout, metrics, shutdown } = &*self.common;
        let service = ConnectionService::new(requests, self.peer, certificate);
        let asked = service.asked();
        // A child, because every wake looks at the token, which takes its lock.
        let drain = shutdown.drain.child_token();
        let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(io), service));

        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = silence(*header_timeout, &asked) => {
                metrics.fail(Failure::Silent);
                // An HTTP/2 client that was only early is told to come back, instead of losing its next request.
                connection.as_mut().graceful_shutdown();
                drop(timeout(GOODBYE, connection).await);
                Ok(())
            }
            () = drain.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    result = connection => result,
                    // Graceful can take for ever, when a peer does not play along.
                    () = shutdown.stop.cancelled() => Ok(()),
                }
            }
        };
        if let Err(error) = result {
            // Half a request head: hyper has its own clock for that, set to the same time.
            if timed_out(&error) && !asked.load(Ordering::Relaxed) {
                metrics.fail(Failure::Silent);
            }
            debug!(peer = %self.peer, error, "connection failed");
        }
    }
}

fn timed_out(error: &BoxError) -> bool {
    error.downcast_ref().is_some_and(hyper::Error::is_timeout)
}

/// Ends when the time is over and nothing was asked; else never.
async fn silence(limit: Duration, asked: &AtomicBool) {
    sleep(limit).await;
    if asked.load(Ordering::Relaxed) {
        pending().await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.common.metrics.open.dec();
    }
}
