//! The end of the process, as connections meet it.

use fanline_core::random::Random;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

/// Connections are closed one by one over a window, so that their clients do not all come back at once. Clones are one
/// drain.
#[derive(Clone, Debug)]
pub struct Drain {
    /// Wakes every connection, once.
    begins: CancellationToken,
    /// What they look at when they are awake: a look at the token would take a lock that all of them share.
    begun: Arc<AtomicBool>,
    window: Duration,
}

impl Drain {
    /// A drain that begins with `stop` and takes `window`.
    #[must_use]
    pub fn at(stop: CancellationToken, window: Duration, tasks: &TaskTracker) -> Self {
        let drain = Drain { begins: CancellationToken::new(), begun: Arc::default(), window };
        let begun = drain.clone();
        tasks.spawn(async move {
            stop.cancelled().await;
            // Whoever is woken by the token finds the flag set.
            begun.begun.store(true, Ordering::Release);
            begun.begins.cancel();
        });
        drain
    }

    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// Fires when it begins.
    #[must_use]
    pub fn begins(&self) -> CancellationToken {
        self.begins.clone()
    }

    /// One connection's part in it.
    #[must_use]
    pub fn turn(&self) -> DrainTurn {
        let begins = Box::pin(self.begins.clone().cancelled_owned());
        DrainTurn { drain: self.clone(), begins, enrolled: false, told: false }
    }
}

/// One connection's part in a drain: it is told once, with the time until its turn comes.
#[derive(Debug)]
pub struct DrainTurn {
    drain: Drain,
    /// Wakes the task of the connection. Polled once, to say so: it takes a lock that all connections share.
    begins: Pin<Box<WaitForCancellationFutureOwned>>,
    enrolled: bool,
    told: bool,
}

impl DrainTurn {
    /// Ready once, when the drain has begun. To be called by one task only.
    pub fn poll_begun(&mut self, cx: &mut Context<'_>, random: &Random) -> Poll<Duration> {
        if !self.enrolled {
            self.enrolled = true;
            let _begun = self.begins.as_mut().poll(cx);
        }
        if self.told || !self.drain.has_begun() {
            return Poll::Pending;
        }
        self.told = true;
        Poll::Ready(random.between(Duration::ZERO, self.drain.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_woken_and_told_its_turn_once() {
        let (stop, tasks, random) =
            (CancellationToken::new(), TaskTracker::new(), Random::seeded(1));
        let window = Duration::from_secs(30);
        let mut turn = Drain::at(stop.clone(), window, &tasks).turn();
        let told = tasks.spawn(async move {
            let delay = poll_fn(|cx| turn.poll_begun(cx, &random)).await;
            let again = poll_fn(|cx| Poll::Ready(turn.poll_begun(cx, &random))).await;
            (delay, again)
        });
        tokio::task::yield_now().await;
        assert!(!told.is_finished());
        stop.cancel();
        let (delay, again) = told.await.unwrap();
        assert!(delay < window && again.is_pending());
    }
}
