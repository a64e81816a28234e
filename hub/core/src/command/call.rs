//! A command under way, and the promise that it is answered.

use super::budget::{Budget, Held};
use super::replies::reply_pair_within;
use super::{
    Command, CommandDraft, CommandError, CommandRouter, Received, Replies, Reply, ReplySink,
    Ticket, Workers,
};
use crate::clock::Timestamp;
use crate::hub::Hub;
use crate::ids::CommandId;
use crate::limits::{COMMAND_BYTES, REPLY_BYTES};
use crate::metrics::{CommandMetrics, CommandResult};
use crate::spans;
use crate::{ChannelName, Reason, Refusal};
use futures_util::Stream;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use tracing::field::Empty;
use tracing::{Span, trace_span};

/// What a hub knows of commands: who may answer them, and how much may be on its way.
#[derive(Debug)]
pub(crate) struct Commands {
    workers: Workers,
    metrics: CommandMetrics,
    bytes: Arc<Budget>,
    reply_bytes: Arc<Budget>,
}

/// A command under way. It yields replies, the last without `more`, or ends with an error; then it is over. Dropping it
/// gives the command up.
#[derive(Debug)]
pub struct Call {
    hub: Hub,
    command: Arc<Command>,
    /// None once it is over.
    attempt: Option<Attempt>,
    deadline: Pin<Box<Sleep>>,
    replied: bool,
    retried: bool,
    /// None once it is over.
    span: Span,
}

/// One way to one backend.
#[derive(Debug)]
struct Attempt {
    replies: Replies,
    _ticket: Ticket,
}

impl Commands {
    pub(crate) fn new(metrics: CommandMetrics) -> Self {
        Commands {
            workers: Workers::new(metrics.clone()),
            metrics,
            bytes: Budget::new(COMMAND_BYTES),
            reply_bytes: Budget::new(REPLY_BYTES),
        }
    }

    /// Counts the bytes of a command that this node has, as long as anybody here has it.
    pub(super) fn hold(&self, draft: &CommandDraft) -> Option<Arc<Held>> {
        self.bytes.take(draft.cost()).map(Arc::new)
    }

    /// A way for replies to a command that this node has.
    pub(super) fn reply_pair(&self) -> (ReplySink, Replies) {
        reply_pair_within(Arc::clone(&self.reply_bytes))
    }

    fn dispatch(&self, command: &Arc<Command>) -> Attempt {
        let (sink, replies) = self.reply_pair();
        Attempt { replies, _ticket: self.workers.dispatch(Arc::clone(command), sink) }
    }
}

impl Hub {
    /// The backends that are connected to this node.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.commands().workers
    }

    /// Asks a backend, which has `command_timeout` for its last reply. The caller is trusted: who may call what is decided
    /// before.
    ///
    /// # Errors
    /// What no backend should be asked: too large, or more than this node has on its way already. Everything else comes out
    /// of the call.
    pub fn call(&self, mut draft: CommandDraft) -> Result<Call, Refusal> {
        let span = span(&draft);
        if let Some(parent) = &draft.trace {
            self.spans().adopt(&span, parent);
        }
        let commands = self.commands();
        let held = draft.check(self.limits()).and_then(|()| {
            commands.hold(&draft).ok_or_else(|| {
                let message = "this node has as many commands on their way as it may";
                Refusal::new(Reason::LimitExceeded, message)
                    .with_retry_after(Duration::from_secs(1))
            })
        });
        let held = held.inspect_err(|refusal| {
            spans::fail(&span, refusal.reason().as_str());
            commands.metrics.ended(CommandResult::Refused(refusal.reason()));
        })?;
        draft.trace = self.spans().context(&span).or(draft.trace);
        let (now, timeout) = (self.clock().wall(), self.limits().command_timeout);
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let command = Arc::new(Command {
            id: CommandId::new(now, self.random()),
            draft,
            deadline: Timestamp::from_millis(now.millis().saturating_add(millis)),
            timeout,
            held: Some(held),
        });
        Ok(Call {
            attempt: Some(commands.dispatch(&command)),
            hub: self.clone(),
            command,
            deadline: Box::pin(sleep(timeout)),
            replied: false,
            retried: false,
            span,
        })
    }
}

impl Call {
    /// What comes next. None: the call is over.
    pub async fn next(&mut self) -> Option<Result<Reply, CommandError>> {
        std::future::poll_fn(|cx| self.poll_reply(cx)).await
    }

    /// As [`next`](Self::next), for whoever polls by hand.
    pub fn poll_reply(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Reply, CommandError>>> {
        // Replies that keep coming must not put the deadline off.
        if self.replied && self.attempt.is_some() && self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(self.time_is_up())));
        }
        while let Some(attempt) = &mut self.attempt {
            let answer = match attempt.replies.poll_next(cx) {
                Poll::Pending => {
                    ready!(self.deadline.as_mut().poll(cx));
                    Err(self.time_is_up())
                }
                Poll::Ready(Received::Reply(reply)) => {
                    self.replied = true;
                    if !reply.more {
                        self.end(CommandResult::Answered);
                    }
                    Ok(reply)
                }
                Poll::Ready(Received::Failed(error)) => Err(self.fail(error)),
                Poll::Ready(Received::Lost) if self.may_retry() => {
                    self.retry();
                    continue;
                }
                Poll::Ready(Received::Lost) => Err(self.fail(lost())),
            };
            return Poll::Ready(Some(answer));
        }
        Poll::Ready(None)
    }

    /// Whether a second backend may be asked: only with a key can it see that it was asked before, and what the client has
    /// of a first answer cannot be taken back.
    fn may_retry(&self) -> bool {
        !self.retried && !self.replied && self.command.draft.idempotency_key.is_some()
    }

    fn retry(&mut self) {
        self.retried = true;
        let commands = self.hub.commands();
        commands.metrics.retries.inc();
        let id = CommandId::new(self.hub.clock().wall(), self.hub.random());
        self.command = Arc::new(Command { id, ..(*self.command).clone() });
        self.attempt = Some(commands.dispatch(&self.command));
    }

    fn time_is_up(&mut self) -> CommandError {
        self.fail(CommandError::timeout(
            "no backend answered in time; whether the command was carried out is not known",
        ))
    }

    fn fail(&mut self, error: CommandError) -> CommandError {
        let error = match error {
            // The first backend may have carried the command out: nobody left to ask does not change that.
            CommandError::Hub(_) if self.retried => lost(),
            CommandError::Hub(_) | CommandError::Backend(_) => error,
        };
        spans::fail(&self.span, error.reason());
        self.end(match &error {
            CommandError::Hub(refusal) => CommandResult::Refused(refusal.reason()),
            CommandError::Backend(_) => CommandResult::BackendError,
        });
        error
    }

    fn end(&mut self, result: CommandResult) {
        self.attempt = None;
        self.span = Span::none();
        self.hub.commands().metrics.ended(result);
    }
}

/// The span of a command: until its last reply, whichever backend gives it. What the backend does is its child. Its name
/// is the same for all methods, as clients may make up methods without end.
fn span(draft: &CommandDraft) -> Span {
    trace_span!(
        target: spans::TARGET,
        "command",
        "otel.kind" = "client",
        "otel.status_code" = Empty,
        "rpc.system.name" = "fanline",
        "rpc.method" = draft.method.as_str(),
        "fanline.channel" = draft.channel.as_ref().map(ChannelName::as_str),
        "error.type" = Empty,
    )
}

fn lost() -> CommandError {
    CommandError::timeout("the backend went away; whether the command was carried out is not known")
}

impl Stream for Call {
    type Item = Result<Reply, CommandError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_reply(cx)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.attempt.is_some() {
            spans::fail(&self.span, "CANCELLED");
            self.end(CommandResult::Cancelled);
        }
    }
}

#[cfg(test)]
mod tests;
