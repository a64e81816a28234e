//! The end of the process, as connections meet it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
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

    /// How long it takes.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }
}
