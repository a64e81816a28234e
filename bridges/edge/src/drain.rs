//! The end of the process, as connections meet it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Connections are closed one by one over a window, so that their clients do not all come back at once. Clones are one
/// drain.
#[derive(Clone, Debug)]
pub struct Drain {
    begins: CancellationToken,
    /// The same as the token, but without the lock that looking at it takes.
    begun: Arc<AtomicBool>,
    window: Duration,
}

impl Drain {
    /// A drain that has not begun and will take so long.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Drain { begins: CancellationToken::new(), begun: Arc::default(), window }
    }

    /// Begins it.
    pub fn begin(&self) {
        // Whoever is woken by the token finds the flag set.
        self.begun.store(true, Ordering::Release);
        self.begins.cancel();
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
