//! What callers and workers of commands can rely on.

use super::*;
use crate::Limits;
use crate::command::{Claims, Order, Registration, Worker};
use crate::metrics::CommandLabel;
use crate::pattern::Pattern;
use crate::testing::{TestHub, body};
use futures_util::FutureExt;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_command_is_answered_by_a_worker() {
    let hub = TestHub::start();
    let mut worker = worker(&hub);
    let mut call = hub.call(draft(1)).unwrap();
    let command = command(&mut worker).await;
    assert_eq!(command.deadline.millis() - hub.clock().wall().millis(), 10_000);
    worker.reply(command.id, Reply { more: true, ..reply(2) }).unwrap();
    worker.reply(command.id, reply(3)).unwrap();
    assert_eq!(said(&mut call).await, "2");
    assert_eq!(said(&mut call).await, "3");
    assert_eq!(said(&mut call).await, "over");
    assert_eq!(ended(&hub, CommandResult::Answered), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_to_ask_is_said_at_once() {
    let hub = TestHub::start();
    let started = Instant::now();
    assert_eq!(said(&mut hub.call(draft(1)).unwrap()).await, "NO_HANDLER");
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_silent_is_waited_for_until_the_deadline() {
    let hub = TestHub::start();
    let mut worker = worker(&hub);
    let (mut call, started) = (hub.call(draft(1)).unwrap(), Instant::now());
    let id = command(&mut worker).await.id;
    assert_eq!(said(&mut call).await, "HANDLER_TIMEOUT");
    assert_eq!(started.elapsed(), Limits::default().command_timeout);
    assert!(matches!(worker.order().await, Order::Cancelled(cancelled) if cancelled == id));
    assert_eq!(said(&mut call).await, "over");
}

#[tokio::test(start_paused = true)]
async fn replies_that_keep_coming_do_not_put_the_deadline_off() {
    let hub = TestHub::start();
    let mut worker = worker(&hub);
    let (mut call, started) = (hub.call(draft(1)).unwrap(), Instant::now());
    let id = command(&mut worker).await.id;
    loop {
        let _refused_in_the_end = worker.reply(id, Reply { more: true, ..reply(1) });
        match said(&mut call).await.as_str() {
            "1" => tokio::time::advance(Duration::from_secs(1)).await,
            other => break assert_eq!(other, "HANDLER_TIMEOUT"),
        }
    }
    assert_eq!(started.elapsed(), Limits::default().command_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_backend_goes_away_is_given_to_one_more_if_it_has_a_key() {
    let hub = TestHub::start();
    let mut first = worker(&hub);
    let keyed = || CommandDraft { idempotency_key: Some("k".into()), ..draft(1) };
    let mut with_key = hub.call(keyed()).unwrap();
    let mut without = hub.call(draft(2)).unwrap();
    let first_id = command(&mut first).await.id;
    command(&mut first).await;
    drop(first);
    assert_eq!(said(&mut without).await, "HANDLER_TIMEOUT");

    let mut second = worker(&hub);
    let next = with_key.next();
    tokio::pin!(next);
    assert!(next.as_mut().now_or_never().is_none());
    let again = command(&mut second).await;
    assert_eq!(again.draft.idempotency_key.as_deref(), Some("k"));
    assert_ne!(again.id, first_id, "a late reply of the first is not taken for the second's");
    second.reply(again.id, reply(5)).unwrap();
    assert_eq!(text(next.await), "5");

    let mut twice = hub.call(keyed()).unwrap();
    command(&mut second).await;
    drop(second);
    assert_eq!(said(&mut twice).await, "HANDLER_TIMEOUT", "nobody is left: the outcome is open");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_cancels_its_command() {
    let hub = TestHub::start();
    let mut worker = worker(&hub);
    let call = hub.call(draft(1)).unwrap();
    let id = command(&mut worker).await.id;
    drop(call);
    assert!(matches!(worker.order().await, Order::Cancelled(cancelled) if cancelled == id));
    assert_eq!(ended(&hub, CommandResult::Cancelled), 1);
}

#[tokio::test(start_paused = true)]
async fn what_no_backend_should_be_asked_is_refused_by_its_field() {
    let limits = Limits { client_event_bytes: 3, ..Limits::default() };
    let hub = TestHub::with_limits(limits);
    let long_key = CommandDraft { idempotency_key: Some("k".repeat(129)), ..draft(1) };
    let table = [(draft(1234), "data"), (long_key, "key")];
    for (draft, field) in table {
        assert_eq!(hub.call(draft).unwrap_err().field(), Some(field));
    }
    assert_eq!(ended(&hub, CommandResult::Refused(Reason::TooLarge)), 1);
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_all_commands_have_one_bound_and_are_given_back() {
    let hub = TestHub::with_limits(Limits { client_event_bytes: 1 << 20, ..Limits::default() });
    let _worker = worker(&hub);
    let data = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    let large = || CommandDraft {
        payload: crate::event::Payload::new(Default::default(), data.clone().into()).unwrap(),
        ..draft(1)
    };
    let mut calls = Vec::new();
    let refusal = loop {
        match hub.call(large()) {
            Ok(call) => calls.push(call),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!((refusal.reason(), calls.len()), (Reason::LimitExceeded, 255));
    drop(calls.pop());
    assert!(hub.call(large()).is_ok());
}

fn worker(hub: &Hub) -> Worker {
    let registration = Registration::new(vec![Pattern::any()], 300).unwrap();
    hub.workers().register(registration).unwrap()
}

async fn command(worker: &mut Worker) -> Arc<Command> {
    match worker.order().await {
        Order::Command(command) => command,
        Order::Cancelled(id) => panic!("{id:?} is given up too early"),
    }
}

fn draft(number: u64) -> CommandDraft {
    CommandDraft {
        method: "a.b".parse().unwrap(),
        channel: None,
        payload: body(number).payload,
        user: None,
        connection: None,
        claims: Claims::default(),
        idempotency_key: None,
        trace: None,
    }
}

fn reply(number: u64) -> Reply {
    Reply::only(body(number).payload)
}

async fn said(call: &mut Call) -> String {
    text(call.next().await)
}

fn text(item: Option<Result<Reply, CommandError>>) -> String {
    match item {
        Some(Ok(reply)) => String::from_utf8(reply.payload.data().to_vec()).unwrap(),
        Some(Err(error)) => error.reason().to_owned(),
        None => "over".to_owned(),
    }
}

fn ended(hub: &Hub, result: CommandResult) -> u64 {
    hub.metrics().commands.ended.get_or_create(&CommandLabel { result }).get()
}
