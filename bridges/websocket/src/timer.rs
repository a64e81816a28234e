//! What a connection waits for.

use fanline_edge::timers;

/// What a connection may wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Timer {
    /// The first frame `auth`.
    Auth,
    /// The next Ping.
    Ping,
    /// The Pong to it.
    Pong,
    /// Progress of a write.
    Write,
    /// The warning before the token runs out.
    Expiring,
    /// The token runs out.
    Expiry,
    /// This connection's turn in the drain.
    Drain,
    /// The client's answer to our Close.
    Linger,
}

/// How many there are.
pub(crate) const TIMERS: usize = 8;

impl timers::Timer<TIMERS> for Timer {
    const ALL: [Timer; TIMERS] = [
        Timer::Auth,
        Timer::Ping,
        Timer::Pong,
        Timer::Write,
        Timer::Expiring,
        Timer::Expiry,
        Timer::Drain,
        Timer::Linger,
    ];

    fn index(self) -> usize {
        self as usize
    }
}
