//! A gRPC server of a test, which the hub calls: with TLS or without, gone when it is dropped.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use fanline_test_redis::eventually;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
use tower::Service;

/// A listening server. Dropping it breaks all connections off and refuses further ones.
#[derive(Debug)]
pub(crate) struct GrpcServer {
    _connections: JoinSet<Infallible>,
}

impl GrpcServer {
    /// Serves at an address, perhaps one where another was.
    pub(crate) async fn start<S>(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        service: S,
    ) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
    {
        // The address may still be in use by the end of what was there.
        let listener =
            eventually("the address is free", async || TcpListener::bind(address).await.ok()).await;
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.expect("the listener is open");
                connections.spawn(greet(socket, tls.clone(), service.clone()));
            }
        });
        Self { _connections: connections }
    }
}

async fn greet<S>(socket: TcpStream, tls: Option<Arc<ServerConfig>>, service: S)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    match tls {
        None => serve(socket, service).await,
        Some(tls) => {
            if let Ok(socket) = TlsAcceptor::from(tls).accept(socket).await {
                serve(socket, service).await;
            }
        }
    }
}

async fn serve<S>(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    let service = TowerToHyperService::new(service);
    let _broken_off = builder.serve_connection(TokioIo::new(socket), service).await;
}
