//! The accept loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use super::connection::{AnswerBody, Common, Connection, Requests};
use super::metrics::{Failure, ListenerMetrics};
use super::options::ListenerOptions;
use crate::lifecycle::Shutdown;

/// Connections that the kernel keeps until we take them: a room full of clients that come back at once.
const BACKLOG: u32 = 4096;
/// Pause after the operating system gave us none, so that a lack of file descriptors does not also eat the processor.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound socket and what its peers are granted.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    options: ListenerOptions,
    metrics: ListenerMetrics,
}

impl Listener {
    /// Binds the address: peers can connect from here on, and wait.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub(crate) fn bind(
        address: SocketAddr,
        options: ListenerOptions,
        metrics: &ListenerMetrics,
    ) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restart need not wait for the old connections' last packets.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Listener { socket: socket.listen(BACKLOG)?, options, metrics: metrics.clone() })
    }

    /// The bound address, with the real port where 0 was asked for.
    ///
    /// # Errors
    /// The operating system does not say.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Hands the requests of all connections to `requests`, until the drain: then no connection is accepted any more, and
    /// those there are end after what they are at. Connections run on `tasks`.
    pub(crate) async fn serve<B: AnswerBody>(
        self,
        requests: impl Requests<B>,
        shutdown: Shutdown,
        tasks: TaskTracker,
    ) {
        // Without this loop nobody gets in: its end is the end of all.
        let _our_crash_stops_the_process = shutdown.drain.clone().drop_guard();
        let Listener { socket, options, metrics } = self;
        let span = info_span!("listener", name = options.name.as_str());
        let metrics = metrics.of(options.name);
        let places = Arc::new(Semaphore::new(options.connections.min(Semaphore::MAX_PERMITS)));
        let common = Arc::new(Common {
            http: options.http(&tasks),
            header_timeout: options.header_timeout,
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
        });
        loop {
            let accepted = tokio::select! {
                () = shutdown.drain.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if concerns_one_peer(&error) => {
                    debug!(%error, "a connection went away before it was accepted");
                    continue;
                }
                Err(error) => {
                    warn!(parent: &span, %error, "cannot accept connections");
                    metrics.fail(Failure::Accept);
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                metrics.fail(Failure::Full);
                continue;
            };
            prepare(&socket);
            let connection = Connection::new(Arc::clone(&common), peer, place);
            // Two tasks of different size, so that a plain connection does not carry room for TLS.
            match &options.tls {
                None => {
                    let served = connection.serve_plain(socket, requests.clone());
                    tasks.spawn(served.instrument(span.clone()))
                }
                Some(tls) => {
                    let served = connection.serve_tls(socket, Arc::clone(tls), requests.clone());
                    tasks.spawn(served.instrument(span.clone()))
                }
            };
        }
    }
}

fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// What we write is complete: the kernel need not wait for more. A peer that is gone already shows that by itself.
fn prepare(socket: &TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%error, "cannot switch off Nagle's algorithm");
    }
}
