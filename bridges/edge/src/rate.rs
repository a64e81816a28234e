//! How fast something may go: a rate with a burst, and the budget of one connection for its operations.

use fanline_core::clock::Clock;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// A rate, from which any number of budgets are given out.
#[derive(Clone, Debug)]
pub struct RateLimit {
    quota: Quota,
    clock: SharedClock,
}

/// What is left of a rate for one address or connection. It holds no heap memory of its own.
#[derive(Debug)]
pub(crate) struct Budget(
    RateLimiter<NotKeyed, InMemoryState, SharedClock, NoOpMiddleware<Duration>>,
);

/// The budget of one connection for its operations.
#[derive(Debug)]
pub struct OperationBudget {
    budget: Budget,
    violations: u32,
    violations_max: u32,
}

/// What an operation is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It may proceed.
    Allowed,
    /// It came too early.
    Refused {
        /// When the next one may come.
        retry_after: Duration,
    },
    /// It came too early, as so many before it did in a row: the connection is to be closed.
    TooMany,
}

impl RateLimit {
    /// So many per second, and so many at once after a pause. A rate that lets nothing through does not exist: 0 is 1.
    #[must_use]
    pub fn new(per_second: u32, burst: u32, clock: Arc<dyn Clock>) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        RateLimit { quota, clock: SharedClock(clock) }
    }

    /// A full budget for a connection, which is given up after so many violations in a row.
    #[must_use]
    pub fn operation_budget(&self, violations_max: u32) -> OperationBudget {
        OperationBudget { budget: self.budget(), violations: 0, violations_max }
    }

    pub(crate) fn budget(&self) -> Budget {
        Budget(RateLimiter::direct_with_clock(self.quota, self.clock.clone()))
    }

    /// How long an unused budget takes to be full again, whatever was taken from it before.
    pub(crate) fn full_after(&self) -> Duration {
        self.quota.burst_size_replenished_in()
    }
}

impl Budget {
    /// Takes one; or says how long to wait for the next.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        self.0.check().map_err(|not_until| not_until.wait_time_from(self.0.clock().now()))
    }
}

impl OperationBudget {
    /// Asks for one operation more. One that is allowed ends the row of violations.
    pub fn take(&mut self) -> Verdict {
        match self.budget.take() {
            Ok(()) => {
                self.violations = 0;
                Verdict::Allowed
            }
            Err(retry_after) => {
                self.violations = self.violations.saturating_add(1);
                if self.violations >= self.violations_max {
                    Verdict::TooMany
                } else {
                    Verdict::Refused { retry_after }
                }
            }
        }
    }
}

/// The hub's clock, as the limiter asks for it.
#[derive(Clone)]
struct SharedClock(Arc<dyn Clock>);

impl governor::clock::Clock for SharedClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

impl fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedClock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::clock::ManualClock;

    fn budget(per_second: u32, burst: u32, violations: u32) -> (OperationBudget, ManualClock) {
        let clock = ManualClock::default();
        let limit = RateLimit::new(per_second, burst, Arc::new(clock.clone()));
        (limit.operation_budget(violations), clock)
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let (mut budget, clock) = budget(50, 100, 20);
        assert!((0..100).all(|_| budget.take() == Verdict::Allowed));
        assert_eq!(budget.take(), Verdict::Refused { retry_after: Duration::from_millis(20) });
        clock.advance(Duration::from_millis(20));
        assert_eq!(budget.take(), Verdict::Allowed);
        assert!(matches!(budget.take(), Verdict::Refused { .. }));
        clock.advance(Duration::from_secs(1));
        assert_eq!((0..60).filter(|_| budget.take() == Verdict::Allowed).count(), 50);
    }

    #[test]
    fn so_many_violations_in_a_row_are_too_many() {
        let (mut budget, clock) = budget(1, 1, 3);
        let refused = |verdict| matches!(verdict, Verdict::Refused { .. });
        assert_eq!(budget.take(), Verdict::Allowed);
        assert!(refused(budget.take()) && refused(budget.take()));
        clock.advance(Duration::from_secs(1));
        assert_eq!(budget.take(), Verdict::Allowed, "which ends the row");
        assert!(refused(budget.take()) && refused(budget.take()));
        assert_eq!(budget.take(), Verdict::TooMany);
    }

    #[test]
    fn a_budget_costs_a_connection_less_than_a_hundred_bytes() {
        assert!(size_of::<OperationBudget>() <= 96, "{}", size_of::<OperationBudget>());
    }

    #[test]
    fn the_fastest_rate_and_none_are_rates() {
        let (mut fastest, _clock) = budget(u32::MAX, u32::MAX, 1);
        assert_eq!(fastest.take(), Verdict::Allowed);
        let (mut none, _clock) = budget(0, 0, 2);
        assert_eq!(none.take(), Verdict::Allowed);
        assert!(matches!(none.take(), Verdict::Refused { .. }));
    }
}
