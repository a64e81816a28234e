//! The public listener of a node, and plain HTTP requests to it.

use std::fmt;

use anyhow::{Context, Result, ensure};
use form_urlencoded::Serializer;
use http::header::{AUTHORIZATION, HOST};
use http::uri::{Authority, PathAndQuery};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const HTTP_PORT: u16 = 80;
/// More than any answer of a hub has that is no stream: an AsyncAPI document may have as much, its batches end at 256 KiB
/// unless it is told otherwise.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A public listener.
#[derive(Clone)]
pub(super) struct Target {
    url: String,
    authority: Authority,
    path_and_query: Option<PathAndQuery>,
}

/// An answer whose head has come.
pub(super) struct Answer {
    status: StatusCode,
    body: Incoming,
    /// Drives the connection for as long as the answer is held.
    _connection: JoinSet<()>,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is none, or not of plain HTTP.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("'{url}' is no URL"))?;
        ensure!(
            uri.scheme_str() == Some("http"),
            "'{url}' must start with http://: this command speaks plain text only"
        );
        let authority = uri.authority().with_context(|| format!("'{url}' has no host"))?;
        Ok(Target {
            url: format!("http://{authority}"),
            authority: authority.clone(),
            path_and_query: uri.path_and_query().cloned(),
        })
    }

    /// What the URL names on the listener; `/` where it names the listener only.
    pub(super) fn path_and_query(&self) -> &str {
        self.path_and_query.as_ref().map_or("/", PathAndQuery::as_str)
    }

    /// Host and port, as a request names them.
    pub(super) fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(super) async fn connect(&self) -> Result<TcpStream> {
        let host = self.authority.host().trim_matches(['[', ']']);
        let port = self.authority.port_u16().unwrap_or(HTTP_PORT);
        let connect = TcpStream::connect((host, port)).await;
        connect.context("there is no hub; is it running, and is this its public listener?")
    }

    /// `GET`, with a token where one is needed.
    ///
    /// # Errors
    /// Nobody listens there, or what answers does not speak HTTP.
    pub(super) async fn get(&self, path_and_query: &str, token: Option<&str>) -> Result<Answer> {
        let mut request = Request::get(path_and_query).header(HOST, self.authority());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .context("the path or the token has letters that none has")?;
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // How it ends shows in the answer.
            let _ended = connection.await;
        });
        let response = sender.send_request(request).await.context("it does not answer")?;
        let status = response.status();
        Ok(Answer { status, body: response.into_body(), _connection: driver })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The body.
    ///
    /// # Errors
    /// It breaks off, or is too large.
    pub(super) async fn bytes(self) -> Result<Bytes> {
        let body = Limited::new(self.body, ANSWER_BYTES).collect().await;
        let body = body.map_err(anyhow::Error::from_boxed).context("the answer breaks off")?;
        Ok(body.to_bytes())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It breaks off, is too large, or is no JSON.
    pub(super) async fn json(self) -> Result<Value> {
        serde_json::from_slice(&self.bytes().await?).context("the answer is no JSON")
    }

    /// The next bytes of the body.
    ///
    /// # Errors
    /// It ends, or breaks off.
    pub(super) async fn chunk(&mut self) -> Result<Bytes> {
        loop {
            let frame = self.body.frame().await.context("it ends")?.context("it breaks off")?;
            if let Ok(data) = frame.into_data() {
                return Ok(data);
            }
        }
    }
}

/// A path with a query.
pub(super) fn path(path: &str, parameters: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{path}?{query}")
}
