//! `PublishStream`: many publishes over one stream, pipelined, with back-pressure.
//!
//! The stream of answers drives the stream of requests: there is no task, channel or queue between them. It reads only
//! while little enough is [unanswered](crate::unanswered), so a broker that falls behind stops the reading, and HTTP/2
//! flow control then stops the client. What has arrived is read as a batch before it is answered as a batch.

use crate::caller::Caller;
use crate::message_size::request_bytes_max;
use crate::publisher;
use crate::status;
use crate::unanswered::Unanswered;
use fanline_core::{Hub, Refusal};
use fanline_proto::v1::{PublishRequest, PublishResponse};
use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, StreamExt};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// The answers of one stream.
pub(crate) struct PublishStream<R> {
    hub: Hub,
    caller: Caller,
    requests: R,
    input: Input,
    /// The drain of the hub, or the end of the caller's credential.
    end: BoxFuture<'static, Refusal>,
    unanswered: Unanswered,
}

/// Whether more requests may come.
enum Input {
    Open,
    /// No. Once all that was read is answered the stream ends, with this status unless all is well.
    Ended(Option<Status>),
}

impl<R> PublishStream<R>
where
    R: Stream<Item = Result<PublishRequest, Status>> + Unpin,
{
    pub(crate) fn new(hub: Hub, caller: Caller, requests: R, stop: CancellationToken) -> Self {
        let credential = caller.end(&hub);
        let end = async move {
            let drained = stop.run_until_cancelled_owned(credential).await;
            drained.unwrap_or_else(status::draining)
        };
        PublishStream {
            unanswered: Unanswered::new(hub.clone()),
            hub,
            caller,
            requests,
            input: Input::Open,
            end: Box::pin(end),
        }
    }

    /// Reads requests for as long as they are there and there is room.
    fn read(&mut self, cx: &mut Context<'_>) {
        if matches!(self.input, Input::Open)
            && let Poll::Ready(refusal) = self.end.as_mut().poll(cx)
        {
            self.input = Input::Ended(Some(status::of(&refusal)));
        }
        while matches!(self.input, Input::Open) && self.unanswered.has_room() {
            match self.requests.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(request))) => self.accept(request, cx),
                // Where the next request begins is lost with one that cannot be read.
                Poll::Ready(Some(Err(status))) => {
                    let bytes_max = request_bytes_max(self.hub.limits());
                    self.input = Input::Ended(Some(status::explained(status, bytes_max)));
                }
                Poll::Ready(None) => self.input = Input::Ended(None),
                Poll::Pending => return,
            }
        }
    }

    fn accept(&mut self, mut request: PublishRequest, cx: &mut Context<'_>) {
        let request_id = mem::take(&mut request.request_id);
        match publisher::draft(&self.hub, &self.caller, request) {
            Ok(draft) => self.unanswered.publish(request_id, draft, cx),
            Err(refusal) => self.unanswered.refuse(request_id, &refusal),
        }
    }
}

impl<R> Stream for PublishStream<R>
where
    R: Stream<Item = Result<PublishRequest, Status>> + Unpin,
{
    type Item = Result<PublishResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(answer) = this.unanswered.next_answer() {
            return Poll::Ready(Some(Ok(answer)));
        }
        this.unanswered.settle(cx);
        this.read(cx);
        // Once more: what was only started now must be polled in its new place, to wake us from there.
        this.unanswered.settle(cx);
        if let Some(answer) = this.unanswered.next_answer() {
            return Poll::Ready(Some(Ok(answer)));
        }
        match &mut this.input {
            Input::Ended(status) if this.unanswered.is_settled() => {
                Poll::Ready(status.take().map(Err))
            }
            Input::Ended(_) | Input::Open => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::Term;
    use crate::testing::{GatedHub, anybody};
    use crate::unanswered;
    use fanline_core::Reason;
    use fanline_core::catchup::Start;
    use fanline_core::history::HistoryRequest;
    use fanline_core::testing::TestHub;
    use futures_util::{poll, stream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tonic::Code;

    fn request(channel: &str, data: &str) -> Result<PublishRequest, Status> {
        Ok(PublishRequest {
            channel: channel.into(),
            data: data.to_owned().into(),
            request_id: data.into(),
            ..PublishRequest::default()
        })
    }

    fn open<R>(hub: &Hub, requests: R) -> PublishStream<R>
    where
        R: Stream<Item = Result<PublishRequest, Status>> + Unpin,
    {
        PublishStream::new(hub.clone(), anybody(), requests, CancellationToken::new())
    }

    /// What is answered now, each by its request id, until nothing more is.
    async fn answered<R>(stream: &mut PublishStream<R>) -> Vec<String>
    where
        R: Stream<Item = Result<PublishRequest, Status>> + Unpin,
    {
        let mut answers = Vec::new();
        while let Poll::Ready(Some(answer)) = poll!(stream.next()) {
            let answer = answer.unwrap();
            let code = answer.error.map(|error| Code::from_i32(error.code));
            answers.push(match code {
                None => answer.request_id,
                Some(code) => format!("{}: {code:?}", answer.request_id),
            });
        }
        answers
    }

    async fn history(hub: &Hub, channel: &str) -> Vec<String> {
        let request =
            HistoryRequest { start: Start::Earliest, limit: 0, bytes: 1 << 20, reverse: false };
        let page = hub.history(&channel.parse().unwrap(), request).await.unwrap();
        let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
        page.events.iter().map(|event| text(event.body.payload.data())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_under_way_in_the_order_of_their_coming() {
        let gated = GatedHub::start();
        let requests = [("a:x", "1"), ("a:x", "2"), ("a:y", "3"), ("a:x", "4")];
        let requests = requests.map(|(channel, data)| request(channel, data));
        let mut stream = open(&gated.hub, stream::iter(requests));
        assert!(answered(&mut stream).await.is_empty());
        assert_eq!(gated.waiting(), ["1", "2", "3", "4"]);
        for data in ["3", "1", "2", "4"] {
            gated.let_go(data);
            assert_eq!(answered(&mut stream).await, [data], "whichever has an outcome");
        }
        assert!(matches!(poll!(stream.next()), Poll::Ready(None)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_keeps_its_order() {
        let hub = TestHub::start();
        let requests = (1..=9).map(|number| request("a:x", &number.to_string()));
        let mut stream = open(&hub, stream::iter(requests));
        assert_eq!(answered(&mut stream).await.len(), 9);
        assert_eq!(history(&hub, "a:x").await, ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_reads_no_further_than_its_bound() {
        let gated = GatedHub::start();
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let requests = stream::iter(0..).map(move |number| {
            counter.fetch_add(1, Ordering::Relaxed);
            request(&format!("a:{}", number % 50), &number.to_string())
        });
        let mut stream = open(&gated.hub, requests);
        assert!(answered(&mut stream).await.is_empty());
        assert_eq!(read.load(Ordering::Relaxed), unanswered::REQUESTS);
        assert_eq!(gated.waiting().len(), unanswered::REQUESTS);
        gated.let_go("7");
        assert_eq!(answered(&mut stream).await, ["7"]);
        assert_eq!(read.load(Ordering::Relaxed), unanswered::REQUESTS + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn large_events_fill_the_bound_sooner() {
        const EVENTS: usize = 5;
        let gated = GatedHub::start();
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        // Just over a fifth of the bound each, as digits: a JSON number.
        let data = "7".repeat(unanswered::BYTES / EVENTS + 1);
        let requests = stream::iter(0..).map(move |number| {
            counter.fetch_add(1, Ordering::Relaxed);
            request(&format!("a:{number}"), &data)
        });
        let mut stream = open(&gated.hub, requests);
        assert!(answered(&mut stream).await.is_empty());
        assert_eq!(read.load(Ordering::Relaxed), EVENTS);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_outcome_is_that_of_one_request() {
        let gated = GatedHub::start();
        let requests = [("a:x", "1"), ("a:x", "2")];
        let requests = requests.map(|(channel, data)| request(channel, data));
        let mut stream = open(&gated.hub, stream::iter(requests));
        assert!(answered(&mut stream).await.is_empty());
        gated.fail("1");
        gated.let_go("2");
        assert_eq!(answered(&mut stream).await, ["1: Unavailable", "2"]);
        assert_eq!(history(&gated.hub, "a:x").await, ["2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_request_is_answered_and_the_stream_goes_on() {
        let hub = TestHub::start();
        let requests = stream::iter([
            request("a:x", "1"),
            request("nowhere:x", "2"),
            request("a x", "3"),
            request("a:x", "{"),
            request("a:x", "5"),
        ]);
        let mut stream = open(&hub, requests);
        assert_eq!(
            answered(&mut stream).await,
            ["1", "2: NotFound", "3: InvalidArgument", "{: InvalidArgument", "5"]
        );
        assert_eq!(history(&hub, "a:x").await, ["1", "5"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_answers_what_was_read_and_ends_the_stream() {
        let gated = GatedHub::start();
        let stop = CancellationToken::new();
        let requests = stream::iter([request("a:x", "1"), request("a:x", "2")]);
        let requests = requests.chain(stream::pending());
        let mut stream = PublishStream::new(gated.hub.clone(), anybody(), requests, stop.clone());
        assert!(answered(&mut stream).await.is_empty());
        stop.cancel();
        assert!(answered(&mut stream).await.is_empty(), "two answers are owed");
        gated.let_go("1");
        assert_eq!(answered(&mut stream).await, ["1"]);
        gated.let_go("2");
        assert_eq!(stream.next().await.unwrap().unwrap().request_id, "2");
        let end = stream.next().await.unwrap().unwrap_err();
        assert_eq!(end.code(), Code::Unavailable);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_that_ends_takes_no_answer_away() {
        let gated = GatedHub::start();
        let term = Term::configured();
        let requests = stream::iter([request("a:x", "1")]).chain(stream::pending());
        let caller = anybody().with_term(term.clone());
        let stop = CancellationToken::new();
        let mut stream = PublishStream::new(gated.hub.clone(), caller, requests, stop);
        assert!(answered(&mut stream).await.is_empty());
        term.withdraw(Refusal::new(Reason::Unauthenticated, "the key is gone"));
        assert!(answered(&mut stream).await.is_empty(), "an answer is owed");
        gated.let_go("1");
        assert_eq!(stream.next().await.unwrap().unwrap().request_id, "1");
        let end = stream.next().await.unwrap().unwrap_err();
        assert_eq!(end.code(), Code::Unauthenticated);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_cannot_be_read_ends_the_stream_after_the_answers_to_the_others() {
        let hub = TestHub::start();
        let broken = Err(Status::out_of_range("decoded message length too large"));
        let requests = stream::iter([request("a:x", "1"), broken, request("a:x", "2")]);
        let mut stream = open(&hub, requests);
        assert_eq!(stream.next().await.unwrap().unwrap().request_id, "1");
        let end = stream.next().await.unwrap().unwrap_err();
        assert_eq!(end.code(), Code::InvalidArgument, "as every event that is too large");
        assert!(stream.next().await.is_none());
    }
}
