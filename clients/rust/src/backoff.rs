//! How long to wait before the next attempt: full jitter, so that the clients of a hub that was away do not come back at
//! one moment.

use std::time::Duration;

use crate::limits::{BACKOFF_FIRST, BACKOFF_LAST, RETRY_AFTER_MAX};

/// Counts the failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure. `retry_after` is what the hub asks for at least; `fraction` is random, from 0 to 1.
    pub(crate) fn next(&mut self, retry_after: Option<Duration>, fraction: f64) -> Duration {
        let doubled =
            BACKOFF_FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        asked + doubled.min(BACKOFF_LAST).mul_f64(fraction)
    }

    /// Something succeeded: the next failure is a first one.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_doubles_up_to_its_bound_and_starts_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let ranges: Vec<u128> = (0..9).map(|_| backoff.next(None, 1.0).as_millis()).collect();
        assert_eq!(ranges, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        for _ in 0..100 {
            backoff.next(None, 1.0);
        }
        assert_eq!(backoff.next(None, 0.5).as_millis(), 5000);
        backoff.reset();
        assert_eq!(backoff.next(None, 0.0), Duration::ZERO);
    }

    #[test]
    fn what_the_hub_asks_for_is_the_least_within_reason() {
        let mut backoff = Backoff::default();
        let second = Duration::from_secs(1);
        assert_eq!(backoff.next(Some(second), 0.0), second);
        assert_eq!(backoff.next(Some(second), 1.0), second + Duration::from_millis(200));
        assert_eq!(backoff.next(Some(Duration::from_secs(3600)), 0.0), RETRY_AFTER_MAX);
    }
}
