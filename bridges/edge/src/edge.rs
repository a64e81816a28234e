//! What every bridge is given, and how a request becomes a client.

use crate::address::TrustedProxies;
use crate::admission::{Admission, Admitted};
use crate::caller::{Caller, Callers};
use crate::credential::{Credential, CredentialPlace, CredentialSources};
use crate::decision::Asker;
use crate::drain::Drain;
use crate::metrics::{EdgeMetrics, TicketUse};
use crate::origin::{OriginPolicy, RequestOrigin};
use crate::rate::RateLimit;
use crate::subprotocol::Subprotocols;
use crate::ticket::{self, Ticket};
use crate::token::{Identity, TokenDigest, TokenVerifier};
use fanline_core::connections::Transport;
use fanline_core::{Hub, Reason, Refusal};
use http::{HeaderMap, request};
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
    /// Whether a backend decides about each connection, once its token is verified.
    pub connect_handler: bool,
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
    /// Draining, a foreign origin, too many connections, two credentials, a token that does not verify, or a ticket that
    /// is none (any more).
    pub async fn enter(
        &self,
        peer: IpAddr,
        request: &request::Parts,
        subprotocols: &Subprotocols<'_>,
    ) -> Result<Entrance, Refusal> {
        let entrance = match self.origins.check(&request.headers) {
            Ok(origin) => {
                self.try_enter(peer, request, subprotocols, origin, Transport::WebSocket).await
            }
            Err(refusal) => Err(refusal),
        };
        entrance.inspect_err(|refusal| self.metrics.refused(refusal.reason()))
    }

    /// Lets a plain HTTP request in, or not. A foreign page is served what its own token grants, because the browser
    /// keeps the answer from it ([`cors`](crate::cors)); a cookie does not count for it.
    ///
    /// # Errors
    /// As [`enter`](Self::enter), a foreign origin only with a cookie.
    pub async fn enter_http(
        &self,
        peer: IpAddr,
        request: &request::Parts,
    ) -> Result<Entrance, Refusal> {
        let origin = self.origins.origin(&request.headers);
        let none = Subprotocols::default();
        let entrance = self.try_enter(peer, request, &none, origin, Transport::Sse).await;
        entrance.inspect_err(|refusal| self.metrics.refused(refusal.reason()))
    }

    /// Whose plain HTTP request this is, of those that are answered and done. It costs the caller an operation, and
    /// an address that shows a token for the first time, or a ticket, an attempt to connect. None: it carries no token.
    /// Refusals are counted.
    ///
    /// # Errors
    /// Draining, a foreign origin with a cookie, two credentials, a token that does not verify or is revoked, a ticket that is none
    /// (any more), or too many requests.
    pub async fn caller(
        &self,
        peer: IpAddr,
        request: &request::Parts,
    ) -> Result<Option<Arc<Caller>>, Refusal> {
        let caller = match self.http_credential(request) {
            Ok(Some(credential)) => {
                let caller = self.call_with(credential, peer, &request.headers).await;
                caller.map(|(caller, _token)| Some(caller))
            }
            Ok(None) => Ok(None),
            Err(refusal) => Err(refusal),
        };
        caller.inspect_err(|refusal| self.metrics.refused(refusal.reason()))
    }

    /// A ticket for the token of a plain HTTP request. None: it carries no token. Refusals are counted.
    ///
    /// # Errors
    /// As [`caller`](Self::caller), a request that has only a ticket itself, too many tickets,
    /// or a broker that is not available.
    pub async fn ticket(
        &self,
        peer: IpAddr,
        request: &request::Parts,
    ) -> Result<Option<Ticket>, Refusal> {
        let ticket = match self.http_credential(request) {
            Ok(Some(credential)) => {
                self.exchange(credential, peer, &request.headers).await.map(Some)
            }
            Ok(None) => Ok(None),
            Err(refusal) => Err(refusal),
        };
        ticket.inspect_err(|refusal| self.metrics.refused(refusal.reason()))
    }

    async fn exchange(
        &self,
        credential: Credential,
        peer: IpAddr,
        headers: &HeaderMap,
    ) -> Result<Ticket, Refusal> {
        if credential.place() == CredentialPlace::Ticket {
            // Else a ticket that leaked would be as good as its token.
            let message = "a ticket gets no other ticket; send the token itself";
            return Err(Refusal::new(Reason::PermissionDenied, message));
        }
        let (caller, token) = self.call_with(credential, peer, headers).await?;
        caller.take_ticket()?;
        let ticket = ticket::issue(&self.hub, &token, caller.client().expires_in()).await?;
        self.metrics.ticket(TicketUse::Issued);
        Ok(ticket)
    }

    /// The credential of a plain HTTP request.
    fn http_credential(&self, request: &request::Parts) -> Result<Option<Credential>, Refusal> {
        self.check_drain()?;
        let origin = self.origins.origin(&request.headers);
        self.credential(request, &Subprotocols::default(), origin)
    }

    /// Who calls, and with which token.
    async fn call_with(
        &self,
        credential: Credential,
        peer: IpAddr,
        headers: &HeaderMap,
    ) -> Result<(Arc<Caller>, String), Refusal> {
        let attempt = || self.admission.attempt(self.proxies.client(peer, headers));
        let by_ticket = credential.place() == CredentialPlace::Ticket;
        if by_ticket {
            // Whoever guesses tickets makes us ask the broker.
            attempt()?;
        }
        let token = self.token(credential).await?;
        let digest = TokenDigest::of(&token);
        // Asked before the token is verified: rules that are replaced meanwhile are noticed by the next request.
        let generation = self.tokens.generation();
        let caller = match self.0.callers.find(&digest, generation) {
            Some(caller) => {
                let identity = caller.client().identity();
                self.tokens.recheck(identity)?;
                identity.check_revoked(&self.hub)?;
                caller
            }
            None => {
                if !by_ticket {
                    // Whoever guesses tokens makes us check signatures.
                    attempt()?;
                }
                let identity = self.identify(&token, Transport::LongPoll).await?;
                self.0.callers.insert(digest, generation, identity)?
            }
        };
        caller.take_operation()?;
        Ok((caller, token))
    }

    async fn try_enter(
        &self,
        peer: IpAddr,
        request: &request::Parts,
        subprotocols: &Subprotocols<'_>,
        origin: RequestOrigin,
        transport: Transport,
    ) -> Result<Entrance, Refusal> {
        self.check_drain()?;
        let mut admitted = self.admission.admit(self.proxies.client(peer, &request.headers))?;
        let identity = match self.credential(request, subprotocols, origin)? {
            Some(credential) => {
                let token = self.token(credential).await?;
                let identity = self.identify(&token, transport).await?;
                admitted.claim(&identity)?;
                Some(identity)
            }
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

    /// The token of a credential, not yet verified. A ticket is used up by this.
    async fn token(&self, credential: Credential) -> Result<String, Refusal> {
        match credential.place() {
            CredentialPlace::Authorization
            | CredentialPlace::Subprotocol
            | CredentialPlace::Cookie
            | CredentialPlace::Query => Ok(credential.into_text()),
            CredentialPlace::Ticket => {
                let token = ticket::redeem(&self.hub, credential.text()).await;
                let outcome = if token.is_ok() { TicketUse::Redeemed } else { TicketUse::Refused };
                self.metrics.ticket(outcome);
                token
            }
        }
    }

    /// Verifies a token, which must not be revoked, and waits for the backend that decides about connections, where one does.
    ///
    /// # Errors
    /// A token that does not verify or is revoked, or a backend that says no, or nothing.
    pub async fn identify(&self, token: &str, transport: Transport) -> Result<Identity, Refusal> {
        let identity = self.tokens.verify(token).await?;
        identity.check_revoked(&self.hub)?;
        if !self.connect_handler {
            return Ok(identity);
        }
        let asker = Asker { hub: &self.hub, identity: &identity, connection: None };
        let identity = asker.about_connection(transport).await?;
        // It may be another user now, and some time has gone by.
        identity.check_revoked(&self.hub)?;
        Ok(identity)
    }
}

impl Deref for Edge {
    type Target = EdgeParts;

    fn deref(&self) -> &EdgeParts {
        &self.0.parts
    }
}

#[cfg(test)]
mod tests;
