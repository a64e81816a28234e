//! What a listener grants its peers.

use std::sync::Arc;
use std::time::Duration;

use fanline_core::Limits;
use hyper::rt::Executor;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio_util::task::TaskTracker;

use super::metrics::ListenerName;

const KIB: u32 = 1024;
const MIB: u32 = 1024 * KIB;

/// Connections of backends: one or two of each process that publishes.
const GRPC_CONNECTIONS: usize = 4096;
/// Connections of operators: a few scrapers and probes.
const OPS_CONNECTIONS: usize = 64;
/// HTTP/2 peers that are silent for so long are asked whether they are still there, and closed when they are not.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams that a peer may open and reset before it is closed: the rapid-reset attack, CVE-2023-44487.
const PENDING_RESET_STREAMS: usize = 20;
const LOCAL_RESET_STREAMS: usize = 64;

/// What a listener grants its peers.
#[derive(Debug)]
pub(crate) struct ListenerOptions {
    pub(super) name: ListenerName,
    /// Connections at once; what comes on top is closed.
    pub(super) connections: usize,
    /// Time for the TLS handshake, for the first request after it, and for each request head.
    pub(super) header_timeout: Duration,
    header_bytes: usize,
    http2_streams: u32,
    /// Bytes that a peer may send before they are read, per HTTP/2 stream and connection.
    windows: Windows,
    pub(super) tls: Option<Arc<ServerConfig>>,
}

#[derive(Debug)]
struct Windows {
    stream: u32,
    connection: u32,
}

impl ListenerOptions {
    /// For browsers: many peers, none of them known, who send little.
    pub(crate) fn public(limits: &Limits, tls: Option<Arc<ServerConfig>>) -> Self {
        let windows = Windows { stream: 64 * KIB, connection: 256 * KIB };
        Self::new(ListenerName::Public, limits.connections, windows, limits, tls)
    }

    /// For backends: few peers who send much.
    pub(crate) fn grpc(limits: &Limits, tls: Option<Arc<ServerConfig>>) -> Self {
        let windows = Windows { stream: 256 * KIB, connection: MIB };
        Self::new(ListenerName::Grpc, GRPC_CONNECTIONS, windows, limits, tls)
    }

    /// For operators: a few peers inside the house.
    pub(crate) fn ops(limits: &Limits) -> Self {
        let windows = Windows { stream: 64 * KIB, connection: 64 * KIB };
        Self::new(ListenerName::Ops, OPS_CONNECTIONS, windows, limits, None)
    }

    fn new(
        name: ListenerName,
        connections: usize,
        windows: Windows,
        limits: &Limits,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        ListenerOptions {
            name,
            connections,
            header_timeout: limits.header_timeout,
            header_bytes: limits.header_bytes,
            http2_streams: limits.http2_streams,
            windows,
            tls,
        }
    }

    /// HTTP/1.1 and HTTP/2 as these options say. Tasks of HTTP/2 streams run on `tasks`.
    pub(super) fn http(&self, tasks: &TaskTracker) -> auto::Builder<TrackedExecutor> {
        let mut http = auto::Builder::new(TrackedExecutor(tasks.clone()));
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            // The head must fit the read buffer: past it hyper answers 431. Written is no more than this either.
            .max_buf_size(self.header_bytes);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .max_concurrent_streams(self.http2_streams)
            .max_header_list_size(u32::try_from(self.header_bytes).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(PENDING_RESET_STREAMS)
            .max_local_error_reset_streams(LOCAL_RESET_STREAMS)
            .initial_stream_window_size(self.windows.stream)
            .initial_connection_window_size(self.windows.connection)
            // Hyper's own is 400 KiB for each stream.
            .max_send_buf_size(self.windows.stream as usize);
        if self.name == ListenerName::Public {
            // WebSockets over HTTP/2 (RFC 8441).
            http.http2().enable_connect_protocol();
        }
        http
    }
}

/// Runs the tasks of HTTP/2 streams where a drain waits for them.
#[derive(Clone, Debug)]
pub(super) struct TrackedExecutor(TaskTracker);

impl<F> Executor<F> for TrackedExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
