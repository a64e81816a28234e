//! One open `Serve`: commands out, replies in, and the end of a backend.
//!
//! As with publish streams there is no task, channel or queue between the two directions: the stream of commands drives
//! the reading of replies. Dropping it, which is how a connection that broke ends, gives up the backend's commands.

use crate::applied_replies::{
    Applied, AppliedReplies, CheckedReply, told_to_backend, told_to_client,
};
use crate::caller::Caller;
use crate::convert_command as convert;
use crate::message_size::request_bytes_max;
use crate::publisher;
use crate::scope::Scope;
use crate::status;
use fanline_core::command::{CommandError, Order, Registration, Worker};
use fanline_core::ids::CommandId;
use fanline_core::{Hub, Refusal};
use fanline_proto::v1::{
    Cancelled, CommandReply, Register, Registered, ServeRequest, ServeResponse, serve_request,
    serve_response::Item,
};
use futures_util::stream::{Stream, StreamExt};
use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

/// Answers to a backend that it has not taken yet. At the bound nothing more is read from it.
const ANSWERS_AHEAD: usize = 64;

/// The commands of one backend.
pub(crate) struct ServeStream<R> {
    hub: Hub,
    caller: Caller,
    requests: R,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    /// None until it registered.
    worker: Option<Worker>,
    applied: AppliedReplies,
    outgoing: VecDeque<Item>,
    phase: Phase,
    _place: OwnedSemaphorePermit,
}

/// How far a stream is.
enum Phase {
    Serving,
    /// No more commands; what is outstanding is answered, and then it ends, with this status unless all is well.
    Draining(Option<Status>),
    /// Nothing follows but this status.
    Over(Option<Status>),
}

impl<R> ServeStream<R>
where
    R: Stream<Item = Result<ServeRequest, Status>> + Unpin,
{
    /// A stream for an authenticated backend. Holds `place` among the streams of the node until it is dropped.
    pub(crate) fn new(
        hub: Hub,
        caller: Caller,
        requests: R,
        stop: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> Self {
        ServeStream {
            applied: AppliedReplies::new(hub.clone()),
            hub,
            caller,
            requests,
            stopped: Box::pin(stop.cancelled_owned()),
            worker: None,
            outgoing: VecDeque::new(),
            phase: Phase::Serving,
            _place: place,
        }
    }

    /// Does all that can be done now.
    fn advance(&mut self, cx: &mut Context<'_>) {
        if matches!(self.phase, Phase::Serving) && self.stopped.as_mut().poll(cx).is_ready() {
            self.drain(Some(status::of(&status::draining())));
        }
        self.settle(cx);
        self.read(cx);
        // Once more: what was only started now must be polled in its new place, to wake us from there.
        self.settle(cx);
        self.take_orders(cx);
        if let Phase::Draining(status) = &mut self.phase
            && self.worker.as_ref().is_none_or(|worker| worker.outstanding() == 0)
            && self.applied.is_empty()
        {
            let status = status.take();
            self.end(status);
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) {
        let has_room =
            |stream: &Self| stream.applied.has_room() && stream.outgoing.len() < ANSWERS_AHEAD;
        while !matches!(self.phase, Phase::Over(_)) && has_room(self) {
            match self.requests.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(request))) => self.accept(request),
                // Where the next request begins is lost with one that cannot be read.
                Poll::Ready(Some(Err(status))) => {
                    let status = status::explained(status, request_bytes_max(self.hub.limits()));
                    self.end(Some(status));
                }
                // Nothing can be answered any more.
                Poll::Ready(None) => self.end(None),
                Poll::Pending => return,
            }
        }
    }

    fn accept(&mut self, request: ServeRequest) {
        let accepted = match request.item {
            Some(serve_request::Item::Register(register)) => self.register(&register),
            Some(serve_request::Item::Reply(reply)) => self.reply(reply),
            Some(serve_request::Item::Drain(_)) => {
                self.drain(None);
                Ok(())
            }
            None => Err(Refusal::invalid("item", "a request registers, replies or drains")),
        };
        if let Err(refusal) = accepted {
            self.end(Some(status::of(&refusal)));
        }
    }

    fn register(&mut self, register: &Register) -> Result<(), Refusal> {
        let methods = convert::methods(&register.methods)?;
        for pattern in &methods {
            self.caller.require_method(pattern)?;
        }
        let max_in_flight = usize::try_from(register.max_in_flight).unwrap_or(usize::MAX);
        let registration = Registration::new(methods, max_in_flight)?;
        let max_in_flight = u32::try_from(registration.max_in_flight).unwrap_or(u32::MAX);
        match &self.worker {
            // A backend that drains does not come back by registering.
            Some(_) if matches!(self.phase, Phase::Draining(_)) => {}
            Some(worker) => worker.replace(registration),
            None if matches!(self.phase, Phase::Serving) => {
                self.worker = Some(self.hub.workers().register(registration)?);
            }
            None => {}
        }
        // Before the first command: no order is taken while something waits to be sent.
        self.outgoing.push_back(Item::Registered(Registered { max_in_flight }));
        Ok(())
    }

    /// Takes a reply. One that cannot be used is no reason to end the stream; one that nobody can have asked for is.
    fn reply(&mut self, mut reply: CommandReply) -> Result<(), Refusal> {
        let Some(worker) = &self.worker else {
            return Err(Refusal::invalid("item", "the first request registers"));
        };
        let id: CommandId = reply
            .id
            .parse()
            .map_err(|_| Refusal::invalid("reply.id", "it is not the id of a command"))?;
        if let Some(error) = reply.error.as_ref().and_then(convert::error) {
            let _late_is_counted = worker.fail(id, CommandError::Backend(error));
            return Ok(());
        }
        if worker.awaits(id).is_err() {
            return Ok(());
        }
        let publish = mem::take(&mut reply.publish);
        let checked = convert::reply(reply, self.hub.limits()).and_then(|reply| {
            for channel in reply.join.iter().chain(&reply.leave) {
                self.caller.require(Scope::Connections, channel)?;
            }
            let drafts =
                publish.into_iter().map(|event| publisher::draft(&self.hub, &self.caller, event));
            Ok(CheckedReply { id, reply, publish: drafts.collect::<Result<_, _>>()? })
        });
        match checked {
            Ok(checked) => {
                if let Some(applied) = self.applied.apply(checked) {
                    self.pass_on(applied);
                }
            }
            Err(refusal) => self.reject(id, &refusal),
        }
        Ok(())
    }

    fn settle(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(applied) = self.applied.poll_applied(cx) {
            self.pass_on(applied);
        }
    }

    fn pass_on(&mut self, applied: Applied) {
        match applied.outcome {
            Ok(reply) => {
                if let Some(worker) = &self.worker {
                    let _late_or_too_far_ahead_is_counted = worker.reply(applied.id, reply);
                }
            }
            Err(refusal) => self.reject(applied.id, &refusal),
        }
    }

    fn reject(&mut self, id: CommandId, refusal: &Refusal) {
        if let Some(worker) = &self.worker {
            let _late_is_counted = worker.fail(id, told_to_client(refusal).into());
        }
        self.outgoing.push_back(Item::Rejected(told_to_backend(id, refusal)));
    }

    fn take_orders(&mut self, cx: &mut Context<'_>) {
        let Some(worker) = &mut self.worker else { return };
        // As long as there is something to send, the next order can wait where it is.
        while self.outgoing.is_empty() {
            let Poll::Ready(order) = worker.poll_order(cx) else { return };
            self.outgoing.push_back(match order {
                Order::Command(command) => Item::Command(convert::command(&command)),
                Order::Cancelled(id) => Item::Cancelled(Cancelled { id: id.to_string() }),
            });
        }
    }

    fn drain(&mut self, status: Option<Status>) {
        if let Some(worker) = &self.worker {
            worker.drain();
        }
        if matches!(self.phase, Phase::Serving) {
            self.phase = Phase::Draining(status);
        }
    }

    /// Nothing follows. What the backend has is given up.
    fn end(&mut self, status: Option<Status>) {
        self.worker = None;
        self.phase = Phase::Over(status);
    }
}

impl<R> Stream for ServeStream<R>
where
    R: Stream<Item = Result<ServeRequest, Status>> + Unpin,
{
    type Item = Result<ServeResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if !matches!(this.phase, Phase::Over(_)) {
            this.advance(cx);
        }
        if let Some(item) = this.outgoing.pop_front() {
            return Poll::Ready(Some(Ok(ServeResponse { item: Some(item) })));
        }
        match &mut this.phase {
            Phase::Over(status) => Poll::Ready(status.take().map(Err)),
            Phase::Serving | Phase::Draining(_) => Poll::Pending,
        }
    }
}
