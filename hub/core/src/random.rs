//! Randomness, passed in so that a run can be replayed from its seed.

use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng, TryRng};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A source of random bytes, shared by all that need it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Random(Arc<Mutex<StdRng>>);

impl Random {
    /// Seeded by the operating system: unpredictable, as ids and epochs must be.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn from_system() -> std::io::Result<Self> {
        let mut seed = [0; 32];
        SysRng.try_fill_bytes(&mut seed).map_err(std::io::Error::other)?;
        Ok(Random(Arc::new(Mutex::new(StdRng::from_seed(seed)))))
    }

    /// The same bytes at each run, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Random(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// The next `N` bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }

    /// A number from 0 up to, not including, 1: for jitter.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        // 53 bits are what a double holds exactly.
        (u64::from_le_bytes(self.bytes()) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A time from `shortest` up to, not including, `longest`.
    #[must_use]
    pub fn between(&self, shortest: Duration, longest: Duration) -> Duration {
        shortest + longest.saturating_sub(shortest).mul_f64(self.fraction())
    }

    /// A time that differs from `duration` by up to `part` of it, so that what began together does not stay together.
    #[must_use]
    pub fn around(&self, duration: Duration, part: f64) -> Duration {
        self.between(duration.mul_f64(1.0 - part), duration.mul_f64(1.0 + part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        assert_eq!(Random::seeded(7).bytes::<32>(), Random::seeded(7).bytes::<32>());
        assert_ne!(
            Random::from_system().unwrap().bytes::<32>(),
            Random::from_system().unwrap().bytes::<32>()
        );
    }

    #[test]
    fn fractions_stay_below_one() {
        let random = Random::seeded(1);
        assert!((0..1000).map(|_| random.fraction()).all(|f| (0.0..1.0).contains(&f)));
    }

    #[test]
    fn a_time_with_jitter_stays_in_its_bounds() {
        let (random, seconds) = (Random::seeded(1), Duration::from_secs);
        let range = seconds(16)..seconds(24);
        assert!((0..1000).all(|_| range.contains(&random.around(seconds(20), 0.2))));
        assert_eq!(random.between(seconds(3), seconds(1)), seconds(3));
    }
}
