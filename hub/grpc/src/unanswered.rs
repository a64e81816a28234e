//! The requests of one publish stream that were read and not yet answered: bounded, all of them under way at once.
//!
//! Each is started as it is read, and the order of the starts is that of the publishes within a channel: so promises
//! [`Broker::publish`](fanline_core::broker::Broker::publish).

use crate::convert;
use fanline_core::broker::Published;
use fanline_core::publish::Draft;
use fanline_core::{Hub, Refusal};
use fanline_proto::v1::PublishResponse;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::VecDeque;
use std::task::{Context, Poll};

/// Requests of one stream: enough to keep a broker busy while the answers to those before travel (512 in 5 milliseconds
/// are 100,000 a second), and a bound on what one client can hold here.
pub(crate) const REQUESTS: usize = 512;
/// Data of those without an outcome. The last of them may go over it; 512 of 1 MiB would be too much to hold.
pub(crate) const BYTES: usize = 4 * 1024 * 1024;

/// The unanswered requests of one stream.
pub(crate) struct Unanswered {
    hub: Hub,
    /// Publishes without an outcome, and their data.
    in_flight: FuturesUnordered<BoxFuture<'static, Settled>>,
    in_flight_bytes: usize,
    answers: VecDeque<PublishResponse>,
}

/// A publish that has an outcome, and the request that it answers.
struct Settled {
    bytes: usize,
    request_id: String,
    outcome: Result<Published, Refusal>,
}

impl Unanswered {
    pub(crate) fn new(hub: Hub) -> Self {
        Unanswered {
            hub,
            in_flight: FuturesUnordered::new(),
            in_flight_bytes: 0,
            answers: VecDeque::new(),
        }
    }

    /// Whether another request may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.in_flight.len() + self.answers.len() < REQUESTS && self.in_flight_bytes < BYTES
    }

    /// Whether every request has an outcome.
    pub(crate) fn is_settled(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub(crate) fn next_answer(&mut self) -> Option<PublishResponse> {
        self.answers.pop_front()
    }

    /// Answers a request that asks for nothing that can be published.
    pub(crate) fn refuse(&mut self, request_id: String, refusal: &Refusal) {
        self.answers.push_back(convert::refused(request_id, refusal));
    }

    /// Starts to publish, after all that were started before it.
    pub(crate) fn publish(&mut self, request_id: String, draft: Draft, cx: &mut Context<'_>) {
        let (hub, bytes) = (self.hub.clone(), draft.payload.data().len());
        let mut publish: BoxFuture<'_, _> =
            Box::pin(
                async move { Settled { bytes, request_id, outcome: hub.publish(draft).await } },
            );
        self.in_flight_bytes += bytes;
        match publish.as_mut().poll(cx) {
            Poll::Ready(settled) => self.answer(settled),
            Poll::Pending => self.in_flight.push(publish),
        }
    }

    /// Takes in the outcomes that have come. Wakes the caller for the next one.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(settled)) = self.in_flight.poll_next_unpin(cx) {
            self.answer(settled);
        }
    }

    fn answer(&mut self, settled: Settled) {
        let Settled { bytes, request_id, outcome } = settled;
        self.in_flight_bytes -= bytes;
        self.answers.push_back(match outcome {
            Ok(published) => convert::published(request_id, published),
            Err(refusal) => convert::refused(request_id, &refusal),
        });
    }
}
