//! A request with a verified token.

use crate::limits::BODY_TIMEOUT;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::Response;
use bytes::Bytes;
use fanline_core::{Reason, Refusal};
use fanline_edge::http_error::{problem, token_required};
use fanline_edge::{Caller, Client, Edge, Query};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::time::timeout;

/// The head of a request, and whose it is. Nothing of its body was read before that was known. There is no `Debug` of
/// it: its headers and its query may hold a token or a ticket.
pub(crate) struct Call {
    pub(crate) caller: Arc<Caller>,
    pub(crate) peer: IpAddr,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    uri: Uri,
}

impl FromRequestParts<Edge> for Call {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Response> {
        let peer = peer(parts);
        let caller = known(edge, edge.caller(peer, parts).await)?;
        let (method, headers) = (parts.method.clone(), std::mem::take(&mut parts.headers));
        Ok(Call { caller, peer, method, headers, uri: parts.uri.clone() })
    }
}

impl Call {
    /// The client, for one operation.
    pub(crate) fn client(&self) -> Client {
        self.caller.client().clone()
    }

    /// The parameters of the query.
    pub(crate) fn query(&self) -> Query<'_> {
        Query::of(&self.uri)
    }
}

/// The address of the other end of a request's connection.
pub(crate) fn peer(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.expect("the listener tells each request its peer").0.ip()
}

/// What belongs to the token of a request, or the answer to one that has none, or no good one.
///
/// # Errors
/// The answer. A refusal is counted where it is decided.
#[expect(clippy::result_large_err, reason = "the answer is sent at once, and not passed on")]
pub(crate) fn known<T>(edge: &Edge, found: Result<Option<T>, Refusal>) -> Result<T, Response> {
    match found {
        Ok(Some(found)) => Ok(found),
        Ok(None) => {
            edge.metrics.refused(Reason::Unauthenticated);
            Err(token_required().map(Body::from))
        }
        Err(refusal) => Err(problem(&refusal).map(Body::from)),
    }
}

/// Reads a body: so many bytes at most.
///
/// # Errors
/// [`Reason::TooLarge`], or a body that does not arrive.
pub(crate) async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let invalid = |message: &'static str| Err(Refusal::new(Reason::InvalidArgument, message));
    let too_large = || {
        let message = format!("the body has more than {bytes_max} bytes");
        Err(Refusal::new(Reason::TooLarge, message))
    };
    // One that says so beforehand is not read: a client that asked whether to send it (RFC 9110, section 10.1.1) need not.
    if body.size_hint().lower() > bytes_max as u64 {
        return too_large();
    }
    match timeout(BODY_TIMEOUT, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => too_large(),
        Ok(Err(_broken)) => invalid("the body broke off"),
        Err(_too_long) => invalid("the body did not arrive in time"),
    }
}
