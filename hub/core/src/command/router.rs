//! How a command finds a backend: the trait, and what passes through it.

use super::{Command, MethodName, ReplySink};
use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Brings commands to backends of one kind. Every implementation passes the suite `command::conformance` (feature
/// `conformance`).
///
/// A router owes no deadline and no second try: a [`Call`](super::Call) sees to both.
pub trait CommandRouter: Send + Sync + 'static {
    /// How busy those are who answer a method. None: nobody does.
    fn load(&self, method: &MethodName) -> Option<Load>;

    /// Sends a command on its way; its replies go to the sink. Nobody to ask, or no room, is an error in the sink. A sink
    /// that is dropped before the last reply says that the backend is gone and may have carried the command out.
    ///
    /// Dropping the ticket gives the command up: the backend is told, and later replies are ignored.
    fn dispatch(&self, command: Arc<Command>, sink: ReplySink) -> Ticket;
}

/// A command that is waited for, until this is dropped.
#[must_use = "a command is given up when its ticket is dropped"]
pub struct Ticket(
    #[expect(dead_code, reason = "it is held to be dropped")] Option<Box<dyn Any + Send + Sync>>,
);

/// How busy backends are: commands that they have, and commands that they may have at a time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// Those that they have, and those that wait for them.
    pub outstanding: usize,
    /// Those that they may have.
    pub capacity: usize,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl Ticket {
    /// A ticket that gives the command up by dropping `guard`.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Ticket(Some(Box::new(guard)))
    }

    /// The ticket of a command that is answered already.
    pub fn spent() -> Self {
        Ticket(None)
    }
}

impl Load {
    /// Which of two has more room for its size.
    #[must_use]
    pub fn compare(self, other: Load) -> Ordering {
        let product = |of: Load, by: Load| of.outstanding as u128 * by.capacity as u128;
        product(self, other).cmp(&product(other, self)).then(other.capacity.cmp(&self.capacity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_compared_by_its_share_and_then_by_its_size() {
        let load = |outstanding, capacity| Load { outstanding, capacity };
        assert_eq!(load(1, 10).compare(load(1, 2)), Ordering::Less);
        assert_eq!(load(5, 10).compare(load(1, 10)), Ordering::Greater);
        assert_eq!(load(0, 64).compare(load(0, 8)), Ordering::Less);
        assert_eq!(load(3, 4).compare(load(3, 4)), Ordering::Equal);
    }
}
