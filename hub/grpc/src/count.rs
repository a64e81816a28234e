//! What is noted of a call by the status it ends with, which for most calls stands behind the last message: a count, and a
//! span where spans are collected.

use crate::call_span::CallSpan;
use crate::metrics::{GrpcMetrics, Method};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use fanline_core::spans::SpanLinks;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tonic::{Code, Status};

/// Where calls are noted.
#[derive(Clone)]
pub(crate) struct Notes {
    pub(crate) metrics: GrpcMetrics,
    pub(crate) spans: Arc<dyn SpanLinks>,
}

/// Notes a call when it ends, with the status that its client sees.
pub(crate) async fn calls(
    State(Notes { metrics, spans }): State<Notes>,
    request: Request,
    next: Next,
) -> Response {
    let method = Method::of(request.uri().path());
    let span = CallSpan::begin(method, &request, &*spans);
    let answering = span.around(next.run(request));
    let mut running = Running { method, metrics: Some(metrics), span };
    let response = answering.await;
    if let Some(code) = code(response.headers()) {
        // Refused before it began: there are no messages, and the status stands in the head.
        running.end(code, response.headers());
        return response;
    }
    response.map(|body| Body::new(CountedBody { body, running }))
}

/// A call under way. Given up before it ended, it counts as cancelled.
struct Running {
    method: Method,
    metrics: Option<GrpcMetrics>,
    span: CallSpan,
}

impl Running {
    /// Ends it with a status and the metadata around that.
    fn end(&mut self, code: Code, status: &HeaderMap) {
        if let Some(metrics) = self.metrics.take() {
            metrics.ended(self.method, code);
            self.span.end(code, status);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Code::Cancelled, &HeaderMap::new());
    }
}

/// The messages of an answer, whose trailers tell the status.
struct CountedBody {
    body: Body,
    running: Running,
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref());
        if let Some((trailers, code)) =
            trailers.and_then(|trailers| Some((trailers, code(trailers)?)))
        {
            self.running.end(code, trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}
