//! What a stream waits for.

use fanline_edge::timers;

/// What a stream may wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Timer {
    /// The token runs out.
    Expiry,
    /// This stream's turn in the drain.
    Drain,
    /// The end of its longest life.
    Age,
    /// The warning before the token runs out.
    Expiring,
    /// It was silent for as long as it may.
    Heartbeat,
}

/// How many there are.
pub(crate) const TIMERS: usize = 5;

impl timers::Timer<TIMERS> for Timer {
    const ALL: [Timer; TIMERS] =
        [Timer::Expiry, Timer::Drain, Timer::Age, Timer::Expiring, Timer::Heartbeat];

    fn index(self) -> usize {
        self as usize
    }
}
