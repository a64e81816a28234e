//! A set of published keys (JWKS, RFC 7517, section 5), as one fetch has brought it.

use super::Algorithm;
use super::header::{SignedToken, TokenHeader};
use super::jwk::{self, UnusableKey};
use super::key::VerificationKey;
use crate::limits::KEY_SET_KEYS;
use crate::object::Object;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;

/// How many unusable keys a message names.
const NAMED: usize = 4;

/// Published keys that can be used.
pub(super) struct KeySet {
    keys: Vec<VerificationKey>,
    /// Whether a token has to name its key: it is one of several (OpenID Connect Core 1.0, section 10.1).
    needs_kid: bool,
    unusable: UnusableKeys,
    document: Box<[u8]>,
}

/// The keys of a set that are not used, by their place in it. What they are called is not told: it is a stranger's text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UnusableKeys(Vec<(usize, UnusableKey)>);

/// A document that no token could be verified by.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeySetError {
    /// Something else.
    #[error("it is no key set: a JSON object with a list `keys`")]
    NotAKeySet,
    /// More than are taken.
    #[error("it has {0} keys, more than {KEY_SET_KEYS}")]
    TooManyKeys(usize),
    /// There is none.
    #[error("it has no keys")]
    NoKeys,
    /// There are some, and none will do.
    #[error("none of its keys can be used: {0}")]
    NoUsableKey(UnusableKeys),
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl KeySet {
    /// Reads the keys of a document that are for the accepted algorithms.
    pub(super) fn read(document: &[u8], accepted: &[Algorithm]) -> Result<Self, KeySetError> {
        let Object::<Document<'_>>(found) =
            serde_json::from_slice(document).map_err(|_| KeySetError::NotAKeySet)?;
        if found.keys.len() > KEY_SET_KEYS {
            return Err(KeySetError::TooManyKeys(found.keys.len()));
        }
        if found.keys.is_empty() {
            return Err(KeySetError::NoKeys);
        }
        let (mut usable, mut unusable) = (Vec::new(), UnusableKeys::default());
        for (place, json) in found.keys.iter().enumerate() {
            match jwk::read(json.get(), accepted) {
                Ok(keys) => usable.push((place, keys)),
                Err(reason) => unusable.0.push((place, reason)),
            }
        }
        let needs_kid = usable.len() > 1;
        if needs_kid {
            // A key without a name would be tried against every token.
            let nameless =
                usable.extract_if(.., |(_, keys)| keys.iter().any(|key| key.kid().is_none()));
            unusable.0.extend(nameless.map(|(place, _)| (place, UnusableKey::Nameless)));
        }
        let keys: Vec<_> = usable.into_iter().flat_map(|(_, keys)| keys).collect();
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey(unusable));
        }
        Ok(KeySet { keys, needs_kid, unusable, document: document.into() })
    }

    /// How many keys there are, each counted once.
    pub(super) fn len(&self) -> usize {
        let names: HashSet<_> = self.keys.iter().map(VerificationKey::kid).collect();
        names.len()
    }

    pub(super) fn unusable(&self) -> &UnusableKeys {
        &self.unusable
    }

    /// Whether this document is what was read.
    pub(super) fn is(&self, document: &[u8]) -> bool {
        *self.document == *document
    }

    /// Whether the key that a token names is here, though perhaps for another algorithm than the token says.
    pub(super) fn knows(&self, header: &TokenHeader) -> bool {
        let has_kid = |kid| self.keys.iter().any(|key| key.kid() == Some(kid));
        self.named_by(header).next().is_some() || header.kid.as_deref().is_some_and(has_kid)
    }

    /// Whether one of the keys that the token names made its signature.
    pub(super) fn signed(&self, token: &SignedToken<'_>, header: &TokenHeader) -> bool {
        self.named_by(header).any(|key| key.signed(token))
    }

    fn named_by<'a>(
        &'a self,
        header: &'a TokenHeader,
    ) -> impl Iterator<Item = &'a VerificationKey> {
        let is_named = header.kid.is_some() || !self.needs_kid;
        self.keys.iter().filter(move |key| is_named && key.is_named_by(header))
    }
}

impl UnusableKeys {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for UnusableKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (place, reason)) in self.0.iter().take(NAMED).enumerate() {
            let before = if index == 0 { "" } else { "; " };
            write!(f, "{before}keys[{place}]: {reason}")?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::testing::{ec_pair, ed_pair, named, rsa_pair, unsigned};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(keys: &Value) -> Result<KeySet, KeySetError> {
        let document = json!({ "keys": keys }).to_string();
        KeySet::read(document.as_bytes(), &[Algorithm::ES256, Algorithm::EdDSA])
    }

    /// Whether the set has a key for a token with this header.
    fn has(set: &KeySet, header: &str) -> bool {
        let token = format!("{}.", unsigned(header, "{}"));
        set.named_by(&SignedToken::split(&token).unwrap().header().unwrap()).next().is_some()
    }

    #[test]
    fn a_token_names_its_key_by_kid_and_algorithm() {
        let set =
            read(&json!([named(&ec_pair(Algorithm::ES256).jwk, "a"), named(&ed_pair().jwk, "b")]));
        let set = set.unwrap();
        assert_eq!(set.len(), 2);
        assert!(has(&set, r#"{"alg":"ES256","kid":"a"}"#));
        assert!(has(&set, r#"{"alg":"EdDSA","kid":"b"}"#));
        for header in [
            r#"{"alg":"EdDSA","kid":"a"}"#,
            r#"{"alg":"ES256","kid":"c"}"#,
            r#"{"alg":"ES256"}"#,
            r#"{"alg":"HS256","kid":"a"}"#,
        ] {
            assert!(!has(&set, header), "{header}");
        }
    }

    #[test]
    fn the_only_key_need_not_be_named() {
        let lone = ed_pair().jwk;
        let set = read(&json!([lone])).unwrap();
        assert!(has(&set, r#"{"alg":"EdDSA"}"#) && has(&set, r#"{"alg":"EdDSA","kid":"x"}"#));
        let set = read(&json!([named(&lone, "b")])).unwrap();
        assert!(has(&set, r#"{"alg":"EdDSA"}"#) && !has(&set, r#"{"alg":"EdDSA","kid":"x"}"#));
        let set = read(&json!([lone, named(&ed_pair().jwk, "b")])).unwrap();
        assert!(!has(&set, r#"{"alg":"EdDSA"}"#) && !has(&set, r#"{"alg":"EdDSA","kid":"x"}"#));
        assert_eq!(
            set.unusable().to_string(),
            "keys[0]: it has no `kid`, and it is not the only key"
        );
    }

    #[test]
    fn a_bad_key_does_not_spoil_the_others() {
        let oct = json!({"kty": "oct", "kid": "c", "k": "AAAA"});
        let set = read(&json!([7, oct, named(&ed_pair().jwk, "b")])).unwrap();
        assert!(has(&set, r#"{"alg":"EdDSA","kid":"b"}"#));
        assert_eq!(set.unusable().0, [(0, UnusableKey::Malformed), (1, UnusableKey::Secret)],);
    }

    #[test]
    fn what_is_no_set_of_usable_keys_is_refused() {
        let oct = json!({"kty": "oct", "k": "AAAA"});
        let refused = |keys: &Value| read(keys).map(|set| set.len()).unwrap_err().to_string();
        assert_eq!(refused(&json!([])), "it has no keys");
        assert_eq!(
            refused(&json!(vec![oct; 6])),
            "none of its keys can be used: keys[0]: it is a secret (`kty` is `oct`), which cannot be published; \
             keys[1]: it is a secret (`kty` is `oct`), which cannot be published; \
             keys[2]: it is a secret (`kty` is `oct`), which cannot be published; \
             keys[3]: it is a secret (`kty` is `oct`), which cannot be published; and 2 more"
        );
        let many = vec![named(&ed_pair().jwk, "b"); KEY_SET_KEYS + 1];
        assert_eq!(refused(&json!(many)), "it has 65 keys, more than 64");
        for document in ["", "{}", "[]", "<html>", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            let read = KeySet::read(document.as_bytes(), &[]).map(drop);
            assert_eq!(read, Err(KeySetError::NotAKeySet), "{document}");
        }
    }

    proptest! {
        #[test]
        fn no_document_makes_it_panic(at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>()) {
            let (p256, ed) = (ec_pair(Algorithm::ES256).jwk, ed_pair().jwk);
            let keys = json!([named(&rsa_pair().jwk, "a"), named(&p256, "b"), named(&ed, "c")]);
            let mut document = json!({ "keys": keys }).to_string().into_bytes();
            let at = at.index(document.len());
            document[at] = with;
            if cut {
                document.truncate(at);
            }
            let accepted = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
            if let Ok(set) = KeySet::read(&document, &accepted) {
                prop_assert!((1..=3).contains(&set.len()));
            }
        }
    }
}
