//! What every command router promises, as a suite that runs on any of them.
//!
//! A router's own tests call [`run`] with a way to make a fresh [`Subject`], whose backend the suite plays. Each promise is
//! a function, named as the sentence it checks.

use super::{
    BackendError, Claims, Command, CommandDraft, CommandError, CommandRouter, ErrorCode, Received,
    Replies, Reply, Ticket, reply_pair,
};
use crate::clock::Timestamp;
use crate::ids::{CommandId, ConnectionId, UserId};
use crate::random::Random;
use crate::testing::{body, channel};
use crate::{Reason, event::Payload};
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for what should come at once.
const DEADLINE: Duration = Duration::from_secs(30);

/// The method that the backend of a [`Subject`] answers.
pub const METHOD: &str = "suite.ask";

/// A router under test, with one backend behind it that answers [`METHOD`], any number of commands at a time.
pub struct Subject {
    /// The router.
    pub router: Arc<dyn CommandRouter>,
    /// Its backend.
    pub backend: Box<dyn Backend>,
}

/// A backend that the suite plays.
pub trait Backend: Send {
    /// The next command that reaches it.
    fn command(&mut self) -> BoxFuture<'_, Command>;
    /// Answers a command. False: this kind of backend has only one reply to a command, and this is not the last.
    fn reply(&mut self, id: CommandId, reply: Reply) -> bool;
    /// Answers a command with an error.
    fn fail(&mut self, id: CommandId, error: BackendError);
    /// Waits to be told that nobody waits for a command.
    fn cancelled(&mut self, id: CommandId) -> BoxFuture<'_, ()>;
    /// Goes away, with all that it has.
    fn die(self: Box<Self>);
}

/// Runs the whole suite, each promise on a fresh router.
pub async fn run<F, S>(start: F)
where
    F: Fn() -> S,
    S: Future<Output = Subject>,
{
    a_method_that_nobody_answers_is_an_error_at_once(start().await).await;
    a_command_arrives_whole(start().await).await;
    each_reply_goes_to_its_own_command(start().await).await;
    a_streamed_answer_keeps_its_order(start().await).await;
    an_error_of_the_backend_is_passed_on(start().await).await;
    a_command_that_is_given_up_is_cancelled(start().await).await;
    a_backend_that_goes_away_loses_what_it_had(start().await).await;
}

async fn a_method_that_nobody_answers_is_an_error_at_once(subject: Subject) {
    let unknown = CommandDraft { method: "other.ask".parse().expect("a method"), ..draft(1) };
    assert_eq!(subject.router.load(&unknown.method), None);
    let mut asked = subject.ask(1, unknown);
    let Received::Failed(CommandError::Hub(refusal)) = asked.next().await else {
        panic!("nobody can answer")
    };
    assert_eq!(refusal.reason(), Reason::NoHandler);
}

async fn a_command_arrives_whole(mut subject: Subject) {
    assert!(subject.router.load(&draft(1).method).is_some());
    let claims: Claims = [("role".into(), "admin".into()), ("tenant".into(), "7".into())].into();
    let whole = CommandDraft {
        channel: Some(channel("a:b")),
        user: UserId::new("ada"),
        connection: Some(ConnectionId::new(Timestamp::default(), &Random::seeded(5))),
        claims,
        idempotency_key: Some("k".into()),
        trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok(),
        ..draft(7)
    };
    let _asked = subject.ask(1, whole.clone());
    let command = subject.command().await;
    let CommandDraft { method, channel, payload, user, connection, claims, idempotency_key, trace } =
        command.draft;
    assert_eq!((method, channel, user), (whole.method, whole.channel, whole.user));
    assert_eq!(payload.data(), whole.payload.data());
    assert_eq!((connection, claims), (whole.connection, whole.claims));
    assert_eq!((idempotency_key, trace), (whole.idempotency_key, whole.trace));
    // Milliseconds may be lost where the time left is told instead of a moment.
    let distance = command.deadline.millis().abs_diff(at(1).deadline.millis());
    assert!(distance < DEADLINE.as_millis() as u64, "{distance} ms");
}

async fn each_reply_goes_to_its_own_command(mut subject: Subject) {
    let mut asked: Vec<Asked> = (0..20).map(|number| subject.ask(number, draft(number))).collect();
    let mut commands = HashMap::new();
    for _ in 0..asked.len() {
        let command = subject.command().await;
        commands.insert(number(&command.draft.payload), command.id);
    }
    for (number, id) in
        commands.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().rev()
    {
        assert!(subject.backend.reply(id, reply(1000 + number)));
    }
    for (index, asked) in (0..).zip(&mut asked) {
        assert_eq!(asked.number().await, 1000 + index);
    }
}

async fn a_streamed_answer_keeps_its_order(mut subject: Subject) {
    let mut asked = subject.ask(1, draft(1));
    let id = subject.command().await.id;
    for number in 0..50 {
        if !subject.backend.reply(id, Reply { more: number < 49, ..reply(number) }) {
            return;
        }
    }
    for number in 0..50 {
        assert_eq!(asked.number().await, number);
    }
}

async fn an_error_of_the_backend_is_passed_on(mut subject: Subject) {
    let mut asked = subject.ask(1, draft(1));
    let id = subject.command().await.id;
    let error = BackendError::new(ErrorCode::Aborted, Some("ROOM_LOCKED"), "the room is locked")
        .with_retry_after(Duration::from_millis(1500));
    subject.backend.fail(id, error.clone());
    let Received::Failed(passed_on) = asked.next().await else { panic!("an error") };
    assert_eq!(passed_on, CommandError::Backend(error));
}

async fn a_command_that_is_given_up_is_cancelled(mut subject: Subject) {
    let asked = subject.ask(1, draft(1));
    let id = subject.command().await.id;
    drop(asked);
    let told = subject.backend.cancelled(id);
    tokio::time::timeout(DEADLINE, told).await.expect("the backend is told");
}

async fn a_backend_that_goes_away_loses_what_it_had(mut subject: Subject) {
    let mut asked = subject.ask(1, draft(1));
    let _never_answered = subject.command().await;
    subject.backend.die();
    let lost = tokio::time::timeout(DEADLINE, asked.replies.next()).await.expect("an end");
    assert!(matches!(lost, Received::Lost), "{lost:?}");
}

/// A command that was sent, with the end of its way back.
struct Asked {
    replies: Replies,
    _ticket: Ticket,
}

impl Asked {
    async fn next(&mut self) -> Received {
        tokio::time::timeout(DEADLINE, self.replies.next()).await.expect("an answer")
    }

    async fn number(&mut self) -> u64 {
        match self.next().await {
            Received::Reply(reply) => number(&reply.payload),
            other @ (Received::Failed(_) | Received::Lost) => {
                panic!("a reply, not {other:?}")
            }
        }
    }
}

impl Subject {
    fn ask(&self, number: u64, draft: CommandDraft) -> Asked {
        let (sink, replies) = reply_pair();
        let command = Arc::new(Command { draft, ..at(number) });
        Asked { replies, _ticket: self.router.dispatch(command, sink) }
    }

    async fn command(&mut self) -> Command {
        let command = self.backend.command();
        tokio::time::timeout(DEADLINE, command).await.expect("the command arrives")
    }
}

fn draft(number: u64) -> CommandDraft {
    CommandDraft {
        method: METHOD.parse().expect("a method"),
        channel: None,
        payload: body(number).payload,
        user: None,
        connection: None,
        claims: Claims::default(),
        idempotency_key: None,
        trace: None,
    }
}

fn at(number: u64) -> Command {
    let now = Timestamp::from_millis(1_767_225_600_000);
    let timeout = 4 * DEADLINE;
    Command {
        id: CommandId::new(now, &Random::seeded(number)),
        draft: draft(number),
        deadline: Timestamp::from_millis(now.millis() + timeout.as_millis() as u64),
        timeout,
        held: None,
    }
}

fn reply(number: u64) -> Reply {
    Reply::only(body(number).payload)
}

fn number(payload: &Payload) -> u64 {
    let text = std::str::from_utf8(payload.data()).expect("the suite sends numbers");
    text.parse().expect("the suite sends numbers")
}
