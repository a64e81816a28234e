//! `[handlers."<pattern>"]`: the backends that the hub calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanline_core::limits::WORKER_COMMANDS_MAX;
use fanline_grpc::handlers::HandlerOptions;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;

use super::address;
use super::checker::Checker;
use super::path::Path;
use super::secret::Secret;
use super::section::section;
use super::text::DurationText;
use super::tls::{Certificate, certificates, private_key, trusted};

/// Most tries after the first: with pauses that double, more would outlast any client.
const RETRIES_MAX: u32 = 10;

section! {
    /// A backend that the hub calls for the methods of a pattern, instead of being connected to by it: it serves
    /// fanline.v1.CommandHandler. docs/handlers.md says more.
    HandlerConfig {
        /// Where it listens, as http://host:port, or https:// for TLS.
        url: Option<String> = None, like r#""http://127.0.0.1:7000""#;
        /// How long one try may take. The client waits for command_timeout in all.
        timeout: DurationText = DurationText::seconds(5);
        /// Further tries where they can do no harm: there was no connection, or the command has an idempotency key.
        retries: u32 = 2;
        /// Commands that it has at a time; others wait.
        max_in_flight: usize = 64;
        /// Certificate authority (PEM) of the backend, for https://. Not set: those that the machine trusts.
        ca: Option<Secret> = None, like r#""file:handler-ca.pem""#;
        /// The certificate chain (PEM) that the hub shows, for mutual TLS.
        cert: Option<Secret> = None, like r#""file:hub.pem""#;
        /// Its private key (PEM).
        key: Option<Secret> = None, like r#""file:hub.key.pem""#;
        /// Metadata of each call. Each value may be env:NAME or file:/path.
        metadata: BTreeMap<String, Secret> = BTreeMap::new(), like r#"{ authorization = "env:HANDLER_AUTHORIZATION" }"#;
    }
}

/// All handlers, checked.
pub(crate) fn check(
    handlers: &BTreeMap<String, HandlerConfig>,
    checker: &mut Checker<'_>,
) -> Vec<HandlerOptions> {
    let path = Path::of(&["handlers"]);
    handlers
        .iter()
        .filter_map(|(methods, handler)| handler.check(methods, &path.key(methods), checker))
        .collect()
}

impl HandlerConfig {
    fn check(
        &self,
        methods: &str,
        path: &Path,
        checker: &mut Checker<'_>,
    ) -> Option<HandlerOptions> {
        checker.require(!self.timeout.0.is_zero(), &path.key("timeout"), "must be more than zero");
        checker.require(
            self.retries <= RETRIES_MAX,
            &path.key("retries"),
            format!("must be at most {RETRIES_MAX}"),
        );
        checker.require(
            (1..=WORKER_COMMANDS_MAX).contains(&self.max_in_flight),
            &path.key("max_in_flight"),
            format!("must be 1 to {WORKER_COMMANDS_MAX}"),
        );
        let url = checker.needed(self.url.as_ref(), &path.key("url"));
        let url = url.and_then(|url| {
            address::check(&url, &path.key("url"), "http://127.0.0.1:7000", checker)
        });
        let is_tls = url.as_ref().is_some_and(|url| url.scheme_str() == Some("https"));
        for (key, secret) in [("ca", &self.ca), ("cert", &self.cert), ("key", &self.key)] {
            let fits = is_tls || secret.is_none() || url.is_none();
            checker.require(fits, &path.key(key), "is for https:// only, which 'url' is not");
        }
        let tls = is_tls.then(|| self.tls(path, checker));
        Some(HandlerOptions {
            metadata: self.metadata(&path.key("metadata"), checker),
            tls: match tls {
                Some(tls) => Some(tls?),
                None => None,
            },
            methods: checker.parse(methods, path)?,
            url: url?,
            timeout: self.timeout.0,
            retries: self.retries,
            max_in_flight: self.max_in_flight,
        })
    }

    /// TLS for calls: which authorities are trusted, and what the hub shows.
    fn tls(&self, path: &Path, checker: &mut Checker<'_>) -> Option<Arc<ClientConfig>> {
        let trusted = trusted(self.ca.as_ref(), &path.key("ca"), &path.key("url"), checker)?;
        let shown = match (&self.cert, &self.key) {
            (None, None) => None,
            (cert, key) => {
                let cert = checker.needed(cert.as_ref(), &path.key("cert"));
                let key = checker.needed(key.as_ref(), &path.key("key"));
                let cert = checker.reveal(&cert?, &path.key("cert"))?;
                let key = checker.reveal(&key?, &path.key("key"))?;
                let chain = certificates(&cert, &path.key("cert"), checker);
                let key = private_key(&key, &path.key("key"), checker)?;
                if chain.is_empty() {
                    return None;
                }
                Some(Certificate::new(chain, key))
            }
        };
        Certificate::client(shown.as_ref(), trusted, b"h2")
            .map_err(|error| {
                checker.refuse(&path.key("key"), format!("does not go with 'cert': {error}"));
            })
            .ok()
    }

    fn metadata(&self, path: &Path, checker: &mut Checker<'_>) -> HeaderMap {
        let mut metadata = HeaderMap::new();
        for (name, secret) in &self.metadata {
            let path = path.key(name);
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
                checker
                    .refuse(&path, "cannot be the name of metadata: use letters, digits and '-'");
                continue;
            };
            if is_of_the_protocol(&name) {
                checker.refuse(&path, "is set by the protocol itself");
                continue;
            }
            let Some(value) = checker.reveal(secret, &path) else { continue };
            // Whatever is not ASCII is for keys of binary values.
            match HeaderValue::from_bytes(&value) {
                Ok(mut value) if value.to_str().is_ok() => {
                    value.set_sensitive(true);
                    metadata.insert(name, value);
                }
                Ok(_) | Err(_) => checker.refuse(&path, "cannot be sent: use printable ASCII"),
            }
        }
        metadata
    }
}

/// What gRPC sets itself (gRPC over HTTP/2, "Requests"), and keys of binary values, which no text is.
fn is_of_the_protocol(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("grpc-")
        || name.ends_with("-bin")
        || matches!(name, "te" | "content-type" | "user-agent" | "host" | "connection")
}
