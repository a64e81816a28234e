//! How long a poll waits, and what ends it.

use super::batch::Batch;
use crate::limits::PATIENCE;
use fanline_core::Feed;
use fanline_edge::{Caller, Edge};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

/// The wait of a poll: for news, for its end, for the end of its token, for an order to end, or for the drain.
pub(crate) struct Wait {
    over: Instant,
    /// When a poll whose history cannot be read is given up. It has not waited for news until then.
    patience: Instant,
    /// None: beyond what an `Instant` holds.
    expiry: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    drain: Pin<Box<WaitForCancellationFutureOwned>>,
    ordered: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// What ended it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// News, the time is over, or the node drains: the client asks again with the cursor that it gets.
    Answer,
    /// The token's time is over.
    Expired,
    /// A backend ended the connection, or the token was revoked.
    Ordered,
    /// The broker did not give the history before the news: nothing can be said of what is new.
    NoHistory,
}

impl Wait {
    /// A wait that begins now.
    pub(crate) fn new(edge: &Edge, caller: &Caller, wait: Duration) -> Self {
        let now = Instant::now();
        let over = now + wait;
        Wait {
            over,
            patience: now + wait.max(PATIENCE),
            expiry: now.checked_add(caller.client().expires_in()),
            timer: Box::pin(sleep_until(over)),
            drain: Box::pin(edge.drain.begins().cancelled_owned()),
            ordered: Box::pin(caller.ended().cancelled_owned()),
        }
    }

    /// Reads what is new into the batch; pending as long as the poll waits.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        feed: &mut Feed,
        batch: &mut Batch,
    ) -> Poll<End> {
        loop {
            let now = Instant::now();
            // Before anything is read: no event passes by a token or a connection that has ended.
            if self.expiry.is_some_and(|expiry| now >= expiry) {
                return Poll::Ready(End::Expired);
            }
            if self.ordered.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Ordered);
            }
            // Whether it has come to an end shows in the batch.
            let _delivered = feed.poll_deliver(cx, batch);
            if batch.has_news() || self.drain.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Answer);
            }
            let (until, end) = match feed.is_idle() {
                true => (self.over, End::Answer),
                false => (self.patience, End::NoHistory),
            };
            if now >= until {
                return Poll::Ready(end);
            }
            let until = self.expiry.map_or(until, |expiry| until.min(expiry));
            if self.timer.deadline() != until {
                self.timer.as_mut().reset(until);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
