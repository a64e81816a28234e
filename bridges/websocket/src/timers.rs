//! All times that a connection waits for, on one timer of the runtime.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

/// What a connection may wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Timer {
    /// The first frame `auth`.
    Auth,
    /// The next Ping.
    Ping,
    /// The Pong to it.
    Pong,
    /// Progress of a write.
    Write,
    /// The warning before the token runs out.
    Expiring,
    /// The token runs out.
    Expiry,
    /// This connection's turn in the drain.
    Drain,
    /// The client's answer to our Close.
    Linger,
}

const TIMERS: [Timer; 8] = [
    Timer::Auth,
    Timer::Ping,
    Timer::Pong,
    Timer::Write,
    Timer::Expiring,
    Timer::Expiry,
    Timer::Drain,
    Timer::Linger,
];

/// The timers. Setting one later, or clearing it, costs nothing: the runtime's timer then fires for nobody, once.
pub(crate) struct Timers {
    due: [Option<Instant>; TIMERS.len()],
    sleep: Pin<Box<Sleep>>,
    /// Until then there is nothing to do: the runtime will wake this task, whose waker stays the same.
    asleep_until: Option<Instant>,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Timers {
            due: [None; TIMERS.len()],
            sleep: Box::pin(sleep_until(far_future())),
            asleep_until: None,
        }
    }

    pub(crate) fn set(&mut self, timer: Timer, after: Duration) {
        // A time beyond what an `Instant` holds is never.
        let at = Instant::now().checked_add(after);
        self.due[timer as usize] = at;
        self.asleep_until = self.asleep_until.filter(|until| at.is_none_or(|at| *until <= at));
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.due[timer as usize] = None;
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.due[timer as usize].is_some()
    }

    /// Waits for the next timer, which is cleared. To be called by one task only.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Timer> {
        // A look at the clock is cheaper than one at the runtime's timer.
        if self.asleep_until.is_some_and(|until| Instant::now() < until) {
            return Poll::Pending;
        }
        self.asleep_until = None;
        loop {
            let now = Instant::now();
            let is_due = |timer: &&Timer| self.due[**timer as usize].is_some_and(|at| at <= now);
            if let Some(&timer) = TIMERS.iter().find(is_due) {
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

/// As good as never, and safe to add to.
fn far_future() -> Instant {
    Instant::now() + Duration::from_secs(365 * 24 * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn timers_fire_in_the_order_of_their_times_whatever_is_set_and_cleared() {
        let mut timers = Timers::new();
        let start = Instant::now();
        timers.set(Timer::Ping, Duration::from_secs(25));
        timers.set(Timer::Write, Duration::from_secs(10));
        timers.set(Timer::Auth, Duration::from_secs(5));
        timers.clear(Timer::Write);
        timers.set(Timer::Drain, Duration::MAX);
        for (timer, seconds) in [(Timer::Auth, 5), (Timer::Ping, 25)] {
            assert_eq!(poll_fn(|cx| timers.poll_next(cx)).await, timer);
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
        timers.set(Timer::Linger, Duration::ZERO);
        assert_eq!(poll_fn(|cx| timers.poll_next(cx)).await, Timer::Linger);
    }
}
