//! Spans from `tracing` to OpenTelemetry: which are kept, how they are connected with those of others, and where they wait.
//!
//! The SDK's own batch processor is not used: it does not tell how many spans it drops, and its blocking shutdown stands
//! still on a runtime of one thread. Read [`Spans`] first.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use fanline_core::ids::NodeId;
use fanline_core::random::Random;
use fanline_core::spans::SpanLinks;
use fanline_core::trace::TraceParent;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanExporter as _;
use opentelemetry_sdk::trace::{
    Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor,
};
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::export::{Export, Flush};
use super::metrics::{Loss, SpanMetrics};
use crate::config::SpanSettings;

/// Spans that wait for the collector. One is about 1 KiB with its attributes, so that they are 4 MiB at most.
const QUEUE_SPANS: usize = 4096;
/// The longest that one batch may take on its way, tries included.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Spans of this process that wait to be exported.
#[derive(Debug)]
pub(crate) struct Spans {
    queue: mpsc::Receiver<SpanData>,
    exporter: SpanExporter,
    collector: String,
    metrics: SpanMetrics,
}

impl Spans {
    /// Begins to gather them, by the tracer.
    ///
    /// # Errors
    /// The collector's address cannot be used.
    pub(super) fn gather(settings: &SpanSettings) -> Result<(Self, SdkTracer)> {
        let SpanSettings { collector, is_tls, sample_ratio } = settings;
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(collector.clone())
            .with_timeout(EXPORT_TIMEOUT);
        let exporter = match is_tls {
            true => exporter.with_tls_config(ClientTlsConfig::new().with_native_roots()),
            false => exporter,
        };
        let exporter = exporter.build()?;
        let metrics = SpanMetrics::default();
        let (sender, queue) = mpsc::channel(QUEUE_SPANS);
        let provider = SdkTracerProvider::builder()
            // A client that traces decides for what follows from its request.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(*sample_ratio))))
            .with_span_processor(Queue { sender, metrics: metrics.clone() })
            .build();
        let tracer = provider.tracer("fanline");
        Ok((Spans { queue, exporter, collector: collector.clone(), metrics }, tracer))
    }

    /// How they are connected with those of others.
    pub(crate) fn links(&self) -> Arc<dyn SpanLinks> {
        Arc::new(Links)
    }

    /// Exports them from now on, as those of `node`.
    pub(crate) fn export(mut self, node: NodeId, random: Random, registry: &mut Registry) -> Flush {
        self.metrics.register(registry);
        // What `OTEL_RESOURCE_ATTRIBUTES` says stays; who we are is ours to say.
        let resource = Resource::builder().with_service_name("fanline").with_attributes([
            KeyValue::new("service.instance.id", node.to_string()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ]);
        self.exporter.set_resource(&resource.build());
        let Spans { queue, exporter, collector, metrics } = self;
        let tasks = TaskTracker::new();
        let export = Export::new(queue, exporter, collector, random, metrics);
        Flush::of(tasks, export)
    }
}

/// Where ended spans wait. What does not fit is dropped: a hub does not wait for its collector.
#[derive(Debug)]
struct Queue {
    sender: mpsc::Sender<SpanData>,
    metrics: SpanMetrics,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _parent: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sender.try_send(span).is_err() {
            self.metrics.lost(Loss::QueueFull, 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Connects spans by the context that OpenTelemetry keeps for each.
#[derive(Clone, Copy, Debug)]
struct Links;

impl SpanLinks for Links {
    fn adopt(&self, span: &tracing::Span, parent: &TraceParent) {
        if let Some(parent) = context_of(parent) {
            // A span that is filtered out has no parent, and needs none.
            let _unless_filtered = span.set_parent(Context::new().with_remote_span_context(parent));
        }
    }

    fn context(&self, span: &tracing::Span) -> Option<TraceParent> {
        let context = span.context();
        let span = context.span();
        let own = span.span_context();
        let flags = own.trace_flags().to_u8();
        let text = format!("00-{}-{}-{flags:02x}", own.trace_id(), own.span_id());
        // Ids that are all zero are no trace context, and are refused here.
        text.parse().ok()
    }
}

fn context_of(parent: &TraceParent) -> Option<SpanContext> {
    let mut parts = parent.as_str().split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    Some(SpanContext::new(trace, span, TraceFlags::new(flags), true, TraceState::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_context_is_read_as_it_was_sent() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = context_of(&text.parse().unwrap()).unwrap();
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id().to_string(), "00f067aa0ba902b7");
        assert!(context.is_sampled() && context.is_remote());
    }

    #[test]
    fn a_span_that_nobody_gathers_has_no_context() {
        assert_eq!(Links.context(&tracing::Span::none()), None);
    }
}
