//! One stream of `CommandBus.Serve`, from the registration to its end.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::call::{Call, Handler};
use crate::client::Client;
use crate::failure::Failure;
use crate::limits::REPLIES_WAITING;
use crate::proto::command_bus_client::CommandBusClient;
use crate::proto::serve_request::Item as Request;
use crate::proto::serve_response::Item as Response;
use crate::proto::{Command, Drain, Register, ServeRequest, ServeResponse};
use crate::reply::Refusal;

/// A stream that the hub has taken.
pub(crate) struct Session {
    requests: mpsc::Sender<ServeRequest>,
    responses: Streaming<ServeResponse>,
    /// How many commands may be under way, after the hub's own bounds.
    room: usize,
    /// Each ends with the id of its command, once its reply is on the way.
    working: JoinSet<String>,
    /// Those that can be cancelled; as many as `working`.
    under_way: HashMap<String, AbortHandle>,
}

impl Session {
    /// Connects and registers.
    pub(crate) async fn open(client: &Client, register: &Register) -> Result<Self, Failure> {
        let (requests, outgoing) = mpsc::channel(REPLIES_WAITING);
        let register = Request::Register(register.clone());
        let _room_for_the_first = requests.try_send(ServeRequest { item: Some(register) });
        let mut bus = CommandBusClient::new(client.connection());
        let mut responses = bus.serve(ReceiverStream::new(outgoing)).await?.into_inner();
        let first = responses.message().await?.ok_or_else(Failure::ended)?;
        let Some(Response::Registered(registered)) = first.item else {
            return Err(Failure::incomplete("registration"));
        };
        let room = usize::try_from(registered.max_in_flight).unwrap_or(usize::MAX).max(1);
        tracing::debug!(room, "serving commands");
        Ok(Self { requests, responses, room, working: JoinSet::new(), under_way: HashMap::new() })
    }

    /// Serves until `stop` is ready and all that is under way is answered, or until the stream breaks.
    pub(crate) async fn run<H: Handler>(
        mut self,
        handler: &Arc<H>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        drain_timeout: Duration,
    ) -> Result<(), Failure> {
        let mut drained_by: Option<Instant> = None;
        let mut drain_is_told = false;
        let requests = self.requests.clone();
        // The hub gives no more than `room` at a time. A command that it cancelled leaves its place to the next one at
        // once, though it may take a moment to end; and the cancellation is read only by reading on while all are busy.
        let most_working = self.room.saturating_mul(2);
        loop {
            let gives_up_at = drained_by.unwrap_or_else(Instant::now);
            tokio::select! {
                () = stop.as_mut(), if drained_by.is_none() => {
                    drained_by = Some(Instant::now() + drain_timeout);
                }
                // A hub that reads no replies takes no drain either; the time still runs.
                place = requests.reserve(), if drained_by.is_some() && !drain_is_told => {
                    drain_is_told = true;
                    // Without a place the stream has broken, and says why itself.
                    if let Ok(place) = place {
                        place.send(ServeRequest { item: Some(Request::Drain(Drain {})) });
                    }
                }
                () = sleep_until(gives_up_at), if drained_by.is_some() => {
                    tracing::warn!(commands = self.working.len(), "stopping with commands unanswered");
                    return Ok(());
                }
                Some(done) = self.working.join_next() => self.done(done),
                response = self.responses.message(), if self.working.len() < most_working => {
                    match response {
                        Ok(Some(response)) => self.take(response, handler),
                        Ok(None) | Err(_) if drained_by.is_some() => return Ok(()),
                        Ok(None) => return Err(Failure::ended()),
                        Err(status) => return Err(status.into()),
                    }
                }
            }
        }
    }

    fn take<H: Handler>(&mut self, response: ServeResponse, handler: &Arc<H>) {
        match response.item {
            Some(Response::Command(command)) => self.start(command, handler),
            Some(Response::Cancelled(cancelled)) => {
                if let Some(work) = self.under_way.remove(&cancelled.id) {
                    tracing::debug!(command = cancelled.id, "nobody waits for it any more");
                    work.abort();
                }
            }
            Some(Response::Rejected(rejected)) => {
                let error = rejected.error.unwrap_or_default();
                tracing::warn!(
                    command = rejected.id,
                    error = error.message,
                    "a reply was not taken"
                );
            }
            // A second registration is never sent; anything else is of a newer hub.
            Some(Response::Registered(_)) | None => {}
        }
    }

    fn start<H: Handler>(&mut self, command: Command, handler: &Arc<H>) {
        let (handler, requests) = (Arc::clone(handler), self.requests.clone());
        let command_id = command.id.clone();
        let id = command_id.clone();
        let call = Call::new(command, requests.clone());
        let work = self.working.spawn(async move {
            let handled = AssertUnwindSafe(async { handler.handle(call).await });
            let handled = handled.catch_unwind().await;
            let reply = match handled.unwrap_or_else(|_| Err(Refusal::panicked())) {
                Ok(reply) => reply.answering(&id, false),
                Err(refusal) => refusal.answering(&id),
            };
            let reply = ServeRequest { item: Some(Request::Reply(reply)) };
            let _the_stream_says_why = requests.send(reply).await;
            id
        });
        self.under_way.insert(command_id, work);
    }

    fn done(&mut self, done: Result<String, JoinError>) {
        // One that was cancelled is forgotten already.
        if let Ok(id) = done {
            self.under_way.remove(&id);
        }
    }
}
