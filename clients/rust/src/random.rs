//! Randomness for jitter and idempotency keys, seeded once for each client.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, SeedableRng as _, TryRng as _};

/// A source of random bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Random(Arc<Mutex<StdRng>>);

impl Random {
    /// Seeded by the operating system.
    pub(crate) fn from_system() -> io::Result<Self> {
        let mut seed = [0; 32];
        SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
        Ok(Self(Arc::new(Mutex::new(StdRng::from_seed(seed)))))
    }

    /// A number from 0 up to, not including, 1.
    pub(crate) fn fraction(&self) -> f64 {
        // 53 bits are what a double holds exactly.
        (u64::from_le_bytes(self.bytes()) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// An idempotency key that nobody else has: 128 bits.
    pub(crate) fn key(&self) -> String {
        format!("{:032x}", u128::from_le_bytes(self.bytes()))
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }
}
