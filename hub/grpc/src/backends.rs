//! Which backends may call, by what they show: an API key, a token of a service, or a certificate.
//!
//! Whatever it is, a caller becomes of it, and nothing behind the authentication knows how. Read [`Backends`] first.

use crate::caller::Caller;
use crate::keys::ApiKeys;
use crate::scope::Scope;
use crate::term::Term;
use fanline_core::Refusal;
use fanline_core::clock::Timestamp;
use fanline_core::pattern::Pattern;
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

/// What a backend may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rights {
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// In which channels. None: in no channel.
    pub channels: Vec<Pattern>,
    /// Which methods it may answer, with the scope for that. None: any.
    pub methods: Vec<Pattern>,
}

impl Rights {
    /// A caller with these rights; `name` starts a sentence about it.
    pub(crate) fn of(self, name: String) -> Caller {
        Caller::new(name, self.scopes, self.channels).answering(self.methods)
    }
}

/// Verifies the tokens of services. Which keys and rules count is not the front's affair.
pub trait ServiceTokens: Send + Sync {
    /// Whose token it is, and what it allows.
    ///
    /// # Errors
    /// [`Reason::PermissionDenied`](fanline_core::Reason::PermissionDenied) for a client's token,
    /// [`Reason::TokenExpired`](fanline_core::Reason::TokenExpired) for one whose time is over, and
    /// [`Reason::Unauthenticated`](fanline_core::Reason::Unauthenticated) for any other.
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<VerifiedService, Refusal>>;
}

/// A service by its token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedService {
    /// Its name: for logs and refusals.
    pub name: String,
    /// What it may do.
    pub rights: Rights,
    /// When the token ends, and the streams that it opened.
    pub expires_at: Timestamp,
}

/// A certificate that a backend may show instead of a key, once TLS has verified who issued it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownCertificate {
    /// Who holds it: for logs and refusals.
    pub name: String,
    /// The name in it that tells it apart, as [`PeerCertificate`] has names.
    pub subject: String,
    /// What its holder may do.
    pub rights: Rights,
}

/// The names in the certificate that the peer of a connection has shown: `dns:`, `uri:` and `email:` of its alternative
/// names (RFC 5280, section 4.2.1.6), `cn:` of its subject. A listener that has verified who issued it puts this into the
/// extensions of each request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerCertificate {
    names: Arc<[String]>,
}

impl PeerCertificate {
    /// A certificate with these names.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        PeerCertificate { names: names.into() }
    }
}

impl fmt::Display for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join(", "))
    }
}

/// The backends that may call. Clones share what can be replaced while the hub runs.
#[derive(Clone)]
pub struct Backends {
    keys: ApiKeys,
    tokens: Option<Arc<dyn ServiceTokens>>,
    certificates: Arc<[(String, Caller)]>,
}

impl Backends {
    /// Those with one of these keys.
    #[must_use]
    pub fn with_keys(keys: ApiKeys) -> Self {
        Backends { keys, tokens: None, certificates: Arc::new([]) }
    }

    /// And those with a good token.
    #[must_use]
    pub fn and_tokens(self, tokens: Arc<dyn ServiceTokens>) -> Self {
        Backends { tokens: Some(tokens), ..self }
    }

    /// And those with one of these certificates.
    #[must_use]
    pub fn and_certificates(self, certificates: Vec<KnownCertificate>) -> Self {
        let caller = |known: KnownCertificate| {
            let name = format!("the certificate `{}`", known.name);
            (known.subject, known.rights.of(name))
        };
        Backends { certificates: certificates.into_iter().map(caller).collect(), ..self }
    }

    /// Who holds the key that was shown.
    pub(crate) fn by_key(&self, shown: &str) -> Option<Caller> {
        self.keys.find(shown)
    }

    /// Whose token was shown. None: nobody's is taken.
    pub(crate) async fn by_token(&self, shown: &str) -> Option<Result<Caller, Refusal>> {
        let verified = self.tokens.as_ref()?.verify(shown).await;
        Some(verified.map(|VerifiedService { name, rights, expires_at }| {
            rights.of(format!("the service `{name}`")).with_term(Term::Until(expires_at))
        }))
    }

    /// Who holds the certificate that was shown: of several that fit, the first.
    pub(crate) fn by_certificate(&self, shown: &PeerCertificate) -> Option<Caller> {
        let known = self.certificates.iter().find(|(subject, _)| shown.names.contains(subject));
        known.map(|(_, caller)| caller.clone())
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends")
            .field("keys", &self.keys)
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}
