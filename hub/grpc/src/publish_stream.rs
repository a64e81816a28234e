//! `PublishStream`: many publishes over one stream, pipelined, with back-pressure, each channel in order.
//!
//! The stream of answers drives the stream of requests: there is no task, channel or queue between them. It reads only
//! while little enough is unanswered, so a broker that falls behind stops the reading, and HTTP/2 flow control then
//! stops the client.
//!
//! **Order.** A publish takes its place in its channel at some moment between the first poll of its future and the
//! end. Mostly both are one, and the next request finds nothing in flight. Otherwise what follows in the same channel
//! waits in line until the outcome is known, while other channels go on. So nothing is assumed of a broker but that it
//! answers.

use crate::caller::Caller;
use crate::convert;
use crate::message_size::request_bytes_max;
use crate::publisher;
use crate::status;
use fanline_core::broker::Published;
use fanline_core::publish::Draft;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use fanline_proto::v1::{PublishRequest, PublishResponse};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, Stream, StreamExt};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

/// Requests of one stream that are read and not yet answered: enough to keep a broker busy for a round trip (64 in
/// 200 microseconds are 320,000 a second), and a bound on what one client can hold here.
const UNANSWERED: usize = 64;
/// Data of those that the broker has. The last of them may go over it; 64 of 1 MiB would be too much to hold.
const UNANSWERED_BYTES: usize = 4 * 1024 * 1024;

/// The answers of one stream.
pub(crate) struct PublishStream<R> {
    hub: Hub,
    caller: Caller,
    requests: R,
    input: Input,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Publishes without an outcome, at most one of a channel.
    in_flight: FuturesUnordered<BoxFuture<'static, Settled>>,
    /// The channels of those, each with the line that waits behind it.
    lines: HashMap<ChannelName, VecDeque<Job>>,
    /// How many are in flight and in line, and their data.
    pending: usize,
    pending_bytes: usize,
    answers: VecDeque<PublishResponse>,
}

/// Whether more requests may come.
enum Input {
    Open,
    /// No. Once all that was read is answered the stream ends, with this status unless all is well.
    Ended(Option<Status>),
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

impl<R> PublishStream<R>
where
    R: Stream<Item = Result<PublishRequest, Status>> + Unpin,
{
    pub(crate) fn new(hub: Hub, caller: Caller, requests: R, stop: CancellationToken) -> Self {
        PublishStream {
            hub,
            caller,
            requests,
            input: Input::Open,
            stopped: Box::pin(stop.cancelled_owned()),
            in_flight: FuturesUnordered::new(),
            lines: HashMap::new(),
            pending: 0,
            pending_bytes: 0,
            answers: VecDeque::new(),
        }
    }

    /// Reads requests for as long as they are there and there is room.
    fn read(&mut self, cx: &mut Context<'_>) {
        if matches!(self.input, Input::Open) && self.stopped.as_mut().poll(cx).is_ready() {
            self.input = Input::Ended(Some(status::of(&status::draining())));
        }
        while matches!(self.input, Input::Open) && self.has_room() {
            match self.requests.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(request))) => self.accept(request, cx),
                Poll::Ready(Some(Err(status))) => {
                    self.input = Input::Ended(Some(self.explain(status)))
                }
                Poll::Ready(None) => self.input = Input::Ended(None),
                Poll::Pending => return,
            }
        }
    }

    fn has_room(&self) -> bool {
        self.pending + self.answers.len() < UNANSWERED && self.pending_bytes < UNANSWERED_BYTES
    }

    /// Publishes what a request asks for, puts it in line, or answers why not.
    fn accept(&mut self, mut request: PublishRequest, cx: &mut Context<'_>) {
        let request_id = mem::take(&mut request.request_id);
        let draft = match publisher::draft(&self.hub, &self.caller, request) {
            Ok(draft) => draft,
            Err(refusal) => return self.answers.push_back(convert::refused(request_id, &refusal)),
        };
        self.pending += 1;
        self.pending_bytes += draft.payload.data().len();
        let job = Job { request_id, draft };
        match self.lines.get_mut(&job.draft.channel) {
            Some(line) => line.push_back(job),
            None => {
                let _in_flight_or_answered = self.start(job, cx);
            }
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

    /// Takes in the outcomes that have come, and lets those in line go on.
    fn settle(&mut self, cx: &mut Context<'_>) {
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

    /// Our own words for a request that could not be read. The stream ends with it: where the next one begins is lost.
    fn explain(&self, status: Status) -> Status {
        if status::is_over_the_decoders_limit(&status) {
            let bytes_max = request_bytes_max(self.hub.limits());
            return status::of(&status::too_large(bytes_max));
        }
        status
    }
}

impl<R> Stream for PublishStream<R>
where
    R: Stream<Item = Result<PublishRequest, Status>> + Unpin,
{
    type Item = Result<PublishResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.answers.is_empty() {
            this.settle(cx);
            this.read(cx);
            // What was just started must be polled where it now is, to wake us from there.
            this.settle(cx);
        }
        if let Some(answer) = this.answers.pop_front() {
            return Poll::Ready(Some(Ok(answer)));
        }
        match &mut this.input {
            Input::Ended(status) if this.pending == 0 => Poll::Ready(status.take().map(Err)),
            Input::Ended(_) | Input::Open => Poll::Pending,
        }
    }
}

impl Job {
    fn bytes(&self) -> usize {
        self.draft.payload.data().len()
    }

    async fn run(self, hub: Hub) -> Settled {
        let (channel, bytes) = (self.draft.channel.clone(), self.bytes());
        Settled {
            channel,
            bytes,
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
