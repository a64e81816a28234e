//! An HTTP/2 connection with prior knowledge, for what is told by several streams on one connection.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use fanline_test_redis::{DEADLINE, within};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::upgrade::Refusal;

/// A connection, which ends with its last clone.
#[derive(Clone, Debug)]
pub struct Http2 {
    requests: SendRequest<Empty<Bytes>>,
    _connection: Arc<JoinSet<()>>,
}

impl Http2 {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let connecting = async {
            let stream = TcpStream::connect(address).await.expect("the hub listens");
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("it speaks HTTP/2")
        };
        let (requests, connection) = within(DEADLINE, "an HTTP/2 connection", connecting).await;
        let mut driver = JoinSet::new();
        driver.spawn(async {
            // Its end is seen by whoever uses a stream.
            let _ended = connection.await;
        });
        Self { requests, _connection: Arc::new(driver) }
    }

    /// `GET`, which gives the head of the answer and its body as it comes.
    pub async fn get(&self, uri: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).expect("tests send header values");
        let mut requests = self.requests.clone();
        let what = format!("the answer to {uri}");
        within(DEADLINE, &what, requests.send_request(request)).await.expect("the hub answers")
    }

    /// Sends an extended `CONNECT` (RFC 8441, section 4) and gives the stream and the headers of the answer.
    ///
    /// # Errors
    ///
    /// The hub's own refusal.
    pub(crate) async fn websocket(
        &self,
        uri: &str,
        headers: HeaderMap,
    ) -> Result<(Box<dyn Connection>, HeaderMap), Refusal> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = uri.parse().expect("address and token make a URI");
        *request.headers_mut() = headers;
        let version = request.headers_mut().entry(header::SEC_WEBSOCKET_VERSION);
        version.or_insert(HeaderValue::from_static("13"));
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        within(DEADLINE, "the answer to CONNECT", async {
            let mut requests = self.requests.clone();
            let mut response = requests.send_request(request).await.expect("the hub answers");
            let headers = response.headers().clone();
            if response.status() == StatusCode::OK {
                let upgraded = hyper::upgrade::on(&mut response).await.expect("200 is a stream");
                let stream: Box<dyn Connection> = Box::new(TokioIo::new(upgraded));
                return Ok((stream, headers));
            }
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.expect("the answer ends").to_bytes();
            Err(Refusal { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
        })
        .await
    }
}
