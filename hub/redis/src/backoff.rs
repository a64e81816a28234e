//! How long to wait before another try: doubling, with full jitter, so that nodes that lost Redis together do not come
//! back together.

use fanline_core::random::Random;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// The waits between tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    random: Random,
    ceiling: Duration,
}

impl Backoff {
    pub(crate) fn new(random: Random) -> Self {
        Backoff { random, ceiling: FIRST }
    }

    /// The next wait: anything up to a ceiling that doubles. Never nothing, so that no peer makes us spin.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.ceiling.mul_f64(self.random.fraction()).max(FIRST / 10);
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        wait
    }

    /// A try succeeded.
    pub(crate) fn reset(&mut self) {
        self.ceiling = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_two_seconds_and_start_anew_after_a_success() {
        let mut backoff = Backoff::new(Random::seeded(1));
        let waits: Vec<_> = (0..200).map(|_| backoff.next()).collect();
        assert!(
            waits[0] <= FIRST && waits.iter().all(|wait| (FIRST / 10..=LONGEST).contains(wait))
        );
        assert!(waits.iter().max().unwrap() > &Duration::from_millis(1500));
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
