//! A number of bytes that many share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes, and no more, for all who take from it.
#[derive(Debug)]
pub(crate) struct Budget {
    taken: AtomicUsize,
    max: usize,
}

/// A part of a budget, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Budget { taken: AtomicUsize::new(0), max })
    }

    /// Takes a part, if there is as much left.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        let fits = |taken: usize| taken.checked_add(bytes).filter(|&sum| sum <= self.max);
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.ok().map(|_| Held { budget: Arc::clone(self), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_taken_again_and_never_more_than_all() {
        let budget = Budget::new(10);
        let most = budget.take(8).unwrap();
        assert!(budget.take(3).is_none() && budget.take(usize::MAX).is_none());
        let rest = budget.take(2).unwrap();
        drop(most);
        assert!(budget.take(9).is_none());
        drop(rest);
        assert!(budget.take(10).is_some());
    }
}
