//! The keys that an issuer publishes at a URL (JWKS), as the hub knows them: shared between the verifier and who fetches.
//!
//! Where they come from is not known here. Whoever fetches begins a [`KeySetFetch`] and gives it the document; a token whose
//! `kid` is not known asks for a fetch, seldom, and waits for it, not long. A fetch that brings nothing leaves the keys
//! of before. Read [`PublishedKeys`] first.

use super::header::{SignedToken, TokenHeader};
use super::key_set::{KeySet, KeySetError, UnusableKeys};
use super::{Algorithm, KeyUse, unauthenticated};
use crate::limits::{KEY_SET_EARLY_INTERVAL, KEY_SET_WAIT, RETRY_WHEN_FULL};
use crate::metrics::{EarlyFetch, FetchOutcome, KeySetMetrics};
use fanline_core::Refusal;
use fanline_core::clock::Clock;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// What published keys are taken for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySetPolicy {
    /// The only algorithms that they are used with. A key that says more says it in vain.
    pub algorithms: Vec<Algorithm>,
    /// Whose tokens they verify.
    pub usage: KeyUse,
}

/// The keys that an issuer publishes, as last fetched. Clones are the same keys.
#[derive(Clone)]
pub struct PublishedKeys(Arc<Shared>);

struct Shared {
    state: watch::Sender<State>,
    clock: Arc<dyn Clock>,
    metrics: KeySetMetrics,
}

#[derive(Default)]
struct State {
    /// None: no keys are published.
    policy: Option<KeySetPolicy>,
    /// None: none were fetched yet.
    keys: Option<Arc<KeySet>>,
    is_fetching: bool,
    /// When a token last had them fetched.
    early: Option<Duration>,
    /// Another number once the keys are to come from elsewhere: what a fetch from before brings is not taken.
    source: u64,
    generation: u64,
}

/// A fetch under way. Dropped without its outcome, it was given up.
#[derive(Debug)]
#[must_use = "tokens wait for its outcome"]
pub struct KeySetFetch<'a> {
    keys: &'a PublishedKeys,
    source: u64,
}

/// What a fetch has brought.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fetched {
    /// Keys that count from now on.
    pub keys: usize,
    /// Those beside them that do not.
    pub unusable: UnusableKeys,
    /// Whether the document is another one than before.
    pub is_new: bool,
}

impl PublishedKeys {
    /// No keys, and none expected.
    #[must_use]
    pub fn none(clock: Arc<dyn Clock>, metrics: KeySetMetrics) -> Self {
        PublishedKeys(Arc::new(Shared { state: watch::Sender::default(), clock, metrics }))
    }

    /// Expects keys to be used like this, or none any more. Those that are here stay if they are `from_the_same_source`.
    pub fn expect(&self, policy: Option<KeySetPolicy>, from_the_same_source: bool) {
        self.0.state.send_modify(|state| {
            state.generation += 1;
            state.policy = policy;
            if !from_the_same_source {
                state.source += 1;
                (state.keys, state.is_fetching, state.early) = (None, false, None);
                self.0.metrics.hold(0);
            }
        });
    }

    /// Whether keys are expected and there never were any: no token of theirs can be verified.
    #[must_use]
    pub fn are_missing(&self) -> bool {
        let state = self.0.state.borrow();
        state.policy.is_some() && state.keys.is_none()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.state.borrow().keys.as_ref().map_or(0, |keys| keys.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until a token asks for a fetch.
    pub async fn asked_for(&self) {
        let mut state = self.0.state.subscribe();
        // It fails when nobody can ask any more, and `self` can.
        drop(state.wait_for(|state| state.is_fetching).await);
    }

    /// Begins a fetch.
    pub fn fetch(&self) -> KeySetFetch<'_> {
        let mut source = 0;
        self.0.state.send_modify(|state| {
            state.is_fetching = true;
            source = state.source;
        });
        KeySetFetch { keys: self, source }
    }

    /// Which keys count: another number after they have changed.
    pub(super) fn generation(&self) -> u64 {
        self.0.state.borrow().generation
    }

    /// Whether one of the keys for this use made the signature of a token.
    pub(super) fn signed(
        &self,
        usage: KeyUse,
        token: &SignedToken<'_>,
        header: &TokenHeader,
    ) -> bool {
        // The signature is checked without the lock.
        let keys = self.0.state.borrow().keys_for(usage).cloned();
        keys.is_some_and(|keys| keys.signed(token, header))
    }

    /// Waits for a fetch that may bring the key of a token, for a short time.
    ///
    /// # Cancel safety
    /// What it waits for goes on without it.
    pub(super) async fn await_key(&self, usage: KeyUse, header: &TokenHeader) {
        let now = self.0.clock.monotonic();
        let mut early = None;
        let mut waits = false;
        self.0.state.send_if_modified(|state| {
            if state.may_bring_key(usage, header) {
                if !state.is_fetching {
                    early = Some(state.take_early(now));
                }
                waits = state.is_fetching;
            }
            early == Some(EarlyFetch::Begun)
        });
        if let Some(early) = early {
            self.0.metrics.asked(early);
        }
        if waits {
            let mut state = self.0.state.subscribe();
            drop(timeout(KEY_SET_WAIT, state.wait_for(|state| !state.is_fetching)).await);
        }
    }

    /// What a token is told that cannot be verified because its key would be among those that are missing.
    pub(super) fn refusal_while_missing(
        &self,
        usage: KeyUse,
        header: &TokenHeader,
    ) -> Option<Refusal> {
        let state = self.0.state.borrow();
        let is_theirs = state.policy.as_ref().is_some_and(|policy| policy.fits(usage, header));
        (is_theirs && state.keys.is_none()).then(|| {
            unauthenticated("the issuer's keys could not be fetched yet; try again")
                .with_retry_after(RETRY_WHEN_FULL)
        })
    }
}

impl KeySetFetch<'_> {
    /// Lets the keys of the document count from now on, in place of all before.
    ///
    /// # Errors
    /// The document has no key that can be used; those of before stay.
    pub fn bring(self, document: &[u8]) -> Result<Fetched, KeySetError> {
        let Shared { state, clock, metrics } = &*self.keys.0;
        let (same, accepted) = {
            let state = state.borrow();
            let same = state.keys.as_ref().filter(|keys| keys.is(document)).cloned();
            let policy = state.policy.as_ref().filter(|_| state.source == self.source);
            (same, policy.map(|policy| policy.algorithms.clone()).unwrap_or_default())
        };
        let is_new = same.is_none();
        let keys = match same {
            Some(keys) => keys,
            None => Arc::new(
                KeySet::read(document, &accepted)
                    .inspect_err(|_| metrics.fetched(FetchOutcome::Unusable))?,
            ),
        };
        let fetched = Fetched { keys: keys.len(), unusable: keys.unusable().clone(), is_new };
        state.send_modify(|state| {
            if is_new && state.source == self.source {
                state.keys = Some(keys);
                state.generation += 1;
                metrics.hold(fetched.keys);
            }
        });
        metrics.fetched(FetchOutcome::Fetched);
        metrics.fetched_at(clock.wall());
        Ok(fetched)
    }

    /// No document could be had. The keys of before stay.
    pub fn fail(self) {
        self.keys.0.metrics.fetched(FetchOutcome::Unreachable);
    }
}

impl Drop for KeySetFetch<'_> {
    fn drop(&mut self) {
        self.keys.0.state.send_modify(|state| {
            if state.source == self.source {
                state.is_fetching = false;
            }
        });
    }
}

impl State {
    fn keys_for(&self, usage: KeyUse) -> Option<&Arc<KeySet>> {
        self.policy.as_ref().filter(|policy| policy.usage == usage)?;
        self.keys.as_ref()
    }

    /// Whether a fetch may bring the key of a token: it would be one of these, and is not here. A token that names none
    /// among several is not helped by more.
    fn may_bring_key(&self, usage: KeyUse, header: &TokenHeader) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.fits(usage, header))
            && self.keys.as_ref().is_none_or(|keys| header.kid.is_some() && !keys.knows(header))
    }

    /// Asks for a fetch, if the last time is long enough ago.
    fn take_early(&mut self, now: Duration) -> EarlyFetch {
        if self.early.is_some_and(|last| now.saturating_sub(last) < KEY_SET_EARLY_INTERVAL) {
            return EarlyFetch::TooSoon;
        }
        (self.early, self.is_fetching) = (Some(now), true);
        EarlyFetch::Begun
    }
}

impl KeySetPolicy {
    fn fits(&self, usage: KeyUse, header: &TokenHeader) -> bool {
        self.usage == usage && self.algorithms.contains(&header.algorithm)
    }
}

impl fmt::Debug for PublishedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.borrow();
        f.debug_struct("PublishedKeys")
            .field("policy", &state.policy)
            .field("keys", &state.keys.as_ref().map(|keys| keys.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
