//! The span of a call that has one answer. A stream has none: it lasts for hours, and what is published in it has spans of
//! its own. Nor has a health probe.

use crate::metrics::Method;
use crate::status::code_name;
use axum::extract::Request;
use fanline_core::spans::{SpanLinks, TARGET};
use fanline_core::trace::TRACEPARENT;
use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tracing::field::Empty;
use tracing::instrument::{Instrument, Instrumented};
use tracing::{Span, trace_span};

/// A span, or nothing where none is wanted.
pub(crate) struct CallSpan(Span);

impl CallSpan {
    /// Begins it, as a child of its client's.
    pub(crate) fn begin(method: Method, request: &Request, spans: &dyn SpanLinks) -> Self {
        if !method.has_one_answer() {
            return CallSpan(Span::none());
        }
        let method = request.uri().path().trim_start_matches('/');
        let span = trace_span!(
            target: TARGET,
            "rpc",
            "otel.name" = method,
            "otel.kind" = "server",
            "otel.status_code" = Empty,
            "rpc.system.name" = "grpc",
            "rpc.method" = method,
            "rpc.response.status_code" = Empty,
            "error.type" = Empty,
            "fanline.reason" = Empty,
        );
        if !span.is_disabled() {
            let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
            if let Some(parent) = parent.and_then(|text| text.parse().ok()) {
                spans.adopt(&span, &parent);
            }
        }
        CallSpan(span)
    }

    /// What is done here has its spans below this one.
    pub(crate) fn around<F: Future>(&self, answering: F) -> Instrumented<F> {
        answering.instrument(self.0.clone())
    }

    /// Ends it with the status and the metadata around that.
    pub(crate) fn end(&mut self, code: Code, metadata: &HeaderMap) {
        let span = std::mem::replace(&mut self.0, Span::none());
        if span.is_disabled() {
            return;
        }
        span.record("rpc.response.status_code", code_name(code));
        if code == Code::Ok {
            return;
        }
        span.record("error.type", code_name(code));
        if let Some(reason) = Status::from_header_map(metadata)
            .and_then(|status| status.get_details_error_info())
            .map(|info| info.reason)
        {
            span.record("fanline.reason", reason);
        }
        if is_ours(code) {
            span.record("otel.status_code", "error");
        }
    }
}

/// Whether a status says that the server failed. With any other the client did something wrong (semantic conventions of
/// OpenTelemetry for gRPC, "gRPC Status").
fn is_ours(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}
