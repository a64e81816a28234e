//! The way of replies from a backend to the call that waits for them: bounded, and never in anybody's way.
//!
//! Whoever speaks to the backend holds the [`ReplySink`] and never waits: a client that takes its replies too slowly
//! loses the rest of them, is told so, and holds up no other client's. A sink that is dropped before the last reply
//! tells the call that the backend is gone.

use super::budget::{Budget, Held};
use super::{CommandError, Reply};
use crate::limits::{REPLIES_AHEAD, REPLY_BYTES_AHEAD};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// Where the replies to one command go.
#[derive(Debug)]
pub struct ReplySink {
    sender: mpsc::Sender<Item>,
    shared: Arc<Shared>,
}

/// The replies to one command.
#[derive(Debug)]
pub struct Replies {
    receiver: mpsc::Receiver<Item>,
    shared: Arc<Shared>,
}

/// What came.
#[derive(Debug)]
pub enum Received {
    /// A reply.
    Reply(Reply),
    /// There is no answer but this.
    Failed(CommandError),
    /// Whoever had the command is gone, without a last reply.
    Lost,
}

/// The client is too far behind; its call has been ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the client is too far behind with its replies")]
pub struct ReplyOverflow;

#[derive(Debug)]
struct Shared {
    /// The bytes of one call, and of the whole node.
    ahead: Arc<Budget>,
    node: Arc<Budget>,
    overflowed: AtomicBool,
}

#[derive(Debug)]
enum Item {
    Reply(Reply, [Held; 2]),
    Failed(CommandError),
}

/// Both ends of the way. The bytes that are on it count in `node`, which all calls share.
#[must_use]
pub(crate) fn reply_pair_within(node: Arc<Budget>) -> (ReplySink, Replies) {
    // One place more than replies: an error always finds room.
    let (sender, receiver) = mpsc::channel(REPLIES_AHEAD + 1);
    let overflowed = AtomicBool::new(false);
    let shared = Arc::new(Shared { ahead: Budget::new(REPLY_BYTES_AHEAD), node, overflowed });
    (ReplySink { sender, shared: Arc::clone(&shared) }, Replies { receiver, shared })
}

/// Both ends of a way that counts for itself, for tests of routers.
#[must_use]
pub fn reply_pair() -> (ReplySink, Replies) {
    reply_pair_within(Budget::new(usize::MAX))
}

impl ReplySink {
    /// Passes a reply on. After the last one the sink is of no further use.
    ///
    /// # Errors
    /// The client is too far behind: it gets what is on its way and then an error. Drop the sink.
    pub fn send(&self, reply: Reply) -> Result<(), ReplyOverflow> {
        let bytes = reply.cost();
        let held = || Some([self.shared.ahead.take(bytes)?, self.shared.node.take(bytes)?]);
        let sent = match held() {
            Some(held) if self.sender.capacity() > 1 => !matches!(
                self.sender.try_send(Item::Reply(reply, held)),
                Err(mpsc::error::TrySendError::Full(_))
            ),
            Some(_) | None => false,
        };
        if sent {
            return Ok(());
        }
        self.shared.overflowed.store(true, Ordering::Release);
        Err(ReplyOverflow)
    }

    /// Ends the call with an error.
    pub fn fail(self, error: CommandError) {
        let _nobody_waits_any_more = self.sender.try_send(Item::Failed(error));
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Replies {
    /// Waits for the next. After a last reply or an error nothing more comes.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        Poll::Ready(match ready!(self.receiver.poll_recv(cx)) {
            Some(Item::Reply(reply, _held)) => Received::Reply(reply),
            Some(Item::Failed(error)) => Received::Failed(error),
            None if self.shared.overflowed.load(Ordering::Acquire) => {
                Received::Failed(CommandError::limit("the replies were not taken fast enough"))
            }
            None => Received::Lost,
        })
    }

    /// Waits for the next.
    pub async fn next(&mut self) -> Received {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;
    use crate::testing::body;

    fn reply(number: u64, more: bool) -> Reply {
        Reply { more, ..Reply::only(body(number).payload) }
    }

    #[tokio::test]
    async fn a_client_that_is_too_far_behind_gets_what_is_on_its_way_and_then_an_error() {
        let (sink, mut replies) = reply_pair();
        for number in 0..REPLIES_AHEAD as u64 {
            assert_eq!(sink.send(reply(number, true)), Ok(()));
        }
        assert_eq!(sink.send(reply(7, true)), Err(ReplyOverflow));
        drop(sink);
        for _ in 0..REPLIES_AHEAD {
            assert!(matches!(replies.next().await, Received::Reply(_)));
        }
        let Received::Failed(CommandError::Hub(refusal)) = replies.next().await else {
            panic!("an error ends them")
        };
        assert_eq!(refusal.reason(), Reason::LimitExceeded);
    }

    #[tokio::test]
    async fn the_bytes_of_all_calls_have_one_bound() {
        let node = Budget::new(reply(1, true).cost());
        let (first, mut first_replies) = reply_pair_within(Arc::clone(&node));
        let (second, _second_replies) = reply_pair_within(node);
        assert_eq!(first.send(reply(1, true)), Ok(()));
        assert_eq!(second.send(reply(2, true)), Err(ReplyOverflow));
        assert!(matches!(first_replies.next().await, Received::Reply(_)));
        let (third, _third_replies) = reply_pair_within(Arc::clone(&second.shared.node));
        assert_eq!(third.send(reply(3, true)), Ok(()), "what was taken makes room");
    }

    #[tokio::test]
    async fn a_sink_that_is_dropped_early_is_a_lost_backend() {
        let (sink, mut replies) = reply_pair();
        sink.send(reply(1, true)).unwrap();
        drop(sink);
        assert!(matches!(replies.next().await, Received::Reply(_)));
        assert!(matches!(replies.next().await, Received::Lost));
    }
}
