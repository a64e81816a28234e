//! The WebSocket handshake, with a token in any of its places.

use std::net::SocketAddr;

use fanline_test_redis::{DEADLINE, within};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::connection::Connection;
use crate::http2::Http2;
use crate::room::Room;

/// A handshake to be sent.
#[derive(Debug)]
pub struct Upgrade {
    address: SocketAddr,
    query: String,
    protocols: Vec<String>,
    headers: Vec<(HeaderName, String)>,
    /// The connection of which the WebSocket is to be a stream; none for one of its own.
    connection: Option<Http2>,
}

/// A hub's refusal to upgrade.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's body.
    pub body: String,
}

impl Upgrade {
    /// A handshake with whatever listens there.
    pub fn to(address: SocketAddr) -> Self {
        Self {
            address,
            query: String::new(),
            protocols: vec!["fanline.v1".to_owned()],
            headers: Vec::new(),
            connection: None,
        }
    }

    /// The token in `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// The token as a second subprotocol, the way of browsers.
    #[must_use]
    pub fn subprotocol(mut self, token: &str) -> Self {
        self.protocols.push(format!("fanline.bearer.{token}"));
        self
    }

    /// The token as a cookie.
    #[must_use]
    pub fn cookie(self, token: &str) -> Self {
        self.header(header::COOKIE, &format!("theme=dark; fanline_token={token}"))
    }

    /// The token in the address.
    #[must_use]
    pub fn query(mut self, token: &str) -> Self {
        self.query = format!("?access_token={token}");
        self
    }

    /// A ticket in the address.
    #[must_use]
    pub fn ticket(mut self, ticket: &str) -> Self {
        self.query = format!("?ticket={ticket}");
        self
    }

    /// The page that opens the connection.
    #[must_use]
    pub fn origin(self, origin: &str) -> Self {
        self.header(header::ORIGIN, origin)
    }

    /// Any header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// As a stream of this connection (RFC 8441), instead of over HTTP/1.1.
    #[must_use]
    pub fn on(mut self, connection: &Http2) -> Self {
        self.connection = Some(connection.clone());
        self
    }

    /// Connects and takes the welcome.
    pub async fn open(self) -> Room {
        self.open_unauthenticated().await.welcomed().await
    }

    /// Connects, and leaves it to the test to send the first frame.
    pub async fn open_unauthenticated(self) -> Room {
        match self.send().await {
            Ok(room) => room,
            Err(refusal) => panic!("no upgrade but {refusal:?}"),
        }
    }

    /// Connects in vain.
    pub async fn refused(self) -> Refusal {
        match self.send().await {
            Ok(_) => panic!("the hub upgrades"),
            Err(refusal) => refusal,
        }
    }

    /// Connects and takes the welcome, or not.
    ///
    /// # Errors
    ///
    /// The hub's own refusal.
    pub async fn try_open(self) -> Result<Room, Refusal> {
        Ok(self.send().await?.welcomed().await)
    }

    async fn send(self) -> Result<Room, Refusal> {
        let (socket, headers) = match &self.connection {
            Some(connection) => {
                let (stream, headers) =
                    connection.websocket(&self.uri("http"), self.headers()).await?;
                (WebSocketStream::from_raw_socket(stream, Role::Client, None).await, headers)
            }
            None => self.upgrade().await?,
        };
        let protocol = headers.get(header::SEC_WEBSOCKET_PROTOCOL);
        assert_eq!(protocol.map(HeaderValue::as_bytes), Some(b"fanline.v1".as_slice()));
        Ok(Room::new(socket))
    }

    /// Over HTTP/1.1. Gives the WebSocket and not the stream under it, because frames may have come with the answer.
    async fn upgrade(&self) -> Result<(WebSocketStream<Box<dyn Connection>>, HeaderMap), Refusal> {
        let mut request =
            self.uri("ws").into_client_request().expect("address and token make a URI");
        request.headers_mut().extend(self.headers());
        let connecting = TcpStream::connect(self.address);
        let stream = within(DEADLINE, "the connection", connecting).await.expect("the hub listens");
        let stream: Box<dyn Connection> = Box::new(stream);
        match within(DEADLINE, "the upgrade", client_async(request, stream)).await {
            Ok((socket, response)) => Ok((socket, response.headers().clone())),
            Err(Error::Http(response)) => {
                let (parts, body) = response.into_parts();
                Err(Refusal {
                    status: parts.status.as_u16(),
                    headers: parts.headers,
                    body: String::from_utf8_lossy(&body.unwrap_or_default()).into_owned(),
                })
            }
            Err(error) => panic!("no HTTP answer: {error}"),
        }
    }

    fn uri(&self, scheme: &str) -> String {
        format!("{scheme}://{}/v1/ws{}", self.address, self.query)
    }

    fn headers(&self) -> HeaderMap {
        let protocols = (header::SEC_WEBSOCKET_PROTOCOL, self.protocols.join(", "));
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers.iter().chain([&protocols]) {
            let value = HeaderValue::from_str(value).expect("tests send header values");
            headers.append(name, value);
        }
        headers
    }
}

/// The same handshake as bytes, for clients that write their own.
pub(crate) fn upgrade_request(address: SocketAddr, token: &str) -> String {
    format!(
        "GET /v1/ws HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: fanline.v1\r\nauthorization: Bearer {token}\r\n\r\n"
    )
}

impl Refusal {
    /// Whether this is the refusal of a bad token: 401, and the challenge of RFC 6750 section 3.
    pub fn is_invalid_token(&self) -> bool {
        let challenge = self
            .headers
            .get(header::WWW_AUTHENTICATE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default();
        self.status == 401
            && challenge.starts_with("Bearer")
            && challenge.contains(r#"error="invalid_token""#)
    }
}
