//! The requests of one publish stream that were read and not yet answered: bounded, and each channel in order.
//!
//! A publish takes its place in its channel at some moment between the first poll of its future and the end. Mostly
//! both are one, and the next request finds nothing in flight. Otherwise what follows in the same channel waits in line
//! until the outcome is known, while other channels go on. Starting them in order would not be enough: even in the
//! memory broker two publishes may both have to wait for room in a queue, and the later one may be let in first.

use crate::convert;
use fanline_core::broker::Published;
use fanline_core::publish::Draft;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use fanline_proto::v1::PublishResponse;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::task::{Context, Poll};

/// Requests of one stream: enough to keep a broker busy for a round trip (64 in 200 microseconds are 320,000 a second),
/// and a bound on what one client can hold here.
pub(crate) const REQUESTS: usize = 64;
/// Data of those without an outcome. The last of them may go over it; 64 of 1 MiB would be too much to hold.
pub(crate) const BYTES: usize = 4 * 1024 * 1024;

/// The unanswered requests of one stream.
pub(crate) struct Unanswered {
    hub: Hub,
    /// Publishes without an outcome, at most one of a channel.
    in_flight: FuturesUnordered<BoxFuture<'static, Settled>>,
    /// The channels of those, each with the line that waits behind it.
    lines: HashMap<ChannelName, VecDeque<Job>>,
    /// How many are in flight and in line, and their data.
    pending: usize,
    pending_bytes: usize,
    answers: VecDeque<PublishResponse>,
}

/// An event on its way, and the request that it answers.
struct Job {
    request_id: String,
    draft: Draft,
}

/// A job that has an outcome.
struct Settled {
    channel: ChannelName,
    bytes: usize,
    request_id: String,
    outcome: Result<Published, Refusal>,
}

impl Unanswered {
    pub(crate) fn new(hub: Hub) -> Self {
        Unanswered {
            hub,
            in_flight: FuturesUnordered::new(),
            lines: HashMap::new(),
            pending: 0,
            pending_bytes: 0,
            answers: VecDeque::new(),
        }
    }

    /// Whether another request may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.pending + self.answers.len() < REQUESTS && self.pending_bytes < BYTES
    }

    /// Whether every request has an outcome.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending == 0
    }

    pub(crate) fn next_answer(&mut self) -> Option<PublishResponse> {
        self.answers.pop_front()
    }

    /// Answers a request that asks for nothing that can be published.
    pub(crate) fn refuse(&mut self, request_id: String, refusal: &Refusal) {
        self.answers.push_back(convert::refused(request_id, refusal));
    }

    /// Publishes, at once or when its turn in its channel comes.
    pub(crate) fn publish(&mut self, request_id: String, draft: Draft, cx: &mut Context<'_>) {
        let job = Job { request_id, draft };
        self.pending += 1;
        self.pending_bytes += job.bytes();
        match self.lines.get_mut(&job.draft.channel) {
            Some(line) => line.push_back(job),
            None => {
                let _in_flight_or_answered = self.start(job, cx);
            }
        }
    }

    /// Takes in the outcomes that have come, and lets those in line go on. Wakes the caller for the next outcome.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(settled)) = self.in_flight.poll_next_unpin(cx) {
            let channel = settled.channel.clone();
            match &settled.outcome {
                Err(refusal) if refusal.reason() == Reason::BrokerUnavailable => {
                    let refusal = refusal.clone();
                    self.answer(settled);
                    self.give_up_line(&channel, &refusal);
                }
                Ok(_) | Err(_) => self.answer(settled),
            }
            self.advance_line(&channel, cx);
        }
    }

    /// Starts a job. Pending: it stays in flight, and its channel has a line.
    fn start(&mut self, job: Job, cx: &mut Context<'_>) -> Poll<()> {
        let channel = job.draft.channel.clone();
        let mut publish: BoxFuture<'_, _> = Box::pin(job.run(self.hub.clone()));
        match publish.as_mut().poll(cx) {
            Poll::Ready(settled) => {
                self.answer(settled);
                Poll::Ready(())
            }
            Poll::Pending => {
                self.lines.entry(channel).or_default();
                self.in_flight.push(publish);
                Poll::Pending
            }
        }
    }

    /// Starts those in line until one stays in flight.
    fn advance_line(&mut self, channel: &ChannelName, cx: &mut Context<'_>) {
        while let Some(job) = self.lines.get_mut(channel).and_then(VecDeque::pop_front) {
            if self.start(job, cx).is_pending() {
                return;
            }
        }
        self.lines.remove(channel);
    }

    /// Answers those in line like the one before them, whom the broker left without an outcome: each has waited as
    /// long as a publish may, and would overtake the retry of the one before.
    fn give_up_line(&mut self, channel: &ChannelName, refusal: &Refusal) {
        let line = self.lines.get_mut(channel).map(mem::take);
        for job in line.into_iter().flatten() {
            self.answer(job.refused(refusal.clone()));
        }
    }

    fn answer(&mut self, settled: Settled) {
        let Settled { channel: _, bytes, request_id, outcome } = settled;
        self.pending -= 1;
        self.pending_bytes -= bytes;
        self.answers.push_back(match outcome {
            Ok(published) => convert::published(request_id, published),
            Err(refusal) => convert::refused(request_id, &refusal),
        });
    }
}

impl Job {
    fn bytes(&self) -> usize {
        self.draft.payload.data().len()
    }

    async fn run(self, hub: Hub) -> Settled {
        Settled {
            channel: self.draft.channel.clone(),
            bytes: self.bytes(),
            outcome: hub.publish(self.draft).await,
            request_id: self.request_id,
        }
    }

    fn refused(self, refusal: Refusal) -> Settled {
        Settled {
            bytes: self.bytes(),
            channel: self.draft.channel,
            request_id: self.request_id,
            outcome: Err(refusal),
        }
    }
}
