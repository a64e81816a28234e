//! What the process says about itself: log lines on standard error, and crashes counted.
//!
//! Standard output is for answers to people and scripts and stays free of logs.

use std::io::{self, IsTerminal};
use std::panic;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tracing::error;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, registry};

use crate::config::{LogFormat, TelemetrySettings};

/// Starts logging.
///
/// # Errors
/// Something logs already.
pub(crate) fn start(settings: &TelemetrySettings) -> Result<(), TryInitError> {
    let TelemetrySettings { filter, format } = settings;
    let lines = match format {
        LogFormat::Text => {
            layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).boxed()
        }
        LogFormat::Json => layer().with_writer(io::stderr).json().flatten_event(true).boxed(),
    };
    registry().with(filter.clone()).with(lines).try_init()
}

/// Counts and logs panics: the runtime catches them task by task, so nobody would notice.
pub(crate) fn count_panics(registry: &mut Registry) {
    let panics = Counter::<u64>::default();
    registry.register("fanline_panics", "Tasks that crashed", panics.clone());
    panic::set_hook(Box::new(move |crash| {
        panics.inc();
        let place = crash.location().map(ToString::to_string).unwrap_or_default();
        let message = crash.payload_as_str().unwrap_or("something that is not text");
        error!(place, message, "a task crashed");
    }));
}
