//! API keys: what a backend shows, known here only by its hash.
//!
//! What a key allows is the `Caller` that it stands for; nothing behind the authentication knows of keys.

use crate::caller::Caller;
use crate::term::Term;
use aws_lc_rs::digest::{SHA256, digest};
use fanline_core::pattern::Pattern;
use fanline_core::{Reason, Refusal};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

pub use crate::scope::{Scope, ScopeError};

/// What a hash is introduced by, so that another algorithm can be told apart one day.
const PREFIX: &str = "sha256:";
/// When a stream may be opened again whose key may do something else now.
const RETRY_CHANGED: Duration = Duration::from_millis(100);

/// An API key as it is configured.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Who holds it: for logs and refusals.
    pub name: String,
    /// The hash of the whole key.
    pub hash: KeyHash,
    /// What its holder may do.
    pub scopes: Vec<Scope>,
    /// In which channels. None: in no channel.
    pub channels: Vec<Pattern>,
    /// Which methods it may answer, with the scope for that. None: any.
    pub methods: Vec<Pattern>,
}

/// The SHA-256 of a whole API key. As text `sha256:<64 hexadecimal digits>`.
///
/// A key is long and random, so a plain hash tells nothing about it, and one look-up costs a microsecond.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

/// A text that is no hash of a key. It does not repeat the text, which may be a key put in the wrong place.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the hash of a key is `sha256:` and 64 hexadecimal digits")]
pub struct KeyHashError;

/// The keys that the hub knows. Clones share them, so that they can be replaced while the hub runs.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys(Arc<RwLock<Arc<[Entry]>>>);

type Entry = (KeyHash, Caller);

impl ApiKeys {
    /// These keys.
    #[must_use]
    pub fn new(keys: Vec<ApiKey>) -> Self {
        let entry = |key: ApiKey| {
            let name = format!("the API key `{}`", key.name);
            let caller = Caller::new(name, key.scopes, key.channels).answering(key.methods);
            (key.hash, caller.with_term(Term::configured()))
        };
        ApiKeys(Arc::new(RwLock::new(keys.into_iter().map(entry).collect())))
    }

    /// Lets these keys count from now on, and no others. Streams of a key that is gone, or that may do something else now,
    /// end.
    pub fn replace(&self, keys: &ApiKeys) {
        let (old, new) = (self.entries(), keys.entries());
        let is_same = |a: &Entry, b: &Entry| a.0.0 == b.0.0 && a.1.is_like(&b.1);
        let kept =
            |entry: &Entry| old.iter().find(|old| is_same(old, entry)).unwrap_or(entry).clone();
        let kept: Arc<[Entry]> = new.iter().map(kept).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = kept;
        for entry in old.iter().filter(|old| !new.iter().any(|new| is_same(old, new))) {
            let is_known = new.iter().any(|(hash, _)| hash.0 == entry.0.0);
            entry.1.term().withdraw(withdrawn(is_known));
        }
    }

    fn entries(&self) -> Arc<[Entry]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who holds the key that was shown.
    ///
    /// Every hash is compared, each in constant time: how long it takes tells nothing about which one was nearly right.
    pub(crate) fn find(&self, shown: &str) -> Option<Caller> {
        let entries = self.entries();
        let shown = KeyHash::of(shown);
        let (mut found, mut place) = (Choice::from(0), 0);
        for (index, (hash, _)) in (0_u64..).zip(entries.iter()) {
            let equal = hash.0.ct_eq(&shown.0);
            place.conditional_assign(&index, equal);
            found |= equal;
        }
        let place = usize::try_from(place).ok().filter(|_| found.into())?;
        entries.get(place).map(|(_, caller)| caller.clone())
    }
}

/// What the streams of a key are told.
fn withdrawn(is_known: bool) -> Refusal {
    if !is_known {
        return Refusal::new(Reason::Unauthenticated, "this API key is no longer known");
    }
    // To be opened again at once, by what the key may do now: the same end as that of a node, for the client.
    Refusal::new(Reason::Draining, "what this API key may do has changed; call again")
        .with_retry_after(RETRY_CHANGED)
}

impl KeyHash {
    /// The hash of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
        KeyHash(bytes)
    }
}

impl FromStr for KeyHash {
    type Err = KeyHashError;

    fn from_str(text: &str) -> Result<Self, KeyHashError> {
        let digits = text.strip_prefix(PREFIX).ok_or(KeyHashError)?.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(KeyHashError);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0, |high, &digit| {
                let digit = char::from(digit).to_digit(16).ok_or(KeyHashError)?;
                Ok(high << 4 | digit as u8)
            })?;
        }
        Ok(KeyHash(bytes))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:..")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::clock::{Clock, ManualClock};
    use futures_util::poll;

    fn key(name: &str, secret: &str) -> ApiKey {
        ApiKey {
            name: name.to_owned(),
            hash: KeyHash::of(secret),
            scopes: vec![Scope::Publish],
            channels: vec![Pattern::any()],
            methods: Vec::new(),
        }
    }

    #[test]
    fn a_key_is_found_by_the_whole_of_itself_only() {
        let keys =
            ApiKeys::new(vec![key("first", "fk_1"), key("second", "fk_2"), key("third", "fk_3")]);
        for (shown, name) in [("fk_1", "first"), ("fk_2", "second"), ("fk_3", "third")] {
            let caller = keys.find(shown).unwrap();
            assert!(caller.to_string().contains(name), "{caller}");
        }
        for unknown in ["", "fk_", "fk_11", "FK_1", "sha256:"] {
            assert!(keys.find(unknown).is_none(), "{unknown}");
        }
        assert!(ApiKeys::default().find("fk_1").is_none());
    }

    #[tokio::test]
    async fn keys_that_are_replaced_end_the_terms_of_those_that_are_gone_or_changed() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        let keys =
            ApiKeys::new(vec![key("kept", "fk_1"), key("changed", "fk_2"), key("gone", "fk_3")]);
        let end = |shown: &str| keys.find(shown).unwrap().term().clone().end(Arc::clone(&clock));
        let (kept, changed, gone) = (end("fk_1"), end("fk_2"), end("fk_3"));
        let narrowed = ApiKey { channels: Vec::new(), ..key("changed", "fk_2") };
        keys.replace(&ApiKeys::new(vec![key("kept", "fk_1"), narrowed]));
        assert_eq!(gone.await.reason(), Reason::Unauthenticated);
        assert_eq!(changed.await.reason(), Reason::Draining);
        let mut kept = std::pin::pin!(kept);
        assert!(poll!(kept.as_mut()).is_pending());
        assert!(poll!(std::pin::pin!(end("fk_2"))).is_pending(), "the new one counts");
        keys.replace(&ApiKeys::default());
        assert_eq!(kept.await.reason(), Reason::Unauthenticated, "also the second time");
    }

    #[test]
    fn a_hash_survives_its_text() {
        // SHA-256 of "abc": FIPS 180-4, as published with its examples.
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::of("abc").to_string(), text);
        assert_eq!(text.parse::<KeyHash>().unwrap().to_string(), text);
        let upper = text.to_uppercase().replace("SHA", "sha");
        assert_eq!(upper.parse::<KeyHash>().unwrap().to_string(), text);
    }

    #[test]
    fn another_text_is_no_hash() {
        let digits = "0".repeat(64);
        for text in [
            digits.clone(),
            format!("sha512:{digits}"),
            format!("sha256:{}", &digits[1..]),
            format!("sha256:{digits}0"),
            format!("sha256:g{}", &digits[1..]),
            format!("sha256:ä{}", &digits[2..]),
        ] {
            assert!(text.parse::<KeyHash>().is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_neither_key_nor_hash() {
        let shown = format!("{:?}", key("orders", "abc"));
        assert!(shown.contains("orders") && !shown.contains("ba7816bf"), "{shown}");
        let shown = format!("{:?}", ApiKeys::new(vec![key("orders", "abc")]));
        assert!(shown.contains("orders") && !shown.contains("ba7816bf"), "{shown}");
    }
}
