//! What callers and workers of commands can rely on.

use super::*;
use crate::clock::Timestamp;
use crate::command::conformance::{self, Backend, Subject};
use crate::command::{BackendError, Claims, CommandDraft, Received, Replies, reply_pair};
use crate::limits::COMMANDS_WAITING;
use crate::random::Random;
use crate::testing::body;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, poll};
use std::future::poll_fn;
use std::time::Duration;

#[tokio::test]
async fn workers_keep_every_promise_of_a_router() {
    conformance::run(|| async {
        let workers = Workers::new(CommandMetrics::default());
        let worker = workers.register(registration(&[conformance::METHOD], 100)).unwrap();
        Subject { router: Arc::new(workers), backend: Box::new(worker) }
    })
    .await;
}

impl Backend for Worker {
    fn command(&mut self) -> BoxFuture<'_, Command> {
        Box::pin(async {
            match self.order().await {
                Order::Command(command) => Arc::unwrap_or_clone(command),
                Order::Cancelled(id) => panic!("{id:?} is given up too early"),
            }
        })
    }

    fn reply(&mut self, id: CommandId, reply: Reply) -> bool {
        Worker::reply(self, id, reply).unwrap();
        true
    }

    fn fail(&mut self, id: CommandId, error: BackendError) {
        Worker::fail(self, id, CommandError::Backend(error)).unwrap();
    }

    fn cancelled(&mut self, id: CommandId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let order = self.order().await;
            assert!(matches!(order, Order::Cancelled(cancelled) if cancelled == id), "{order:?}");
            assert_eq!(Worker::reply(self, id, answer()), Err(ReplyFault::Late(LateReply)));
        })
    }

    fn die(self: Box<Self>) {}
}

#[tokio::test]
async fn a_command_goes_to_the_worker_with_the_most_room_for_its_size() {
    let workers = Workers::new(CommandMetrics::default());
    let mut small = workers.register(registration(&["a.*"], 1)).unwrap();
    let mut large = workers.register(registration(&["a.*"], 3)).unwrap();
    let mut other = workers.register(registration(&["b.*"], 100)).unwrap();
    let asked: Vec<_> = (0..4).map(|number| ask(&workers, "a.x", number)).collect();
    assert_eq!((told(&mut small), told(&mut large), told(&mut other)), (1, 3, 0));
    drop(asked);
    assert_eq!((small.outstanding(), large.outstanding()), (0, 0));
}

#[tokio::test]
async fn equals_take_turns() {
    let workers = Workers::new(CommandMetrics::default());
    let mut three: Vec<_> =
        (0..3).map(|_| workers.register(registration(&["a"], 8)).unwrap()).collect();
    let _asked: Vec<_> = (0..9).map(|number| ask(&workers, "a", number)).collect();
    assert!(three.iter_mut().all(|worker| told(worker) == 3));
}

#[tokio::test]
async fn what_no_worker_has_room_for_waits_in_line_oldest_first() {
    let workers = Workers::new(CommandMetrics::default());
    let mut worker = workers.register(registration(&["a"], 1)).unwrap();
    let mut asked: Vec<_> = (0..3).map(|number| ask(&workers, "a", number)).collect();
    assert_eq!(gauges(&workers), (1, 2));
    for (number, (replies, _)) in (0..).zip(&mut asked) {
        let command = worker.command().now_or_never().unwrap();
        assert_eq!(command.draft.payload.data(), &number.to_string());
        assert!(told_nothing(&mut worker), "one at a time");
        worker.reply(command.id, answer()).unwrap();
        assert!(matches!(replies.next().await, Received::Reply(_)));
    }
    assert_eq!(gauges(&workers), (0, 0));
}

#[tokio::test]
async fn a_command_that_is_given_up_in_line_is_never_seen() {
    let workers = Workers::new(CommandMetrics::default());
    let mut worker = workers.register(registration(&["a"], 1)).unwrap();
    let first = ask(&workers, "a", 1);
    let second = ask(&workers, "a", 2);
    let third = ask(&workers, "a", 3);
    drop(second);
    assert_eq!(number(&worker.command().now_or_never().unwrap()), 1);
    drop(first);
    let order = worker.order().now_or_never().unwrap();
    assert!(matches!(order, Order::Cancelled(_)));
    assert_eq!(number(&worker.command().now_or_never().unwrap()), 3);
    drop(third);
}

#[tokio::test]
async fn a_worker_that_takes_nothing_is_told_no_more_than_it_may_have() {
    let workers = Workers::new(CommandMetrics::default());
    let mut stuck = workers.register(registration(&["a"], 2)).unwrap();
    let told_before: Vec<_> = (0..2).map(|number| ask(&workers, "a", number)).collect();
    assert_eq!(told(&mut stuck), 2);
    drop(told_before);
    for number in 0..100 {
        drop((ask(&workers, "a", number), ask(&workers, "a", number)));
    }
    let _waiting: Vec<_> = (0..5).map(|number| ask(&workers, "a", number)).collect();
    let mut orders = Vec::new();
    while let Some(order) = stuck.order().now_or_never() {
        orders.push(matches!(order, Order::Command(_)));
    }
    assert_eq!(orders, [false, false, true, true], "two cancellations and two commands");
}

#[tokio::test]
async fn a_full_line_is_said_to_be_full() {
    let workers = Workers::new(CommandMetrics::default());
    let _worker = workers.register(registration(&["a"], 1)).unwrap();
    let _asked: Vec<_> =
        (0..=COMMANDS_WAITING as u64).map(|number| ask(&workers, "a", number)).collect();
    let (mut replies, _ticket) = ask(&workers, "a", 9);
    assert_eq!(refused(&mut replies).await, Reason::LimitExceeded);
}

#[tokio::test]
async fn what_a_worker_was_not_yet_told_goes_to_another_when_it_leaves() {
    let workers = Workers::new(CommandMetrics::default());
    let mut leaving = workers.register(registration(&["a"], 3)).unwrap();
    let (mut told, _ticket) = ask(&workers, "a", 1);
    assert_eq!(number(&leaving.command().now_or_never().unwrap()), 1);
    let _untold = [ask(&workers, "a", 2), ask(&workers, "a", 3)];
    drop(leaving);
    assert!(matches!(told.next().await, Received::Lost), "it may have been carried out");
    assert_eq!(gauges(&workers), (0, 2), "nobody else is there yet");
    let mut next = workers.register(registration(&["a"], 3)).unwrap();
    for expected in [2, 3] {
        assert_eq!(number(&next.command().now_or_never().unwrap()), expected);
    }
}

#[tokio::test]
async fn what_another_node_asked_goes_back_when_nobody_here_is_left() {
    let workers = Workers::new(CommandMetrics::default());
    let mut leaving = workers.register(registration(&["a"], 2)).unwrap();
    let elsewhere = workers.register_peer(registration(&["a"], 8));
    let mut asked: Vec<_> = (0..3).map(|number| ask_here(&workers, "a", number)).collect();
    assert_eq!(elsewhere.outstanding(), 0, "no command is sent on from node to node");
    assert_eq!(number(&leaving.command().now_or_never().unwrap()), 0);
    drop(leaving);
    assert!(matches!(asked[0].0.next().await, Received::Lost), "it may have been carried out");
    for (replies, _) in &mut asked[1..] {
        assert_eq!(refused(replies).await, Reason::NoHandler);
    }
    assert_eq!(gauges(&workers), (0, 0));
}

#[tokio::test]
async fn what_another_node_did_not_take_goes_to_somebody_else() {
    let workers = Workers::new(CommandMetrics::default());
    let mut elsewhere = workers.register_peer(registration(&["a"], 64));
    let (mut first, _ticket) = ask(&workers, "a", 1);
    let id = elsewhere.command().now_or_never().unwrap().id;
    let mut here = workers.register(registration(&["a"], 1)).unwrap();
    elsewhere.give_back(id);
    let command = here.command().now_or_never().unwrap();
    here.reply(command.id, answer()).unwrap();
    assert!(matches!(first.next().await, Received::Reply(_)));

    drop(here);
    let (mut second, _ticket) = ask(&workers, "a", 2);
    let id = elsewhere.command().now_or_never().unwrap().id;
    elsewhere.give_back(id);
    assert_eq!(refused(&mut second).await, Reason::NoHandler);
}

#[tokio::test]
async fn a_backend_that_is_called_is_a_worker_that_other_nodes_do_not_hear_of() {
    let workers = Workers::new(CommandMetrics::default());
    let mut called = workers.register_configured(registration(&["a"], 1));
    assert_eq!(workers.offers(), []);
    let (mut replies, _ticket) = ask(&workers, "a", 1);
    let command = called.command().now_or_never().unwrap();
    called.reply(command.id, answer()).unwrap();
    assert!(matches!(replies.next().await, Received::Reply(_)));
}

#[tokio::test]
async fn a_draining_worker_answers_what_it_has_and_gets_no_more() {
    let workers = Workers::new(CommandMetrics::default());
    let mut draining = workers.register(registration(&["a"], 1)).unwrap();
    let (mut first, _ticket) = ask(&workers, "a", 1);
    let (mut second, _other) = ask(&workers, "a", 2);
    let command = draining.command().now_or_never().unwrap();
    draining.drain();
    draining.reply(command.id, answer()).unwrap();
    assert!(matches!(first.next().await, Received::Reply(_)));
    assert!(told_nothing(&mut draining) && draining.outstanding() == 0);
    let (mut third, _none) = ask(&workers, "a", 3);
    assert_eq!(refused(&mut third).await, Reason::NoHandler);
    assert!(poll!(Box::pin(second.next())).is_pending(), "it waits for whoever comes next");
    let mut next = workers.register(registration(&["a"], 1)).unwrap();
    assert_eq!(number(&next.command().now_or_never().unwrap()), 2);
}

#[tokio::test]
async fn a_later_registration_replaces_the_former() {
    let workers = Workers::new(CommandMetrics::default());
    let mut worker = workers.register(registration(&["a"], 1)).unwrap();
    let _asked = [ask(&workers, "a", 1), ask(&workers, "a", 2)];
    assert_eq!(told(&mut worker), 1);
    worker.replace(registration(&["a", "b"], 3));
    let _more = ask(&workers, "b", 3);
    assert_eq!(told(&mut worker), 2);
}

#[test]
fn a_registration_has_its_bounds() {
    let registered = |max| Registration::new(vec![Pattern::any()], max).unwrap().max_in_flight;
    assert_eq!(registered(0), WORKER_COMMANDS);
    assert_eq!(registered(7), 7);
    assert_eq!(registered(usize::MAX), WORKER_COMMANDS_MAX);
    for methods in [Vec::new(), vec![Pattern::any(); METHOD_PATTERNS + 1]] {
        assert_eq!(Registration::new(methods, 1).unwrap_err().field(), Some("methods"));
    }
}

fn registration(methods: &[&str], max_in_flight: usize) -> Registration {
    let methods = methods.iter().map(|pattern| pattern.parse().unwrap()).collect();
    Registration::new(methods, max_in_flight).unwrap()
}

fn ask(workers: &Workers, method: &str, number: u64) -> (Replies, Ticket) {
    let (sink, replies) = reply_pair();
    (replies, workers.dispatch(command(method, number), sink))
}

/// As another node asks.
fn ask_here(workers: &Workers, method: &str, number: u64) -> (Replies, Ticket) {
    let (sink, replies) = reply_pair();
    (replies, workers.dispatch_here(command(method, number), sink))
}

fn command(method: &str, number: u64) -> Arc<Command> {
    // One source for all, so that ids of one moment sort by their coming.
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let moment = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Arc::new(Command {
        id: CommandId::new(Timestamp::from_millis(moment), &Random::seeded(number)),
        draft: CommandDraft {
            method: method.parse().unwrap(),
            channel: None,
            payload: body(number).payload,
            user: None,
            connection: None,
            claims: Claims::default(),
            idempotency_key: None,
            trace: None,
        },
        deadline: Timestamp::default(),
        timeout: Duration::from_secs(10),
        held: None,
    })
}

fn answer() -> Reply {
    Reply::only(body(0).payload)
}

fn number(command: &Command) -> u64 {
    std::str::from_utf8(command.draft.payload.data()).unwrap().parse().unwrap()
}

/// How many commands it is told of now.
fn told(worker: &mut Worker) -> usize {
    std::iter::from_fn(|| worker.order().now_or_never())
        .filter(|order| matches!(order, Order::Command(_)))
        .count()
}

fn told_nothing(worker: &mut Worker) -> bool {
    poll_fn(|cx| worker.poll_order(cx)).now_or_never().is_none()
}

/// Outstanding and waiting.
fn gauges(workers: &Workers) -> (i64, i64) {
    let metrics = &workers.0.metrics;
    (metrics.outstanding.get(), metrics.waiting.get())
}

async fn refused(replies: &mut Replies) -> Reason {
    match replies.next().await {
        Received::Failed(CommandError::Hub(refusal)) => refusal.reason(),
        other @ (Received::Reply(_) | Received::Failed(_) | Received::Lost) => {
            panic!("a refusal, not {other:?}")
        }
    }
}
