//! A client of one hub, and how it is made.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::backoff::Backoff;
use crate::failure::Failure;
use crate::limits::{
    CONNECT_TIMEOUT, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, PUBLISH_PATIENCE, PUBLISH_PATIENCE_MAX,
};
use crate::random::Random;

/// A connection that sends the API key with every call: for the generated stubs.
pub type Connection = InterceptedService<Channel, Bearer>;

/// A client of one hub. Cheap to clone; all clones share one connection, which is made by the first call and made anew
/// when it breaks.
#[derive(Clone, Debug)]
pub struct Client {
    connection: Connection,
    pub(crate) random: Random,
    pub(crate) patience: Duration,
}

impl Client {
    /// A client of the hub whose gRPC listener is at `url`: `https://` with TLS, `http://` without, as in
    /// `http://127.0.0.1:50051`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            api_key: None,
            authority: None,
            identity: None,
            patience: PUBLISH_PATIENCE,
        }
    }

    /// The connection, for all that this crate has no function for:
    /// `ChannelsClient::new(client.connection())`.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// When to try again after this failure. None: it would fail again, or only after `deadline`.
    pub(crate) fn retry_at(
        &self,
        failure: &Failure,
        backoff: &mut Backoff,
        deadline: Option<Instant>,
    ) -> Option<Instant> {
        let pause = backoff.next(failure.retry_after, self.random.fraction());
        let at = Instant::now() + pause;
        (failure.is_retryable() && deadline.is_none_or(|deadline| at < deadline)).then_some(at)
    }
}

/// Says how to reach a hub.
#[derive(Clone)]
pub struct ClientBuilder {
    url: String,
    api_key: Option<String>,
    authority: Option<Certificate>,
    identity: Option<Identity>,
    patience: Duration,
}

impl ClientBuilder {
    /// The API key, or service token, that every call carries. None by default: then the certificate of
    /// [`identity`](Self::identity) is who calls.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Trusts the hub's certificate by this authority, in PEM form, instead of those that the system trusts.
    #[must_use]
    pub fn authority(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.authority = Some(Certificate::from_pem(pem));
        self
    }

    /// Shows the hub this certificate of our own, with its key, both in PEM form: mutual TLS.
    #[must_use]
    pub fn identity(mut self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.identity = Some(Identity::from_pem(certificate, key));
        self
    }

    /// How long a publish is tried again before it fails. Default: 30 s. At most 150 s, so that all attempts fall into the
    /// hub's idempotency window; more is taken as that.
    #[must_use]
    pub fn publish_patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(PUBLISH_PATIENCE_MAX);
        self
    }

    /// Makes the client, inside a tokio runtime. It connects with its first call: a hub that is not there yet is waited for
    /// as that call says.
    ///
    /// # Errors
    ///
    /// The URL, the key or a certificate is none.
    pub fn build(self) -> Result<Client, BuildError> {
        let channel = self.endpoint()?.connect_lazy();
        self.over(channel)
    }

    /// Makes the client and its first connection: for programs that rather fail than wait for a hub.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and there is no hub at the URL.
    pub async fn connect(self) -> Result<Client, BuildError> {
        let endpoint = self.endpoint()?;
        let connected = endpoint.connect().await;
        let channel =
            connected.map_err(|error| BuildError::Unreachable(self.url.clone(), error))?;
        self.over(channel)
    }

    fn over(self, channel: Channel) -> Result<Client, BuildError> {
        let bearer = Bearer::new(self.api_key.as_deref())?;
        Ok(Client {
            connection: InterceptedService::new(channel, bearer),
            random: Random::from_system().map_err(BuildError::Random)?,
            patience: self.patience,
        })
    }

    fn endpoint(&self) -> Result<Endpoint, BuildError> {
        let is_tls = self.url.starts_with("https://");
        if !is_tls && !self.url.starts_with("http://") {
            return Err(BuildError::Url(self.url.clone()));
        }
        let endpoint = Endpoint::from_shared(self.url.clone())
            .map_err(|_| BuildError::Url(self.url.clone()))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        if !is_tls {
            return Ok(endpoint);
        }
        if self.authority.as_ref().is_some_and(|pem| !holds_certificate(pem)) {
            return Err(BuildError::Authority);
        }
        let tls = tls(self.authority.clone(), self.identity.clone());
        endpoint.tls_config(tls).map_err(BuildError::Tls)
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Without this the handshake would fail later, and say less.
fn holds_certificate(pem: &Certificate) -> bool {
    const HEAD: &[u8] = b"-----BEGIN CERTIFICATE-----";
    pem.as_ref().windows(HEAD.len()).any(|bytes| bytes == HEAD)
}

fn tls(authority: Option<Certificate>, identity: Option<Identity>) -> ClientTlsConfig {
    let tls = ClientTlsConfig::new();
    let tls = match authority {
        Some(authority) => tls.ca_certificate(authority),
        None => tls.with_native_roots(),
    };
    match identity {
        Some(identity) => tls.identity(identity),
        None => tls,
    }
}

/// What else to ask when there is no TLS to be had at a URL.
fn tls_too(url: &str) -> &'static str {
    if url.starts_with("https://") {
        ", with TLS and a certificate whose authority is trusted here"
    } else {
        ""
    }
}

/// A client cannot be made of what the builder was told.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The URL has no place for a hub.
    #[error("`{0}` is not the URL of a hub: http:// or https://, a host and a port")]
    Url(String),
    /// The API key cannot be sent.
    #[error("the API key has letters that no key has")]
    ApiKey,
    /// There is no certificate in what the authority's should be.
    #[error("the authority holds no certificate in PEM form")]
    Authority,
    /// The certificate of our own or its key is not in PEM form, or the system trusts nobody.
    #[error("the TLS settings cannot be used")]
    Tls(#[source] tonic::transport::Error),
    /// No connection could be made.
    #[error("there is no hub at {0}; is it running, and is this its gRPC listener{how}?", how = tls_too(.0))]
    Unreachable(String, #[source] tonic::transport::Error),
    /// The system has no randomness to give.
    #[error("there is no randomness")]
    Random(#[source] io::Error),
}

/// Sends the API key along.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    fn new(key: Option<&str>) -> Result<Self, BuildError> {
        let value = |key| {
            let mut value: MetadataValue<Ascii> =
                format!("Bearer {key}").parse().map_err(|_| BuildError::ApiKey)?;
            value.set_sensitive(true);
            Ok(value)
        };
        key.map(value).transpose().map(Bearer)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer")
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Waits until then; without a time not at all.
pub(crate) async fn until(at: Option<Instant>) {
    if let Some(at) = at {
        sleep(at.saturating_duration_since(Instant::now())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_used_is_refused_by_name() {
        for url in ["127.0.0.1:50051", "ftp://hub", "http://", "https://a b"] {
            let error = Client::builder(url).build().unwrap_err();
            assert!(error.to_string().contains(url), "{error}");
        }
        let error = Client::builder("http://hub:50051").api_key("a\nb").build().unwrap_err();
        assert!(matches!(error, BuildError::ApiKey), "{error}");
        let error = Client::builder("https://hub").authority("none").build().unwrap_err();
        assert!(matches!(error, BuildError::Authority), "{error}");
    }

    #[tokio::test]
    async fn the_key_is_never_shown() {
        let builder = Client::builder("http://hub:50051").api_key("fk_secret");
        let client = builder.clone().build().unwrap();
        let shown = format!("{builder:?} {client:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
