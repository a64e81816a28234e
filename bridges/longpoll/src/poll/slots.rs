//! How many polls of one token and one cursor there may be at once.

use crate::limits::{POLLS_PER_CURSOR, RETRY_POLL};
use fanline_core::ids::ConnectionId;
use fanline_core::{Reason, Refusal};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the polls under way. Clones are one count. There are never more entries than polls, and those the admission
/// has counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    polls: Mutex<HashMap<Key, usize>>,
    hasher: RandomState,
}

/// The caller, and a hash of its cursor: a caller whose cursors collide only meets the limit early.
type Key = (ConnectionId, u64);

/// A poll under way. It counts until this is dropped.
#[derive(Debug)]
#[must_use = "a poll counts as long as this is held"]
pub(crate) struct Slot {
    table: Arc<Table>,
    key: Key,
}

impl Slots {
    /// Counts a poll of a caller with a cursor, or with none.
    ///
    /// # Errors
    /// [`Reason::LimitExceeded`] when there are as many as there may be.
    pub(crate) fn take(&self, caller: ConnectionId, cursor: Option<&str>) -> Result<Slot, Refusal> {
        let key = (caller, self.0.hasher.hash_one(cursor));
        let mut polls = self.0.lock();
        let count = polls.entry(key).or_default();
        if *count >= POLLS_PER_CURSOR {
            let message =
                format!("{POLLS_PER_CURSOR} polls with this token and cursor wait already");
            let refusal = Refusal::new(Reason::LimitExceeded, message).with_field("cursor");
            return Err(refusal.with_retry_after(RETRY_POLL));
        }
        *count += 1;
        Ok(Slot { table: Arc::clone(&self.0), key })
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut polls = self.table.lock();
        if let Some(count) = polls.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                polls.remove(&self.key);
                if polls.capacity() > 64 && polls.capacity() / 4 > polls.len() {
                    // A wave of polls must not leave its room behind.
                    polls.shrink_to_fit();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::clock::Timestamp;
    use fanline_core::random::Random;

    #[test]
    fn so_many_polls_of_one_cursor_wait_and_others_are_free() {
        let (slots, random) = (Slots::default(), Random::seeded(1));
        let [ada, bob] = [(); 2].map(|()| ConnectionId::new(Timestamp::default(), &random));
        let mut held: Vec<_> =
            (0..POLLS_PER_CURSOR).map(|_| slots.take(ada, Some("e-1")).unwrap()).collect();
        let refusal = slots.take(ada, Some("e-1")).unwrap_err();
        assert_eq!(refusal.reason(), Reason::LimitExceeded);
        assert_eq!(refusal.retry_after(), Some(RETRY_POLL));
        let others = [
            slots.take(ada, Some("e-2")).unwrap(),
            slots.take(ada, None).unwrap(),
            slots.take(bob, Some("e-1")).unwrap(),
        ];
        held.pop();
        held.push(slots.take(ada, Some("e-1")).unwrap());
        drop((held, others));
        assert!(slots.0.lock().is_empty());
    }
}
