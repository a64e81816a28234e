//! An issuer of tokens: a web server that publishes keys as the test says, and the keys themselves.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use fanline_test_redis::eventually;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::handler::free_address;
use crate::token::{RS256_PRIVATE_KEY, Token};

/// A listening issuer, which publishes nothing but an empty set at first. Dropping it ends it.
#[derive(Debug)]
pub struct Issuer {
    /// Where it listens.
    pub address: SocketAddr,
    page: watch::Sender<Page>,
    _connections: JoinSet<Infallible>,
}

/// What it answers, and how often it did.
#[derive(Debug)]
struct Page {
    status: StatusCode,
    location: Option<&'static str>,
    body: Bytes,
    fetches: usize,
}

/// A key pair under a name.
pub struct IssuerKey {
    kid: String,
    algorithm: Algorithm,
    private: EncodingKey,
}

impl Issuer {
    /// An issuer on a free port.
    pub async fn start() -> Self {
        Self::start_at(free_address(), None).await
    }

    /// An issuer at an address, with TLS as `tls` says.
    pub async fn start_at(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener =
            eventually("the address is free", async || TcpListener::bind(address).await.ok()).await;
        let page = watch::Sender::new(Page {
            status: StatusCode::OK,
            location: None,
            body: Bytes::from_static(br#"{"keys":[]}"#),
            fetches: 0,
        });
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, tls, page.clone()));
        Self { address, page, _connections: connections }
    }

    /// Where its keys are, over plain text.
    pub fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    /// Publishes these keys from now on, and no others.
    pub fn publish(&self, keys: &[&IssuerKey]) {
        self.publish_jwks(keys.iter().map(|key| key.jwk()).collect());
    }

    /// Publishes keys that are written by the test.
    pub fn publish_jwks(&self, keys: Vec<Value>) {
        self.answer(200, json!({ "keys": keys }).to_string());
    }

    /// Answers like this from now on.
    pub fn answer(&self, status: u16, body: impl Into<Bytes>) {
        self.page.send_modify(|page| {
            page.status = StatusCode::from_u16(status).expect("it is a status");
            (page.location, page.body) = (None, body.into());
        });
    }

    /// Sends whoever asks to another place of its own, where the keys of before are.
    pub fn redirect(&self) {
        self.page.send_modify(|page| {
            (page.status, page.location) = (StatusCode::FOUND, Some("/elsewhere.json"));
        });
    }

    /// How often it was asked.
    pub fn fetches(&self) -> usize {
        self.page.borrow().fetches
    }
}

impl IssuerKey {
    /// For RS256.
    pub fn rsa(kid: &str) -> Self {
        let private = EncodingKey::from_rsa_pem(RS256_PRIVATE_KEY.as_bytes());
        Self::new(kid, Algorithm::RS256, private.expect("the fixture is a private key"))
    }

    /// A new one for ES256.
    pub fn p256(kid: &str) -> Self {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key can be made");
        let pkcs8 = pair.to_pkcs8v1().expect("it can be written");
        Self::new(kid, Algorithm::ES256, EncodingKey::from_ec_der(pkcs8.as_ref()))
    }

    /// A new one for EdDSA.
    pub fn ed25519(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key can be made");
        let pkcs8 = pair.to_pkcs8v1().expect("it can be written");
        Self::new(kid, Algorithm::EdDSA, EncodingKey::from_ed_der(pkcs8.as_ref()))
    }

    /// A secret for HS256, which nobody must publish.
    pub fn secret(kid: &str) -> Self {
        let secret = b"a secret that an issuer gives away";
        Self::new(kid, Algorithm::HS256, EncodingKey::from_secret(secret))
    }

    /// HS256 with the public half of a key of Ed25519 as the secret, under the name of that key.
    #[must_use]
    pub fn confused(&self) -> Self {
        let x = self.jwk()["x"].as_str().map(|x| BASE64_URL_SAFE_NO_PAD.decode(x));
        let public = x.expect("it is of Ed25519").expect("it is base64");
        Self::new(&self.kid, Algorithm::HS256, EncodingKey::from_secret(&public))
    }

    fn new(kid: &str, algorithm: Algorithm, private: EncodingKey) -> Self {
        Self { kid: kid.to_owned(), algorithm, private }
    }

    /// The public half, as a library of others writes it.
    pub fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.private, self.algorithm);
        let mut jwk = serde_json::to_value(jwk.expect("it is a key")).expect("it is JSON");
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The token, signed by this key.
    pub fn sign(&self, token: &Token) -> String {
        token.encode_under(&self.header(), &self.private)
    }

    /// The token, signed by this key, with the key itself in its header, and a place to get it from.
    pub fn sign_with_key_enclosed(&self, token: &Token, place: &str) -> String {
        let mut header = self.header();
        header.jwk = Some(serde_json::from_value(self.jwk()).expect("it is a JWK"));
        header.jku = Some(place.to_owned());
        token.encode_under(&header, &self.private)
    }

    fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.clone());
        header
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} key {:?}", self.algorithm, self.kid)
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    page: watch::Sender<Page>,
) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.expect("the listener is open");
        connections.spawn(greet(socket, tls.clone(), page.clone()));
    }
}

async fn greet(socket: TcpStream, tls: Option<Arc<ServerConfig>>, page: watch::Sender<Page>) {
    match tls {
        None => serve(socket, page).await,
        Some(tls) => {
            if let Ok(socket) = TlsAcceptor::from(tls).accept(socket).await {
                serve(socket, page).await;
            }
        }
    }
}

async fn serve(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    page: watch::Sender<Page>,
) {
    let answer = |request: Request<Incoming>| {
        let response = answer(&page, request.uri().path());
        async { Ok::<_, Infallible>(response) }
    };
    let serving = http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(answer));
    let _broken_off = serving.await;
}

fn answer(page: &watch::Sender<Page>, path: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    page.send_modify(|page| {
        page.fetches += 1;
        *response.body_mut() = Full::new(page.body.clone());
        // Where the redirect leads, the keys are.
        *response.status_mut() =
            if page.location == Some(path) { StatusCode::OK } else { page.status };
        if let Some(location) = page.location {
            let location = header::HeaderValue::from_static(location);
            response.headers_mut().insert(header::LOCATION, location);
        }
    });
    response
}
