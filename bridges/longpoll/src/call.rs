//! A request with a verified token.

use crate::limits::BODY_TIMEOUT;
use axum::body::Body;
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

/// The head of a request, and whose it is. Nothing of its body was read before that was known.
#[derive(Debug)]
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
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.expect("the listener tells each request its peer").0.ip();
        // Refusals are counted where they are decided.
        let caller = match edge.caller(peer, parts) {
            Ok(Some(caller)) => caller,
            Ok(None) => {
                edge.metrics.refused(Reason::Unauthenticated);
                return Err(token_required().map(Body::from));
            }
            Err(refusal) => return Err(problem(&refusal).map(Body::from)),
        };
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

/// Reads a body: so many bytes at most.
///
/// # Errors
/// [`Reason::TooLarge`], or a body that does not arrive.
pub(crate) async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let invalid = |message: &'static str| Err(Refusal::new(Reason::InvalidArgument, message));
    match timeout(BODY_TIMEOUT, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("the body has more than {bytes_max} bytes");
            Err(Refusal::new(Reason::TooLarge, message))
        }
        Ok(Err(_broken)) => invalid("the body broke off"),
        Err(_too_long) => invalid("the body did not arrive in time"),
    }
}
