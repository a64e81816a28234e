//! What every bridge is given, and how a request becomes a client.

use crate::address::TrustedProxies;
use crate::admission::{Admission, Admitted};
use crate::caller::{Caller, Callers};
use crate::credential::{Credential, CredentialSources};
use crate::drain::Drain;
use crate::metrics::EdgeMetrics;
use crate::origin::{OriginPolicy, RequestOrigin};
use crate::rate::RateLimit;
use crate::subprotocol::Subprotocols;
use crate::token::{Identity, TokenDigest, TokenVerifier};
use fanline_core::{Hub, Reason, Refusal};
use http::request;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two looks at what has ended. Presences are to end on time.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Between two sweeps of what the admission remembers of addresses: they read the whole table.
const ADDRESS_SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// What every bridge is given. Cheap to clone.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    parts: EdgeParts,
    callers: Callers,
}

/// What an edge is made of.
pub struct EdgeParts {
    /// The hub of this node.
    pub hub: Hub,
    /// Verifies tokens.
    pub tokens: TokenVerifier,
    /// Which web pages may come.
    pub origins: OriginPolicy,
    /// Whose word about a client's address is taken.
    pub proxies: TrustedProxies,
    /// Whether a token may stand in the query.
    pub query_token: bool,
    /// How many connections there may be.
    pub admission: Admission,
    /// How many operations a connection may ask for.
    pub operations: RateLimit,
    /// What is counted.
    pub metrics: EdgeMetrics,
    /// Where connections run.
    pub tasks: TaskTracker,
    /// How they end with the process.
    pub drain: Drain,
}

/// A request that may become a connection.
#[derive(Debug)]
pub struct Entrance {
    /// Counts it.
    pub admitted: Admitted,
    /// Who it is. None: it carries no token, and has to show one in the words of its protocol.
    pub identity: Option<Identity>,
}

impl Edge {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: EdgeParts) -> Self {
        let callers = Callers::new(parts.hub.clone(), parts.operations.clone());
        Edge(Arc::new(Inner { parts, callers }))
    }

    /// Forgets addresses and tokens that have gone, and ends presences whose grace is over, until `stop`.
    pub async fn keep_house(self, stop: CancellationToken) {
        let mut ticks = interval(SWEEP_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut addresses_swept = self.hub.clock().monotonic();
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = self.hub.clock().monotonic();
            if now.saturating_sub(addresses_swept) >= ADDRESS_SWEEP_INTERVAL {
                addresses_swept = now;
                self.admission.sweep();
            }
            // A broker that is away must not hold up the end of the process.
            stop.run_until_cancelled(self.0.callers.sweep()).await;
            self.metrics.callers(self.0.callers.len());
        }
    }

    /// Lets an upgrade in, or not: cheap questions first, the signature of its token last. Refusals are counted.
    ///
    /// # Errors
    /// Draining, a foreign origin, too many connections, two tokens, or a token that does not verify.
    pub fn enter(
        &self,
        peer: IpAddr,
        request: &request::Parts,
        subprotocols: &Subprotocols<'_>,
    ) -> Result<Entrance, Refusal> {
        let entrance = self
            .origins
            .check(&request.headers)
            .and_then(|origin| self.try_enter(peer, request, subprotocols, origin));
        entrance.inspect_err(|refusal| self.metrics.refused(refusal.reason()))
    }

    /// Lets a plain HTTP request in, or not. A foreign page is served what its own token grants, because the browser
    /// keeps the answer from it ([`cors`](crate::cors)); a cookie does not count for it.
    ///
    /// # Errors
    /// As [`enter`](Self::enter), a foreign origin only with a cookie.
    pub fn enter_http(&self, peer: IpAddr, request: &request::Parts) -> Result<Entrance, Refusal> {
        let origin = self.origins.origin(&request.headers);
        let entrance = self.try_enter(peer, request, &Subprotocols::default(), origin);
        entrance.inspect_err(|refusal| self.metrics.refused(refusal.reason()))
    }

    /// Whose plain HTTP request this is, of those that are answered and done. It costs the caller an operation, and
    /// an address that shows a token for the first time an attempt to connect. None: it carries no token. Refusals are
    /// counted.
    ///
    /// # Errors
    /// Draining, a foreign origin with a cookie, two tokens, a token that does not verify, or too many requests.
    pub fn caller(
        &self,
        peer: IpAddr,
        request: &request::Parts,
    ) -> Result<Option<Arc<Caller>>, Refusal> {
        let caller = self.try_caller(peer, request);
        caller.inspect_err(|refusal| self.metrics.refused(refusal.reason()))
    }

    fn try_caller(
        &self,
        peer: IpAddr,
        request: &request::Parts,
    ) -> Result<Option<Arc<Caller>>, Refusal> {
        self.check_drain()?;
        let origin = self.origins.origin(&request.headers);
        let Some(credential) = self.credential(request, &Subprotocols::default(), origin)? else {
            return Ok(None);
        };
        let digest = TokenDigest::of(credential.token());
        // Asked before the token is verified: rules that are replaced meanwhile are noticed by the next request.
        let generation = self.tokens.generation();
        let caller = match self.0.callers.find(&digest, generation) {
            Some(caller) => {
                self.tokens.recheck(caller.client().identity())?;
                caller
            }
            None => {
                // Whoever guesses tokens makes us check signatures.
                self.admission.attempt(self.proxies.client(peer, &request.headers))?;
                let identity = self.tokens.verify(credential.token())?;
                self.0.callers.insert(digest, generation, identity)?
            }
        };
        caller.take_operation()?;
        Ok(Some(caller))
    }

    fn try_enter(
        &self,
        peer: IpAddr,
        request: &request::Parts,
        subprotocols: &Subprotocols<'_>,
        origin: RequestOrigin,
    ) -> Result<Entrance, Refusal> {
        self.check_drain()?;
        let mut admitted = self.admission.admit(self.proxies.client(peer, &request.headers))?;
        let identity = match self.credential(request, subprotocols, origin)? {
            Some(credential) => Some(self.identify(credential.token(), &mut admitted)?),
            None => None,
        };
        Ok(Entrance { admitted, identity })
    }

    fn check_drain(&self) -> Result<(), Refusal> {
        if !self.drain.has_begun() {
            return Ok(());
        }
        let refusal = Refusal::new(Reason::Draining, "this node is shutting down; reconnect");
        Err(refusal.with_retry_after(Duration::from_secs(1)))
    }

    fn credential(
        &self,
        request: &request::Parts,
        subprotocols: &Subprotocols<'_>,
        origin: RequestOrigin,
    ) -> Result<Option<Credential>, Refusal> {
        let sources = CredentialSources {
            headers: &request.headers,
            uri: &request.uri,
            subprotocols,
            origin,
            query_token: self.query_token,
        };
        sources.find()
    }

    /// Verifies a token and counts the connection for its user.
    ///
    /// # Errors
    /// A token that does not verify or is revoked, or a user with too many connections.
    pub fn identify(&self, token: &str, admitted: &mut Admitted) -> Result<Identity, Refusal> {
        let identity = self.tokens.verify(token)?;
        let Identity { user, token_id, issued_at, .. } = &identity;
        self.hub.check_revoked(user.as_ref(), token_id.as_deref(), *issued_at)?;
        if let Some(user) = &identity.user {
            admitted.claim_user(user)?;
        }
        Ok(identity)
    }
}

impl Deref for Edge {
    type Target = EdgeParts;

    fn deref(&self) -> &EdgeParts {
        &self.0.parts
    }
}
