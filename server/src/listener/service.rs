//! What stands between a connection and the requests' service: it notes that one came, and from whom.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ConnectInfo;
use fanline_grpc::backends::PeerCertificate;
use http::{Request, Response};
use hyper::body::Incoming;
use tower::ServiceExt;
use tower::util::Oneshot;

/// The service of one connection. The peer's address goes along in the request's extensions, as
/// [`ConnectInfo<SocketAddr>`], and the names in its certificate, where it has shown one, as [`PeerCertificate`].
///
/// The first request is noted here and not by counting bytes, so that a peer which sends half a request, or opens HTTP/2
/// and then no stream, counts as silent; and so that the socket stays without a wrapper for the WebSocket bridge to take.
#[derive(Clone, Debug)]
pub(super) struct ConnectionService<S> {
    requests: S,
    peer: SocketAddr,
    certificate: Option<PeerCertificate>,
    asked: Arc<AtomicBool>,
}

impl<S> ConnectionService<S> {
    pub(super) fn new(requests: S, peer: SocketAddr, certificate: Option<PeerCertificate>) -> Self {
        ConnectionService { requests, peer, certificate, asked: Arc::default() }
    }

    /// Whether a request has come, now and later.
    pub(super) fn asked(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.asked)
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for ConnectionService<S>
where
    S: tower::Service<Request<Incoming>, Response = Response<B>> + Clone,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Oneshot<S, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        self.requests.clone().oneshot(request)
    }
}
