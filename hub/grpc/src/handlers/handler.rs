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

/// Commands beyond those that a handler may have at a time: nobody waits for them any more, but what their replies publish
/// is being published.
const AFTERMATHS: usize = 64;

/// A handler at work.
pub(super) struct Handler {
    hub: Hub,
    worker: Worker,
    calls: BoxCloneService<Job, v1::CommandReply, Failure>,
    /// The configuration speaks for it: what it publishes, joins and leaves needs no further right.
    caller: Caller,
    metrics: HandlerMetrics,
    /// While there are as many as this, no order is taken.
    under_way_max: usize,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// Ends the calls of commands that nobody waits for any more.
    given_up: HashMap<CommandId, AbortHandle>,
}

/// A command whose call has ended.
struct Ended {
    id: CommandId,
    /// None: the call was given up.
    answer: Option<Answer>,
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
            under_way_max: max_in_flight + AFTERMATHS,
            under_way: FuturesUnordered::new(),
            given_up: HashMap::new(),
        }
    }

    /// Answers commands until `stop`, at which what it has is lost.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let _our_crash_stops_the_process = stop.clone().drop_guard();
        loop {
            let has_room = self.under_way.len() < self.under_way_max;
            if !has_room {
                // Once each time: what wakes us next makes room.
                self.metrics.stalls.inc();
            }
            tokio::select! {
                () = stop.cancelled() => return,
                order = self.worker.order(), if has_room => match order {
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
        // Only the call is given up: of a reply that has come, all events are published or none.
        let call = Abortable::new(self.calls.clone().oneshot(job), registration);
        let (hub, caller) = (self.hub.clone(), self.caller.clone());
        self.under_way.push(Box::pin(async move {
            let answer = match call.await {
                Ok(replied) => Some(answer(hub, caller, id, replied).await),
                Err(Aborted) => None,
            };
            Ended { id, answer }
        }));
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
        let Some(Answer { reply, outcome }) = answer else {
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
    id: CommandId,
    replied: Result<v1::CommandReply, Failure>,
) -> Answer {
    let reply = match replied {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{GatedHub, anybody};
    use fanline_core::command::CommandDraft;
    use fanline_core::event::{ContentType, Payload};
    use prometheus_client::registry::Registry;
    use std::task::{Context, Waker};
    use tokio::task::{JoinSet, yield_now};
    use tower::service_fn;

    /// A handler of `chat.*` whose backend answers at once with a reply that publishes these.
    fn handler(hub: &Hub, publish: &'static [&'static str]) -> Handler {
        let reply = move |_job: Job| async move {
            let event = |data: &&str| v1::PublishRequest {
                channel: "a:b".to_owned(),
                data: data.as_bytes().to_vec().into(),
                ..v1::PublishRequest::default()
            };
            let publish = publish.iter().map(event).collect();
            Ok(v1::CommandReply { publish, ..v1::CommandReply::default() })
        };
        let registration =
            Registration { methods: vec!["chat.*".parse().unwrap()], max_in_flight: 1 };
        Handler {
            worker: hub.workers().register_configured(registration),
            hub: hub.clone(),
            calls: BoxCloneService::new(service_fn(reply)),
            caller: anybody(),
            metrics: HandlerMetrics::register(&mut Registry::default()),
            under_way_max: 1 + AFTERMATHS,
            under_way: FuturesUnordered::new(),
            given_up: HashMap::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_reply_that_has_come_everything_is_published_though_the_client_is_gone() {
        let gated = GatedHub::start();
        let mut tasks = JoinSet::new();
        tasks.spawn(handler(&gated.hub, &["1", "2"]).run(CancellationToken::new()));
        let draft = CommandDraft {
            method: "chat.rename".parse().unwrap(),
            channel: None,
            payload: Payload::new(ContentType::default(), "null".into()).unwrap(),
            user: None,
            connection: None,
            claims: Default::default(),
            idempotency_key: None,
            trace: None,
        };
        let mut call = gated.hub.call(draft).unwrap();
        assert!(call.poll_reply(&mut Context::from_waker(Waker::noop())).is_pending());
        while gated.waiting() != ["1"] {
            yield_now().await;
        }
        drop(call);
        // Paused time moves on once all tasks have done what they can: the handler has heard of it.
        tokio::time::sleep(Duration::from_millis(1)).await;
        gated.let_go("1");
        while gated.waiting() != ["2"] {
            yield_now().await;
        }
        gated.let_go("2");
    }
}
