//! What every bridge is given, and how a request becomes a client.

use crate::address::{ClientAddress, TrustedProxies};
use crate::admission::{Admission, Admitted};
use crate::credential::CredentialSources;
use crate::drain::Drain;
use crate::metrics::EdgeMetrics;
use crate::origin::{OriginPolicy, RequestOrigin};
use crate::rate::RateLimit;
use crate::subprotocol::Subprotocols;
use crate::token::{Identity, TokenVerifier};
use fanline_core::{Hub, Reason, Refusal};
use http::request;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// What every bridge is given. Cheap to clone.
#[derive(Clone)]
pub struct Edge(Arc<EdgeParts>);

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
        Edge(Arc::new(parts))
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

    fn try_enter(
        &self,
        peer: IpAddr,
        request: &request::Parts,
        subprotocols: &Subprotocols<'_>,
        origin: RequestOrigin,
    ) -> Result<Entrance, Refusal> {
        if self.drain.has_begun() {
            let refusal = Refusal::new(Reason::Draining, "this node is shutting down; reconnect");
            return Err(refusal.with_retry_after(Duration::from_secs(1)));
        }
        let address: ClientAddress = self.proxies.client(peer, &request.headers);
        let mut admitted = self.admission.admit(address)?;
        let sources = CredentialSources {
            headers: &request.headers,
            uri: &request.uri,
            subprotocols,
            origin,
            query_token: self.query_token,
        };
        let identity = match sources.find()? {
            Some(credential) => Some(self.identify(credential.token(), &mut admitted)?),
            None => None,
        };
        Ok(Entrance { admitted, identity })
    }

    /// Verifies a token and counts the connection for its user.
    ///
    /// # Errors
    /// A token that does not verify, or a user with too many connections.
    pub fn identify(&self, token: &str, admitted: &mut Admitted) -> Result<Identity, Refusal> {
        let identity = self.tokens.verify(token)?;
        if let Some(user) = &identity.user {
            admitted.claim_user(user)?;
        }
        Ok(identity)
    }
}

impl Deref for Edge {
    type Target = EdgeParts;

    fn deref(&self) -> &EdgeParts {
        &self.0
    }
}
