//! The replies of one backend whose events are being published: bounded, and each command in order.
//!
//! Most replies publish nothing and pass at once. While one publishes, further replies to the same command wait behind it;
//! replies to other commands go on.

use crate::status;
use fanline_core::command::Reply;
use fanline_core::ids::CommandId;
use fanline_core::publish::Draft;
use fanline_core::{Hub, Reason, Refusal};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll};

/// Replies of one backend that are being applied: enough to keep a broker busy.
const REPLIES: usize = 64;
/// Bytes of their events. The last may go over it.
const BYTES: usize = 4 * 1024 * 1024;

/// The replies that are being applied.
pub(crate) struct AppliedReplies {
    hub: Hub,
    publishing: FuturesUnordered<BoxFuture<'static, Applied>>,
    /// The commands of those, each with the replies that wait behind.
    lines: HashMap<CommandId, VecDeque<CheckedReply>>,
    pending: usize,
    bytes: usize,
}

/// A reply that its backend may give, with the events that it publishes.
pub(crate) struct CheckedReply {
    pub(crate) id: CommandId,
    pub(crate) reply: Reply,
    pub(crate) publish: Vec<Draft>,
}

/// A reply whose events are published, or the reason why one is not.
pub(crate) struct Applied {
    pub(crate) id: CommandId,
    pub(crate) outcome: Result<Reply, Refusal>,
    bytes: usize,
}

impl AppliedReplies {
    pub(crate) fn new(hub: Hub) -> Self {
        let (publishing, lines) = (FuturesUnordered::new(), HashMap::new());
        AppliedReplies { hub, publishing, lines, pending: 0, bytes: 0 }
    }

    /// Whether another reply may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.pending < REPLIES && self.bytes < BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// Publishes what a reply publishes. One that publishes nothing, and waits for nothing, comes back at once.
    pub(crate) fn apply(&mut self, checked: CheckedReply) -> Option<Applied> {
        if !self.lines.contains_key(&checked.id) && checked.publish.is_empty() {
            return Some(Applied { id: checked.id, outcome: Ok(checked.reply), bytes: 0 });
        }
        self.pending += 1;
        self.bytes += checked.bytes();
        match self.lines.get_mut(&checked.id) {
            Some(line) => line.push_back(checked),
            None => {
                self.lines.insert(checked.id, VecDeque::new());
                self.publishing.push(Box::pin(checked.apply(self.hub.clone())));
            }
        }
        None
    }

    /// The next reply that is applied.
    pub(crate) fn poll_applied(&mut self, cx: &mut Context<'_>) -> Poll<Applied> {
        match self.publishing.poll_next_unpin(cx) {
            Poll::Ready(Some(applied)) => {
                self.pending -= 1;
                self.bytes -= applied.bytes;
                match self.lines.get_mut(&applied.id).and_then(VecDeque::pop_front) {
                    Some(next) => self.publishing.push(Box::pin(next.apply(self.hub.clone()))),
                    None => {
                        self.lines.remove(&applied.id);
                    }
                }
                Poll::Ready(applied)
            }
            // Whoever adds one polls again.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl CheckedReply {
    fn bytes(&self) -> usize {
        self.publish.iter().map(|draft| draft.payload.data().len()).sum()
    }

    /// Publishes its events, one after the other.
    pub(crate) async fn apply(self, hub: Hub) -> Applied {
        let bytes = self.bytes();
        let CheckedReply { id, reply, publish } = self;
        for draft in publish {
            if let Err(refusal) = hub.publish(draft).await {
                return Applied { id, outcome: Err(refusal), bytes };
            }
        }
        Applied { id, outcome: Ok(reply), bytes }
    }
}

/// What a client is told whose backend gave a reply that could not be applied. The fault is the backend's, and told to it;
/// only a broker that is away may be better at a second try.
pub(crate) fn told_to_client(refusal: &Refusal) -> Refusal {
    if refusal.reason() == Reason::BrokerUnavailable {
        return refusal.clone();
    }
    Refusal::new(Reason::Internal, "the backend's reply could not be used")
}

/// What the backend is told.
pub(crate) fn told_to_backend(id: CommandId, refusal: &Refusal) -> fanline_proto::v1::Rejected {
    tracing::warn!(command = %id, %refusal, "a backend's reply could not be used");
    fanline_proto::v1::Rejected { id: id.to_string(), error: Some(status::message(refusal)) }
}
