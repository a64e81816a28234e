//! Backends that the hub calls: `CommandHandler`, at the addresses of the configuration.
//!
//! Each handler is one more worker of the node, so choosing, waiting, giving up and the concurrency limit are those of all
//! workers (`fanline_core::command`). Other nodes are not told of it: they have the same configuration, and call it themselves.
//! What is left to do is the call, through layers: retry, circuit breaker, timeout. Read [`HandlerOptions`] first, then
//! `handler.rs`.

mod attempt;
mod breaker;
mod connect;
mod failure;
mod handler;
mod metrics;
mod retry;

use self::handler::Handler;
use fanline_core::Hub;
use fanline_core::pattern::Pattern;
use http::{HeaderMap, Uri};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::metrics::HandlerMetrics;

/// A backend that the hub calls.
#[derive(Clone, Debug)]
pub struct HandlerOptions {
    /// The methods that it answers.
    pub methods: Pattern,
    /// Where: `http://host:port` or, with `tls`, `https://host:port`.
    pub url: Uri,
    /// How the hub checks who it is, and shows who the hub is. It must offer `h2`. None: plain text.
    pub tls: Option<Arc<ClientConfig>>,
    /// How long one try may take.
    pub timeout: Duration,
    /// Tries after the first, where another cannot carry a command out twice: it was not asked, or the command has an
    /// idempotency key.
    pub retries: u32,
    /// Commands that it has at a time, 1 to [`WORKER_COMMANDS_MAX`](fanline_core::limits::WORKER_COMMANDS_MAX).
    pub max_in_flight: usize,
    /// What is sent with each call.
    pub metadata: HeaderMap,
}

/// Lets the handlers answer the commands of this node, on `tasks`, until `stop`. No connection is opened before the first
/// command.
pub fn start(
    hub: &Hub,
    handlers: Vec<HandlerOptions>,
    metrics: &HandlerMetrics,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    for options in handlers {
        let handler = Handler::new(hub.clone(), options, metrics.clone());
        tasks.spawn(handler.run(stop.clone()));
    }
}
