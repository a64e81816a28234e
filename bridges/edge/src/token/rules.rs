//! What tokens are held to: issuer, audience, times, and the keys of the configuration.
//!
//! Read [`TokenRules`] first, as they are written; [`ReadyRules`] are the same once their keys are known to be good.

use super::header::TokenHeader;
use super::key::VerificationKey;
use super::validity::Validity;
use super::{Algorithm, KeyUse, TokenKey, TokenKeyError, unauthenticated};
use crate::limits::{TOKEN_KEYS_PER_ALGORITHM, TOKEN_LEEWAY};
use fanline_core::clock::Timestamp;
use fanline_core::{Reason, Refusal};
use std::fmt;
use std::time::Duration;

/// What tokens are held to.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// What `iss` must be. None: not looked at.
    pub issuer: Option<String>,
    /// What `aud` must name. None: a token that names an audience is refused, because it is meant for somebody else
    /// (RFC 7519, section 4.1.3).
    pub audience: Option<String>,
    /// By how much the clocks of issuer and hub may differ, at most 30 s. Default: 5 s.
    pub leeway: Duration,
    /// How far ahead `exp` may lie. Default: 24 h.
    pub max_lifetime: Duration,
    /// The keys; any of them will do.
    pub keys: Vec<TokenKey>,
}

impl Default for TokenRules {
    fn default() -> Self {
        TokenRules {
            issuer: None,
            audience: None,
            leeway: Duration::from_secs(5),
            max_lifetime: Duration::from_secs(24 * 3600),
            keys: Vec::new(),
        }
    }
}

/// Rules that no token could be verified by.
#[derive(Debug, thiserror::Error)]
pub enum TokenRulesError {
    /// A leeway that would keep expired tokens alive.
    #[error("leeway: at most {TOKEN_LEEWAY:?}, not {0:?}")]
    Leeway(Duration),
    /// A key that cannot be used; the source says why.
    #[error("keys[{index}]: the key cannot be used")]
    Key {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        source: TokenKeyError,
    },
    /// More keys than a forged token may be tried against.
    #[error("keys: more than {TOKEN_KEYS_PER_ALGORITHM} keys of one use for {0:?}")]
    TooManyKeys(Algorithm),
}

/// Rules whose keys can be used.
pub struct ReadyRules {
    issuer: Option<String>,
    audience: Option<String>,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Duration,
    /// Those of clients.
    keys: Vec<VerificationKey>,
    /// Those of services.
    service_keys: Vec<VerificationKey>,
}

impl TokenRules {
    /// Checks the rules and makes the keys ready.
    ///
    /// # Errors
    /// The first rule or key that cannot be used.
    pub fn ready(self) -> Result<ReadyRules, TokenRulesError> {
        if self.leeway > TOKEN_LEEWAY {
            return Err(TokenRulesError::Leeway(self.leeway));
        }
        let (mut keys, mut service_keys) = (Vec::new(), Vec::new());
        for (index, key) in self.keys.iter().enumerate() {
            let ready = VerificationKey::prepare(key)
                .map_err(|source| TokenRulesError::Key { index, source })?;
            // Apart, so that no token of one kind is ever tried against a key of the other.
            let of_its_use: &mut Vec<VerificationKey> = match key.usage {
                KeyUse::Client => &mut keys,
                KeyUse::Service => &mut service_keys,
            };
            of_its_use.push(ready);
            if of_its_use.iter().filter(|other| other.algorithm() == key.algorithm).count()
                > TOKEN_KEYS_PER_ALGORITHM
            {
                return Err(TokenRulesError::TooManyKeys(key.algorithm));
            }
        }
        let TokenRules { issuer, audience, leeway, max_lifetime, keys: _ } = self;
        Ok(ReadyRules { issuer, audience, leeway, max_lifetime, keys, service_keys })
    }
}

impl ReadyRules {
    /// The keys for this use that a token may be signed by.
    pub(super) fn named_by<'a>(
        &'a self,
        usage: KeyUse,
        header: &'a TokenHeader,
    ) -> impl Iterator<Item = &'a VerificationKey> {
        let keys = match usage {
            KeyUse::Client => &self.keys,
            KeyUse::Service => &self.service_keys,
        };
        keys.iter().filter(|key| key.is_named_by(header))
    }

    /// Whether the `kid` of a token is the name of a key here: then it names no other, whatever an issuer publishes.
    pub(super) fn reserve(&self, header: &TokenHeader) -> bool {
        let keys = || self.keys.iter().chain(&self.service_keys);
        header.kid.as_deref().is_some_and(|kid| keys().any(|key| key.kid() == Some(kid)))
    }

    /// Checks all that limits a token, and gives back when it ends.
    pub(super) fn check_validity(
        &self,
        claims: &Validity,
        now: Timestamp,
    ) -> Result<Timestamp, Refusal> {
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        self.check_times(claims, now)
    }

    fn check_issuer(&self, claims: &Validity) -> Result<(), Refusal> {
        match &self.issuer {
            Some(issuer) if claims.iss.as_ref() != Some(issuer) => {
                Err(unauthenticated("the token is from another issuer (`iss`)"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_audience(&self, claims: &Validity) -> Result<(), Refusal> {
        match (&self.audience, &claims.aud) {
            (None, None) => Ok(()),
            (Some(ours), Some(theirs)) if theirs.names(ours) => Ok(()),
            (_, None) => Err(unauthenticated("the token names no audience (`aud`)")),
            (_, Some(_)) => Err(unauthenticated("the token is for another audience (`aud`)")),
        }
    }

    /// Checks `nbf` and `exp`, and gives back the latter.
    fn check_times(&self, claims: &Validity, now: Timestamp) -> Result<Timestamp, Refusal> {
        let expires_at =
            claims.exp.ok_or_else(|| unauthenticated("the token has no end (`exp`)"))?.0;
        if now >= expires_at.plus(self.leeway) {
            return Err(Refusal::new(Reason::TokenExpired, "the token has expired"));
        }
        // An issuer whose clock is ahead of ours mints tokens that seem to live longer than they do.
        if expires_at > now.plus(self.max_lifetime).plus(self.leeway) {
            return Err(unauthenticated(format!(
                "the token ends more than {:?} ahead (`exp`)",
                self.max_lifetime
            )));
        }
        if claims.nbf.is_some_and(|not_before| not_before.0 > now.plus(self.leeway)) {
            return Err(unauthenticated("the token is not valid yet (`nbf`)"));
        }
        Ok(expires_at)
    }
}

impl fmt::Debug for ReadyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyRules")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}
