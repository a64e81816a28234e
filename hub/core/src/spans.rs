//! Spans: which request took how long, and what of it.
//!
//! A span is made with `tracing` where the work is done, in the target [`TARGET`] and at the lowest level, so that it costs
//! one comparison while nobody collects spans. There is one for a request, a publish and a command, and none for a delivery:
//! fan-out knows nothing of them. Attributes are named as the semantic conventions of OpenTelemetry name them, and hold
//! neither data nor credentials. How spans leave the process is the binary's affair; of that the hub knows [`SpanLinks`].

use crate::trace::TraceParent;
use tracing::{Level, Span, enabled};

/// The target of every span.
pub const TARGET: &str = "fanline::spans";

/// Whether anybody collects spans. It does not change while a hub runs.
#[must_use]
pub fn are_collected() -> bool {
    enabled!(target: TARGET, Level::TRACE)
}

/// Connects the spans of this process with those of others.
pub trait SpanLinks: Send + Sync + 'static {
    /// Makes a span the child of one elsewhere. To be called before the span is entered or asked for its own context.
    fn adopt(&self, span: &Span, parent: &TraceParent);

    /// What others name as the parent of what they do for this span. None: nobody collects it.
    fn context(&self, span: &Span) -> Option<TraceParent>;
}

/// Nobody collects spans.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSpans;

impl SpanLinks for NoSpans {
    fn adopt(&self, _span: &Span, _parent: &TraceParent) {}

    fn context(&self, _span: &Span) -> Option<TraceParent> {
        None
    }
}

/// A number as an attribute: those of OpenTelemetry have a sign.
pub(crate) fn number(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Marks a span, whose fields `error.type` and `otel.status_code` are still empty, as one of work that failed.
pub fn fail(span: &Span, reason: &str) {
    span.record("error.type", reason);
    span.record("otel.status_code", "error");
}
