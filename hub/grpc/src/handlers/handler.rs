//! A handler at work: a worker of the node whose backend is called for each command.

use super::HandlerOptions;
use super::attempt::{Attempts, Job};
use super::breaker::BreakerLayer;
use super::connect;
use super::failure::Failure;
use super::metrics::{HandlerMetrics, Outcome};
use super::retry::Retries;
use crate::applied_replies::{CheckedReply, told_to_client};
use crate::caller::Caller;
use crate::convert_command as convert;
use crate::message_size::request_bytes_max;
use crate::publisher;
use crate::scope::Scope;
use fanline_core::command::{Command, CommandError, Order, Registration, Reply, Worker};
use fanline_core::ids::CommandId;
use fanline_core::limits::WORKER_COMMANDS_MAX;
use fanline_core::pattern::Pattern;
use fanline_core::{Hub, Refusal};
use fanline_proto::v1;
use futures_util::future::{AbortHandle, Abortable, Aborted, BoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tower::util::BoxCloneService;
use tower::{ServiceBuilder, ServiceExt};

/// A handler at work.
pub(super) struct Handler {
    hub: Hub,
    worker: Worker,
    calls: BoxCloneService<Job, v1::CommandReply, Failure>,
    /// The configuration speaks for it: what it publishes, joins and leaves needs no further right.
    caller: Caller,
    metrics: HandlerMetrics,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// Ends the calls of commands that nobody waits for any more.
    given_up: HashMap<CommandId, AbortHandle>,
}

/// A command whose call has ended.
struct Ended {
    id: CommandId,
    /// An error: it was given up.
    answer: Result<Answer, Aborted>,
}

/// What a command's client is told, and how it is counted.
struct Answer {
    reply: Result<Reply, CommandError>,
    outcome: Outcome,
}

impl Handler {
    pub(super) fn new(hub: Hub, options: HandlerOptions, metrics: HandlerMetrics) -> Self {
        let channel = connect::channel(&options);
        let HandlerOptions { methods, timeout, retries, max_in_flight, metadata, .. } = options;
        let attempts = Attempts::new(
            channel,
            MetadataMap::from_headers(metadata),
            timeout,
            request_bytes_max(hub.limits()),
        );
        let calls = ServiceBuilder::new()
            .retry(Retries::new(retries, hub.random().clone(), metrics.retries.clone()))
            .layer(BreakerLayer::new(methods.to_string(), metrics.paused.clone()))
            .map_err(Failure::of_layer)
            .timeout(timeout)
            .service(attempts);
        let caller = Caller::new(
            format!("the handler of `{methods}`"),
            Scope::ALL.to_vec(),
            vec![Pattern::any()],
        );
        let max_in_flight = max_in_flight.clamp(1, WORKER_COMMANDS_MAX);
        let registration = Registration { methods: vec![methods], max_in_flight };
        Handler {
            worker: hub.workers().register_configured(registration),
            hub,
            calls: BoxCloneService::new(calls),
            caller,
            metrics,
            under_way: FuturesUnordered::new(),
            given_up: HashMap::new(),
        }
    }

    /// Answers commands until `stop`, at which what it has is lost.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let _our_crash_stops_the_process = stop.clone().drop_guard();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                order = self.worker.order() => match order {
                    Order::Command(command) => self.begin(command),
                    Order::Cancelled(id) => self.give_up(id),
                },
                Some(ended) = self.under_way.next() => self.end(ended),
            }
        }
    }

    fn begin(&mut self, command: Arc<Command>) {
        let id = command.id;
        let (handle, registration) = AbortHandle::new_pair();
        self.given_up.insert(id, handle);
        let job = Job { until: Instant::now() + self.time_left(&command), command };
        let answer = answer(self.hub.clone(), self.caller.clone(), self.calls.clone(), job);
        let answer = Abortable::new(answer, registration);
        self.under_way.push(Box::pin(async move { Ended { id, answer: answer.await } }));
    }

    /// How long the client of a command still waits. It may have stood in line, and its clock may be that of another node.
    fn time_left(&self, command: &Command) -> Duration {
        let now = self.hub.clock().wall().millis();
        Duration::from_millis(command.deadline.millis().saturating_sub(now)).min(command.timeout)
    }

    fn give_up(&mut self, id: CommandId) {
        if let Some(call) = self.given_up.remove(&id) {
            call.abort();
        }
    }

    fn end(&mut self, Ended { id, answer }: Ended) {
        let Ok(Answer { reply, outcome }) = answer else {
            return self.metrics.ended(Outcome::Cancelled);
        };
        self.given_up.remove(&id);
        self.metrics.ended(outcome);
        match reply {
            Ok(reply) => {
                let _late_or_too_far_ahead_is_counted = self.worker.reply(id, reply);
            }
            Err(error) => {
                let _late_is_counted = self.worker.fail(id, error);
            }
        }
    }
}

async fn answer(
    hub: Hub,
    caller: Caller,
    calls: BoxCloneService<Job, v1::CommandReply, Failure>,
    job: Job,
) -> Answer {
    let id = job.command.id;
    let reply = match calls.oneshot(job).await {
        Ok(reply) => reply,
        Err(failure) => {
            tracing::debug!(command = %id, %failure, "a handler did not answer");
            let outcome = Outcome::of(&failure);
            return Answer { reply: Err(failure.told_to_client()), outcome };
        }
    };
    if let Some(error) = reply.error.as_ref().and_then(convert::error) {
        return Answer { reply: Err(CommandError::Backend(error)), outcome: Outcome::Error };
    }
    match apply(hub, &caller, id, reply).await {
        Ok(reply) => Answer { reply: Ok(reply), outcome: Outcome::Answered },
        Err(refusal) => {
            tracing::warn!(command = %id, %caller, %refusal, "a backend's reply could not be used");
            let reply = Err(told_to_client(&refusal).into());
            Answer { reply, outcome: Outcome::Unusable }
        }
    }
}

/// Publishes what a reply publishes.
async fn apply(
    hub: Hub,
    caller: &Caller,
    id: CommandId,
    mut reply: v1::CommandReply,
) -> Result<Reply, Refusal> {
    // There is one reply to a call.
    reply.more = false;
    let events = mem::take(&mut reply.publish);
    let reply = convert::reply(reply, hub.limits())?;
    let drafts = events.into_iter().map(|event| publisher::draft(&hub, caller, event));
    let publish = drafts.collect::<Result<_, _>>()?;
    CheckedReply { id, reply, publish }.apply(hub).await.outcome
}

impl Outcome {
    fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Unreachable(_) => Outcome::Unreachable,
            Failure::Paused(_) => Outcome::Paused,
            Failure::Lost(_) => Outcome::Lost,
            Failure::TimedOut => Outcome::TimedOut,
            Failure::Told(_) => Outcome::Error,
        }
    }
}
