//! The way into the queue of notices: as many as there is room for, in the order in which they came.
//!
//! A place in a queue is given to those who wait in the order of their waiting, but they may take it up in another one.
//! Whoever waits here keeps everybody behind it waiting until it has done what it wanted the place for.

use crate::broker::{BrokerError, Notice, NoticeSender};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc::Permit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::coop::unconstrained;

/// The way into the queue.
pub(super) struct Turnstile {
    notices: NoticeSender,
    /// Held by the one who waits for room, and wanted by those behind it. It is fair.
    line: Mutex<()>,
    /// Those who hold or want it. At zero, and with room, nobody has to.
    waiting: AtomicUsize,
}

/// A place in the queue. Until it is used or dropped, those who had to wait behind it still do.
pub(super) struct Place<'a> {
    permit: Permit<'a, Notice>,
    _turn: Option<Turn<'a>>,
}

/// The front of the line. It is left before it counts as left, so that nobody passes those who wait.
struct Turn<'a> {
    _front: MutexGuard<'a, ()>,
    _waiting: Waiting<'a>,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Turnstile {
    pub(super) fn new(notices: NoticeSender) -> Self {
        Turnstile { notices, line: Mutex::default(), waiting: AtomicUsize::new(0) }
    }

    /// Takes a place, before anything is done: what is done then is noticed.
    pub(super) async fn place(&self) -> Result<Place<'_>, BrokerError> {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            match self.notices.try_reserve() {
                Ok(permit) => return Ok(Place { permit, _turn: None }),
                Err(TrySendError::Full(())) => {}
                Err(TrySendError::Closed(())) => return Err(BrokerError::Unavailable),
            }
        }
        let waiting = Waiting::enter(&self.waiting);
        // Unconstrained: a task that has used up its time slice would be sent away before it is in line.
        let front = unconstrained(self.line.lock()).await;
        let turn = Turn { _front: front, _waiting: waiting };
        let permit = self.notices.reserve().await.map_err(|_hub_is_gone| BrokerError::Unavailable);
        Ok(Place { permit: permit?, _turn: Some(turn) })
    }
}

impl Place<'_> {
    pub(super) fn send(self, notice: Notice) {
        self.permit.send(notice);
    }
}

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{MaybeDone, maybe_done};
    use futures_util::poll;
    use std::cell::RefCell;
    use std::pin::pin;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn those_who_have_to_wait_come_in_the_order_of_their_coming() {
        const MANY: usize = 300;
        let (notices, mut hub) = mpsc::channel(2);
        let turnstile = Turnstile::new(notices);
        let order = RefCell::new(Vec::new());
        let mut coming: Vec<_> = (0..MANY)
            .map(|number| {
                let (turnstile, order) = (&turnstile, &order);
                Box::pin(maybe_done(async move {
                    let place = turnstile.place().await.unwrap();
                    order.borrow_mut().push(number);
                    place.send(Notice::Nodes);
                }))
            })
            .collect();
        for one in &mut coming {
            let _pending_or_done = poll!(one);
        }
        assert_eq!(*order.borrow(), [0, 1], "there is no more room");
        while coming.iter().any(|one| matches!(**one, MaybeDone::Future(_))) {
            // All places at once, and those behind are asked first.
            while hub.try_recv().is_ok() {}
            tokio::task::yield_now().await;
            for one in coming.iter_mut().rev() {
                let _pending_or_done = poll!(one);
            }
        }
        assert_eq!(*order.borrow(), (0..MANY).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_holds_up_nobody() {
        let (notices, mut hub) = mpsc::channel(1);
        let turnstile = Turnstile::new(notices);
        turnstile.place().await.unwrap().send(Notice::Nodes);
        {
            let mut impatient = pin!(turnstile.place());
            assert!(poll!(&mut impatient).is_pending());
        }
        assert!(hub.recv().await.is_some());
        assert_eq!(turnstile.waiting.load(Ordering::SeqCst), 0);
        turnstile.place().await.unwrap().send(Notice::Nodes);
    }
}
