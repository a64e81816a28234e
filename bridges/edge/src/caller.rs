//! Who sends plain HTTP requests: a token, verified once and remembered for as long as it is in use.
//!
//! A request of the uplink and a poll are soon over, and the next of the same client follows. What they have in common is
//! kept here by token: the verified identity, the budget of operations, and the connection as which its polls are
//! present in channels. Nothing of it is needed to answer a request: any other node verifies the token anew.

use crate::client::Client;
use crate::limits::{
    CALLER_IDLE, CALLERS, LEAVES_AT_ONCE, RETRY_WHEN_FULL, TICKET_BURST, TICKETS_PER_SECOND,
};
use crate::presence::Presences;
use crate::rate::{Budget, RateLimit};
use crate::token::{Identity, TokenDigest};
use fanline_core::clock::Clock;
use fanline_core::connections::{Ending, Transport};
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The tokens in use on this node. Clones are the same table.
#[derive(Clone)]
pub struct Callers(Arc<Table>);

/// A token in use.
#[derive(Debug)]
pub struct Caller {
    client: Client,
    operations: Budget,
    tickets: Budget,
    presences: Arc<Presences>,
    calls: Arc<Semaphore>,
    over: Arc<Over>,
    /// Ends the presences with the token, and everything when a backend says so.
    _at_end: DropGuard,
}

/// Whether a caller was ordered to end.
#[derive(Debug, Default)]
struct Over {
    ending: OnceLock<Ending>,
    ended: CancellationToken,
}

impl Callers {
    /// A table that is empty, whose callers may do so many operations each.
    #[must_use]
    pub fn new(hub: Hub, operations: RateLimit) -> Self {
        Callers::with_room(hub, operations, CALLERS)
    }

    fn with_room(hub: Hub, operations: RateLimit, callers_max: usize) -> Self {
        let tickets = RateLimit::new(TICKETS_PER_SECOND, TICKET_BURST, Arc::clone(hub.clock()));
        Callers(Arc::new(Table { hub, operations, tickets, callers_max, state: Mutex::default() }))
    }

    /// The caller with a token, if it is in use and was verified by the rules of this
    /// [generation](crate::TokenVerifier::generation).
    #[must_use]
    pub fn find(&self, token: &TokenDigest, generation: u64) -> Option<Arc<Caller>> {
        let now = self.0.clock().monotonic();
        let mut state = self.0.lock();
        let in_use =
            |entry: &&mut Entry| entry.generation == generation && entry.caller.ending().is_none();
        let entry = state.entries.get_mut(token).filter(in_use)?;
        entry.last_used = now;
        Some(Arc::clone(&entry.caller))
    }

    /// The caller with a token that was verified just now, by the rules of this generation.
    ///
    /// # Errors
    /// [`Reason::LimitExceeded`] when there are too many tokens in use at once.
    pub fn insert(
        &self,
        token: TokenDigest,
        generation: u64,
        identity: Identity,
    ) -> Result<Arc<Caller>, Refusal> {
        let hub = &self.0.hub;
        let now = hub.clock().monotonic();
        // Dropped after the lock is free: what ends with a caller takes locks of its own.
        let mut gone = Vec::new();
        let mut state = self.0.lock();
        if state.entries.len() >= self.0.callers_max && !state.entries.contains_key(&token) {
            gone = state.take_idle(now);
            if state.entries.len() >= self.0.callers_max {
                let message = "this node has as many tokens in use as it takes";
                let refusal = Refusal::new(Reason::LimitExceeded, message);
                return Err(refusal.with_retry_after(RETRY_WHEN_FULL));
            }
        }
        // A client whose connection was ended, and that may come back, comes back as another one.
        if state.entries.get(&token).is_some_and(|entry| entry.caller.ending().is_some()) {
            gone.extend(state.entries.remove(&token));
        }
        // Another request with the same token may have come first. Made under the lock, so that a token is one connection.
        let entry = state.entries.entry(token).or_insert_with(|| {
            let (operations, tickets) = (self.0.operations.budget(), self.0.tickets.budget());
            let caller = Caller::new(hub, identity, operations, tickets);
            Entry { caller: Arc::new(caller), generation, last_used: now }
        });
        (entry.generation, entry.last_used) = (generation, now);
        Ok(Arc::clone(&entry.caller))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the presences whose time is over, and forgets the callers that have gone. To be called every second.
    pub async fn sweep(&self) {
        let now = self.0.clock().monotonic();
        let (gone, leaving): (_, Vec<_>) = {
            let mut state = self.0.lock();
            let gone = state.take_idle(now);
            let left = state.entries.values().flat_map(|entry| entry.caller.presences.leave(now));
            (gone, left.collect())
        };
        // What ends with a caller takes locks of its own.
        drop(gone);
        // A crowd that is gone leaves at once, and the broker has others to serve.
        stream::iter(leaving).for_each_concurrent(LEAVES_AT_ONCE, |leave| leave).await;
    }
}

impl Caller {
    fn new(hub: &Hub, identity: Identity, operations: Budget, tickets: Budget) -> Self {
        let client = Client::new(hub.clone(), hub.connection_id(), Transport::LongPoll, identity);
        let presences = Arc::new(Presences::new(hub.clone(), client.clone()));
        let over = Arc::<Over>::default();
        let at_end = client.at_end({
            let (client, presences, over) =
                (client.clone(), Arc::clone(&presences), Arc::clone(&over));
            move |ending| {
                // The end of a token shows to each request by itself.
                if let Some(ending) = ending {
                    client.part(ending.reason);
                    let _first = over.ending.set(ending);
                    over.ended.cancel();
                }
                presences.close(ending.map_or(Reason::TokenExpired, |ending| ending.reason));
            }
        });
        let calls_max = hub.limits().commands_in_flight.min(Semaphore::MAX_PERMITS);
        let calls = Arc::new(Semaphore::new(calls_max));
        Caller { client, operations, tickets, presences, calls, over, _at_end: at_end }
    }

    /// How it was ordered to end, if it was.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.over.ending.get().copied()
    }

    /// Fires when it is ordered to end.
    #[must_use]
    pub fn ended(&self) -> CancellationToken {
        self.over.ended.clone()
    }

    /// The client, for its operations.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for leave to wait for events of these channels. Where it is present, it was let in.
    ///
    /// # Errors
    /// As [`Client::admit`], of the first channel that it may not be in.
    pub async fn admit(&self, channels: &[ChannelName]) -> Result<(), Refusal> {
        self.client.admit_all(channels, |channel| self.presences.contains(channel)).await
    }

    /// Where it is present.
    #[must_use]
    pub fn presences(&self) -> &Arc<Presences> {
        &self.presences
    }

    /// Counts a command that begins, until the permit is dropped.
    ///
    /// # Errors
    /// [`Reason::LimitExceeded`] when it has as many under way as it may have.
    pub fn begin_call(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.calls).try_acquire_owned().map_err(|_all_taken| {
            let message = "as many commands with this token are under way as may be";
            Refusal::new(Reason::LimitExceeded, message).with_retry_after(RETRY_WHEN_FULL)
        })
    }

    /// Takes one operation from its budget.
    ///
    /// # Errors
    /// [`Reason::RateLimited`], with the time to wait.
    pub fn take_operation(&self) -> Result<(), Refusal> {
        self.operations.take().map_err(|wait| {
            Refusal::new(Reason::RateLimited, "too many operations; slow down")
                .with_retry_after(wait)
        })
    }

    /// Takes one ticket from its budget.
    ///
    /// # Errors
    /// [`Reason::RateLimited`], with the time to wait.
    pub(crate) fn take_ticket(&self) -> Result<(), Refusal> {
        self.tickets.take().map_err(|wait| {
            Refusal::new(Reason::RateLimited, "too many tickets; slow down").with_retry_after(wait)
        })
    }
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callers").field("callers", &self.len()).finish_non_exhaustive()
    }
}

struct Table {
    hub: Hub,
    operations: RateLimit,
    tickets: RateLimit,
    callers_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<TokenDigest, Entry>,
}

struct Entry {
    caller: Arc<Caller>,
    generation: u64,
    last_used: Duration,
}

impl Table {
    fn clock(&self) -> &dyn Clock {
        &**self.hub.clock()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out the callers with no request under way, no presence, and none of their rate left to remember: to be
    /// dropped without the lock.
    fn take_idle(&mut self, now: Duration) -> Vec<Entry> {
        let idle = self.entries.extract_if(|_, Entry { caller, last_used, .. }| {
            let unused = now.saturating_sub(*last_used) >= CALLER_IDLE;
            unused && Arc::strong_count(caller) == 1 && caller.presences.is_empty()
        });
        let gone = idle.map(|(_, entry)| entry).collect();
        // A wave of tokens must not leave its capacity behind.
        self.entries.shrink_to(self.entries.len() * 2);
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::testing::identity;
    use fanline_core::testing::TestHub;

    fn rate(hub: &Hub, burst: u32) -> RateLimit {
        RateLimit::new(1, burst, Arc::clone(hub.clock()))
    }

    fn token(number: u8) -> TokenDigest {
        TokenDigest::of(&number.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_one_caller_until_it_is_idle() {
        let hub = TestHub::start();
        let callers = Callers::new(hub.clone(), rate(&hub, 2));
        assert!(callers.find(&token(1), 0).is_none());
        let first = callers.insert(token(1), 0, identity("ada")).unwrap();
        let same = callers.find(&token(1), 0).unwrap();
        assert_eq!(first.client().connection(), same.client().connection());
        assert!(first.take_operation().is_ok() && same.take_operation().is_ok());
        let refusal = same.take_operation().unwrap_err();
        assert_eq!(refusal.reason(), Reason::RateLimited);
        assert_eq!(refusal.retry_after(), Some(Duration::from_secs(1)));

        drop(same);
        assert!(callers.find(&token(1), 1).is_none(), "the rules have changed");
        hub.clock.advance(CALLER_IDLE);
        callers.sweep().await;
        assert_eq!(callers.len(), 1, "a request is under way");
        drop(first);
        callers.sweep().await;
        assert!(callers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_table_takes_a_new_token_once_another_is_idle() {
        let hub = TestHub::start();
        let callers = Callers::with_room(hub.clone(), rate(&hub, 1), 1);
        drop(callers.insert(token(1), 0, identity("ada")).unwrap());
        let refusal = callers.insert(token(2), 0, identity("bob")).unwrap_err();
        assert_eq!(refusal.reason(), Reason::LimitExceeded);
        assert_eq!(refusal.retry_after(), Some(RETRY_WHEN_FULL));
        assert!(callers.insert(token(1), 0, identity("ada")).is_ok(), "it is in the table");
        hub.clock.advance(CALLER_IDLE);
        assert!(callers.insert(token(2), 0, identity("bob")).is_ok());
    }
}
