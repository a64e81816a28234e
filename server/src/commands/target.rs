//! The public listener of a node, and plain HTTP requests to it.

use std::fmt;

use anyhow::{Context, Result, ensure};
use form_urlencoded::Serializer;
use http::header::{AUTHORIZATION, HOST};
use http::uri::Authority;
use http::{Request, Uri};
use http_body_util::Empty;
use tokio::net::TcpStream;

use crate::http_client::{self, Answer};

const HTTP_PORT: u16 = 80;
/// More than any answer of a hub has that is no stream: an AsyncAPI document may have as much, its batches end at 256 KiB
/// unless it is told otherwise.
pub(super) const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A public listener.
#[derive(Clone)]
pub(super) struct Target {
    url: String,
    authority: Authority,
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
        Ok(Target { url: format!("http://{authority}"), authority: authority.clone() })
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
        let connected = http_client::connect(&self.authority, HTTP_PORT).await;
        connected.context("there is no hub; is it running, and is this its public listener?")
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
            .body(Empty::new())
            .context("the path or the token has letters that none has")?;
        http_client::send(self.connect().await?, request).await
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// A path with a query.
pub(super) fn path(path: &str, parameters: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{path}?{query}")
}
