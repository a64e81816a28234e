//! All times that a connection waits for, on one timer of the runtime. Which those are, its bridge says.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

/// The names of what a connection of one kind may wait for.
pub trait Timer<const N: usize>: Copy {
    /// All of them; of two that are due, the first fires first.
    const ALL: [Self; N];

    /// The place in the list.
    fn index(self) -> usize;
}

/// The timers. Setting one later, or clearing it, costs nothing: the runtime's timer then fires for nobody, once.
#[derive(Debug)]
pub struct Timers<T, const N: usize> {
    due: [Option<Instant>; N],
    sleep: Pin<Box<Sleep>>,
    /// Until then there is nothing to do: the runtime will wake this task, whose waker stays the same.
    asleep_until: Option<Instant>,
    names: PhantomData<T>,
}

impl<T: Timer<N>, const N: usize> Timers<T, N> {
    /// Timers of which none is set.
    #[must_use]
    pub fn new() -> Self {
        Timers {
            due: [None; N],
            sleep: Box::pin(sleep_until(far_future())),
            asleep_until: None,
            names: PhantomData,
        }
    }

    /// Sets a timer, in place of what it was set to before.
    pub fn set(&mut self, timer: T, after: Duration) {
        // A time beyond what an `Instant` holds is never.
        let at = Instant::now().checked_add(after);
        self.due[timer.index()] = at;
        self.asleep_until = self.asleep_until.filter(|until| at.is_none_or(|at| *until <= at));
    }

    /// Takes a timer back.
    pub fn clear(&mut self, timer: T) {
        self.due[timer.index()] = None;
    }

    /// Takes all timers back.
    pub fn clear_all(&mut self) {
        self.due = [None; N];
    }

    /// Whether a timer is set.
    #[must_use]
    pub fn is_set(&self, timer: T) -> bool {
        self.due[timer.index()].is_some()
    }

    /// Waits for the next timer, which is cleared. To be called by one task only.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        // A look at the clock is cheaper than one at the runtime's timer.
        if self.asleep_until.is_some_and(|until| Instant::now() < until) {
            return Poll::Pending;
        }
        self.asleep_until = None;
        loop {
            let now = Instant::now();
            let is_due = |timer: &T| self.due[timer.index()].is_some_and(|at| at <= now);
            if let Some(timer) = T::ALL.into_iter().find(is_due) {
                self.clear(timer);
                return Poll::Ready(timer);
            }
            let until = self.due.iter().flatten().min().copied().unwrap_or_else(far_future);
            self.sleep.as_mut().reset(until);
            // Without budget the runtime puts us off, and wakes us at once, before it looks at the timer.
            let looked = coop::has_budget_remaining();
            if self.sleep.as_mut().poll(cx).is_pending() {
                self.asleep_until = looked.then_some(until);
                return Poll::Pending;
            }
        }
    }
}

impl<T: Timer<N>, const N: usize> Default for Timers<T, N> {
    fn default() -> Self {
        Timers::new()
    }
}

/// As good as never, and safe to add to.
fn far_future() -> Instant {
    Instant::now() + Duration::from_secs(365 * 24 * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    enum Wait {
        Token,
        Answer,
        Write,
        Drain,
    }

    impl Timer<4> for Wait {
        const ALL: [Wait; 4] = [Wait::Token, Wait::Answer, Wait::Write, Wait::Drain];

        fn index(self) -> usize {
            self as usize
        }
    }

    #[tokio::test(start_paused = true)]
    async fn timers_fire_in_the_order_of_their_times_whatever_is_set_and_cleared() {
        let mut timers = Timers::new();
        let start = Instant::now();
        timers.set(Wait::Answer, Duration::from_secs(25));
        timers.set(Wait::Write, Duration::from_secs(10));
        timers.set(Wait::Token, Duration::from_secs(5));
        timers.clear(Wait::Write);
        timers.set(Wait::Drain, Duration::MAX);
        for (timer, seconds) in [(Wait::Token, 5), (Wait::Answer, 25)] {
            assert_eq!(poll_fn(|cx| timers.poll_next(cx)).await, timer);
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
        timers.set(Wait::Write, Duration::ZERO);
        assert_eq!(poll_fn(|cx| timers.poll_next(cx)).await, Wait::Write);
    }
}
