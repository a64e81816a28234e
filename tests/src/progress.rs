//! How far members have come, so that a publisher can stay within what history holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{interval, timeout};

/// How long the last member may take. Shorter than the quickest Ping (20 s), which would wake a connection that the hub has
/// forgotten to wake, and hide that.
const STANDSTILL: Duration = Duration::from_secs(15);

/// The offsets that a number of members have reached.
#[derive(Clone, Debug)]
pub struct Progress(Arc<[AtomicU64]>);

impl Progress {
    /// All members at the start.
    pub fn of(members: usize) -> Self {
        Self((0..members).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes that a member has come to `offset`.
    pub fn reached(&self, member: usize, offset: u64) {
        self.0[member].store(offset, Ordering::Relaxed);
    }

    /// The offset that all members have reached.
    pub fn least(&self) -> u64 {
        let offsets = self.0.iter().map(|offset| offset.load(Ordering::Relaxed));
        offsets.min().unwrap_or(u64::MAX)
    }

    /// Waits until all members have reached `offset`, and panics when they take too long.
    pub async fn until(&self, offset: u64) {
        let reached = async {
            let mut ticks = interval(Duration::from_millis(1));
            while self.least() < offset {
                ticks.tick().await;
            }
        };
        if timeout(STANDSTILL, reached).await.is_err() {
            let mut offsets: Vec<u64> =
                self.0.iter().map(|offset| offset.load(Ordering::Relaxed)).collect();
            offsets.sort_unstable();
            let behind = offsets.partition_point(|reached| *reached < offset);
            let (least, most) = (offsets.first(), offsets.last());
            panic!(
                "{behind} members are not at {offset} after {STANDSTILL:?}: the last is at {least:?}, the first at {most:?}"
            );
        }
    }
}
