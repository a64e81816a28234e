//! Tokens: from the text that a client sends to who it is and what it may do (contract section 3).
//!
//! Only the signature is checked by the library; the header, the claims and all times are read here, because the
//! library has its own clock, a default leeway of a minute, and does not look at `nbf` unless told to. The order
//! matters: nothing of the claims is read before the signature is good. Tokens of clients and of services are held to the
//! same rules by keys of their own, and neither is ever taken for the other. Read [`TokenVerifier`] first; its keys are
//! those of the [`TokenRules`] and, where an issuer publishes some, its [`PublishedKeys`].

mod amendment;
mod claims;
mod digest;
mod header;
mod jwk;
mod key;
mod key_set;
mod others;
mod published;
mod rules;
mod service;
mod validity;

#[cfg(test)]
mod forgeries;
#[cfg(test)]
pub(crate) mod testing;

use self::claims::Claims;
use self::header::{SignedToken, TokenHeader};
use self::service::ServiceClaims;
use crate::limits::TOKEN_BYTES;
use bytes::Bytes;
use fanline_core::clock::{Clock, Timestamp};
use fanline_core::ids::UserId;
use fanline_core::pattern::Pattern;
use fanline_core::permission::Grants;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

pub(crate) use self::amendment::Amendment;
pub use self::digest::TokenDigest;
pub use self::jwk::UnusableKey;
pub use self::key::{Algorithm, KeyMaterial, KeyUse, TokenKey, TokenKeyError};
pub use self::key_set::{KeySetError, UnusableKeys};
pub use self::published::{Fetched, KeySetFetch, KeySetPolicy, PublishedKeys};
pub use self::rules::{ReadyRules, TokenRules, TokenRulesError};
pub use self::service::ServiceIdentity;

/// Who a verified token says the client is, and what it may do.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The user. None: anonymous.
    pub user: Option<UserId>,
    /// The token's own id (`jti`), by which it can be revoked.
    pub token_id: Option<Box<str>>,
    /// When the token was issued (`iat`), which tells apart what was revoked and what came after.
    pub issued_at: Option<Timestamp>,
    /// What is shown of the user in presence: JSON, byte for byte as in the token.
    pub info: Option<Bytes>,
    /// Where the client may do what.
    pub grants: Grants,
    /// Channels that the connection is put into at once.
    pub join: Vec<ChannelName>,
    /// The methods that the client may call. None: any.
    pub methods: Option<Vec<Pattern>>,
    /// What else the token says: for the backends that answer its commands.
    pub claims: fanline_core::command::Claims,
    /// When all of this ends.
    pub expires_at: Timestamp,
}

/// Verifies tokens. Clones share the rules, so that they can be replaced while the hub runs.
#[derive(Clone)]
pub struct TokenVerifier {
    rules: Arc<RwLock<Arc<ReadyRules>>>,
    generation: Arc<AtomicU64>,
    published: Option<PublishedKeys>,
    clock: Arc<dyn Clock>,
}

impl Identity {
    /// Refuses to act for a token that is revoked, also one that was verified before it was.
    ///
    /// # Errors
    /// As [`Hub::check_revoked`].
    pub fn check_revoked(&self, hub: &Hub) -> Result<(), Refusal> {
        hub.check_revoked(self.user.as_ref(), self.token_id.as_deref(), self.issued_at)
    }
}

impl TokenVerifier {
    /// Checks the rules and makes the keys ready.
    ///
    /// # Errors
    /// The first rule or key that cannot be used.
    pub fn new(rules: TokenRules, clock: Arc<dyn Clock>) -> Result<Self, TokenRulesError> {
        let rules = Arc::new(RwLock::new(Arc::new(rules.ready()?)));
        Ok(TokenVerifier { rules, generation: Arc::default(), published: None, clock })
    }

    /// Takes also the keys that an issuer publishes.
    #[must_use]
    pub fn with_published_keys(self, published: PublishedKeys) -> Self {
        TokenVerifier { published: Some(published), ..self }
    }

    /// Lets these rules count from now on. Who was let in by others stays until its token expires.
    pub fn replace(&self, rules: ReadyRules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Who the token says the client is. Where its key is not known and the issuer may have published it meanwhile, it
    /// waits for that a little.
    ///
    /// # Errors
    /// [`Reason::TokenExpired`] for a token that was good and is not any more, [`Reason::Unauthenticated`] for every
    /// other fault. No message repeats anything of the token.
    pub async fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        let (token, header) = open(token)?;
        self.await_key(KeyUse::Client, &header).await;
        let rules = self.rules();
        if !self.is_signed(&rules, KeyUse::Client, &token, &header) {
            let message = "no configured key made the token's signature";
            return Err(self.not_signed(KeyUse::Client, &header, message));
        }
        let claims = Claims::decode(&token.payload()?)?;
        let expires_at = rules.check_validity(&claims.validity, self.clock.wall())?;
        claims.into_identity(expires_at)
    }

    /// Which backend the token says it is. It may wait as [`verify`](Self::verify) does.
    ///
    /// # Errors
    /// [`Reason::PermissionDenied`] for a client's token, [`Reason::TokenExpired`] for a token that was good and is not any
    /// more, [`Reason::Unauthenticated`] for every other fault. No message repeats anything of the token.
    pub async fn verify_service(&self, token: &str) -> Result<ServiceIdentity, Refusal> {
        let (token, header) = open(token)?;
        self.await_key(KeyUse::Service, &header).await;
        let rules = self.rules();
        if !self.is_signed(&rules, KeyUse::Service, &token, &header) {
            if self.is_signed(&rules, KeyUse::Client, &token, &header) {
                let message = "a client's token is for the bridges; the gRPC API takes an API key, or a token that a key \
                               with `use = \"service\"` signed";
                return Err(Refusal::new(Reason::PermissionDenied, message));
            }
            let message = "no configured key of services made the token's signature";
            return Err(self.not_signed(KeyUse::Service, &header, message));
        }
        let claims = ServiceClaims::decode(&token.payload()?)?;
        let expires_at = rules.check_validity(&claims.validity, self.clock.wall())?;
        Ok(claims.into_identity(expires_at))
    }

    /// Whether a token that was verified once still counts, by the rules of now.
    ///
    /// # Errors
    /// [`Reason::TokenExpired`] when its time is over.
    pub fn recheck(&self, identity: &Identity) -> Result<(), Refusal> {
        let leeway = self.rules().leeway;
        if self.clock.wall() >= identity.expires_at.plus(leeway) {
            return Err(Refusal::new(Reason::TokenExpired, "the token has expired"));
        }
        Ok(())
    }

    /// For how long a token may live that verifies now, by the rules of now.
    #[must_use]
    pub fn life_max(&self) -> Duration {
        let rules = self.rules();
        rules.max_lifetime.saturating_add(rules.leeway)
    }

    /// Which rules and keys count: another number after they were replaced, so that whoever remembers a token knows to
    /// verify it anew.
    #[must_use]
    pub fn generation(&self) -> u64 {
        let published = self.published.as_ref().map_or(0, PublishedKeys::generation);
        // Neither ever falls, so that the sum stays the same only if both do.
        self.generation.load(Ordering::Acquire).wrapping_add(published)
    }

    fn rules(&self) -> Arc<ReadyRules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the key of a token to be fetched, where that may be.
    async fn await_key(&self, usage: KeyUse, header: &TokenHeader) {
        if let Some(published) = &self.published {
            let rules = self.rules();
            if !rules.reserve(header) && rules.named_by(usage, header).next().is_none() {
                published.await_key(usage, header).await;
            }
        }
    }

    /// Whether one of the keys for this use that the token names made its signature.
    fn is_signed(
        &self,
        rules: &ReadyRules,
        usage: KeyUse,
        token: &SignedToken<'_>,
        header: &TokenHeader,
    ) -> bool {
        let by_published = |published: &PublishedKeys| {
            !rules.reserve(header) && published.signed(usage, token, header)
        };
        rules.named_by(usage, header).any(|key| key.signed(token))
            || self.published.as_ref().is_some_and(by_published)
    }

    fn not_signed(&self, usage: KeyUse, header: &TokenHeader, message: &'static str) -> Refusal {
        let published = self.published.as_ref();
        let missing = published.and_then(|keys| keys.refusal_while_missing(usage, header));
        missing.unwrap_or_else(|| unauthenticated(message))
    }
}

/// The parts of a token, none of them trusted yet.
fn open(token: &str) -> Result<(SignedToken<'_>, TokenHeader), Refusal> {
    if token.len() > TOKEN_BYTES {
        return Err(unauthenticated(format!("the token has more than {TOKEN_BYTES} bytes")));
    }
    let token = SignedToken::split(token)?;
    let header = token.header()?;
    Ok((token, header))
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier").field("rules", &self.rules).finish_non_exhaustive()
    }
}

fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Reason::Unauthenticated, message)
}
