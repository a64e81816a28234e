//! The commands of a connection that are under way: several at a time, beside its one operation, so that a backend that
//! takes its time holds up nothing else.
//!
//! A reply may move the connection. Channels are opened here, while the connection goes on; taking them in is its own
//! affair, so that the client is told of them, and in which order, before it gets the reply.

use crate::request::RequestId;
use crate::spans;
use crate::work::Entry;
use fanline_core::Refusal;
use fanline_core::catchup::Start;
use fanline_core::command::{Call, CommandError, Reply};
use fanline_core::spans::fail;
use fanline_edge::{Client, ClientCall};
use futures_util::stream::{SelectAll, Stream, StreamExt};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tracing::{Instrument, Span};

/// The commands under way. Without any it costs a pointer.
#[derive(Default)]
pub(crate) struct Calls(Option<Box<SelectAll<UnderWay>>>);

/// What became of a command.
pub(crate) enum Answered {
    /// A reply, with the channels that were opened for it.
    Reply { id: RequestId, reply: Reply, entries: Vec<Entry> },
    /// There is no reply but this.
    Failed { id: RequestId, error: CommandError },
}

struct UnderWay {
    id: RequestId,
    client: Client,
    stage: Stage,
    /// A reply whose channels are being opened. The next one waits for it.
    opening: Option<Opening>,
    /// Ends with the command.
    span: Span,
}

/// How far a command is.
enum Stage {
    /// Whether it may be called is being found out.
    Beginning(Pin<Box<dyn Future<Output = Result<Call, Refusal>> + Send>>),
    Calling(Call),
    Refused,
}

type Opening = Pin<Box<dyn Future<Output = (Reply, Vec<Entry>)> + Send>>;

impl Calls {
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |calls| calls.len())
    }

    pub(crate) fn add(&mut self, id: RequestId, client: Client, mut call: ClientCall) {
        let span = spans::of_call(&client, &mut call);
        let beginning = client.clone().call(call).instrument(span.clone());
        let stage = Stage::Beginning(Box::pin(beginning));
        self.0.get_or_insert_default().push(UnderWay { id, client, stage, opening: None, span });
    }

    /// The next answer. Pending also when nothing is under way.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Answered> {
        if let Some(calls) = &mut self.0 {
            if let Some(answered) = ready!(calls.poll_next_unpin(cx)) {
                return Poll::Ready(answered);
            }
            self.0 = None;
        }
        Poll::Pending
    }
}

impl Stream for UnderWay {
    type Item = Answered;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Answered>> {
        let this = &mut *self;
        loop {
            if let Some(opening) = &mut this.opening {
                let (reply, entries) = ready!(opening.as_mut().poll(cx));
                this.opening = None;
                let id = this.id.clone();
                return Poll::Ready(Some(Answered::Reply { id, reply, entries }));
            }
            let id = this.id.clone();
            let call = match &mut this.stage {
                Stage::Refused => return Poll::Ready(None),
                Stage::Calling(call) => call,
                Stage::Beginning(beginning) => match ready!(beginning.as_mut().poll(cx)) {
                    Ok(call) => {
                        this.stage = Stage::Calling(call);
                        continue;
                    }
                    Err(refusal) => {
                        this.stage = Stage::Refused;
                        fail(&this.span, refusal.reason().as_str());
                        return Poll::Ready(Some(Answered::Failed { id, error: refusal.into() }));
                    }
                },
            };
            return Poll::Ready(match ready!(call.poll_reply(cx)) {
                Some(Ok(reply)) if !reply.join.is_empty() => {
                    this.opening = Some(Box::pin(open(this.client.clone(), reply)));
                    continue;
                }
                Some(Ok(reply)) => Some(Answered::Reply { id, reply, entries: Vec::new() }),
                Some(Err(error)) => {
                    fail(&this.span, error.reason());
                    Some(Answered::Failed { id, error })
                }
                None => None,
            });
        }
    }
}

/// Opens the channels that a reply puts the connection into, each from its live end. Where it is already, it stays as it is.
async fn open(client: Client, reply: Reply) -> (Reply, Vec<Entry>) {
    let mut entries = Vec::new();
    for channel in &reply.join {
        if client.is_in(channel) {
            continue;
        }
        match client.clone().place(channel.clone(), Start::Live).await {
            Ok(entry) => entries.push(entry),
            Err(refusal) => {
                tracing::warn!(%channel, %refusal, "a backend's reply joins a channel that cannot be joined")
            }
        }
    }
    (reply, entries)
}
