//! Counting calls by the status they end with, which for most of them stands behind the last message.

use crate::metrics::{GrpcMetrics, Method};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::{Code, Status};

/// Counts a call when it ends, with the status that its client sees.
pub(crate) async fn calls(
    State(metrics): State<GrpcMetrics>,
    request: Request,
    next: Next,
) -> Response {
    let mut running = Running { method: Method::of(request.uri().path()), metrics: Some(metrics) };
    let response = next.run(request).await;
    if let Some(code) = code(response.headers()) {
        // Refused before it began: there are no messages, and the status stands in the head.
        running.end(code);
        return response;
    }
    response.map(|body| Body::new(CountedBody { body, running }))
}

/// A call under way. Given up before it ended, it counts as cancelled.
struct Running {
    method: Method,
    metrics: Option<GrpcMetrics>,
}

impl Running {
    fn end(&mut self, code: Code) {
        if let Some(metrics) = self.metrics.take() {
            metrics.ended(self.method, code);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
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
        if let Some(code) = trailers.and_then(code) {
            self.running.end(code);
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
