//! What the process says about itself: log lines on standard error, spans to a collector, and crashes counted.
//!
//! Standard output is for answers to people and scripts and stays free of logs. How spans leave the process is in
//! [`spans`], of which there is nothing at all where no collector is configured.

mod export;
mod metrics;
mod spans;

use std::io::{self, IsTerminal};
use std::panic;

use anyhow::{Context, Result};
use fanline_core::spans::TARGET;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tracing::{Subscriber, error};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use crate::config::{LogFormat, TelemetrySettings};

pub(crate) use export::Flush;
pub(crate) use spans::Spans;

/// Starts logging, and gathering spans where there is a collector for them.
///
/// # Errors
/// Something logs already, or the collector's address cannot be used.
pub(crate) fn start(settings: &TelemetrySettings) -> Result<Option<Spans>> {
    let TelemetrySettings { filter, format, spans } = settings;
    let Some(settings) = spans else {
        registry().with(filter.clone()).with(lines(*format)).try_init()?;
        return Ok(None);
    };
    let (spans, tracer) = Spans::gather(settings).context("'otlp' in [telemetry]")?;
    // What a span is made of is known where it is made; where in the code that was is of no use to whoever reads it.
    let gathered = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_context_activation(false)
        .with_level(false)
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|place| place.target() == TARGET));
    registry().with(lines(*format).with_filter(filter.clone())).with(gathered).try_init()?;
    Ok(Some(spans))
}

/// Log lines on standard error.
fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    match format {
        LogFormat::Text => {
            layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).boxed()
        }
        LogFormat::Json => layer().with_writer(io::stderr).json().flatten_event(true).boxed(),
    }
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
