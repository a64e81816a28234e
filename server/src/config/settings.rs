//! The configuration, checked: what the hub is built of.

use std::net::SocketAddr;
use std::sync::Arc;

use fanline_asyncapi::Catalog;
use fanline_core::Limits;
use fanline_core::namespace::Namespaces;
use fanline_edge::TokenRules;
use fanline_grpc::handlers::HandlerOptions;
use fanline_grpc::keys::ApiKeys;

use super::broker::BrokerSettings;
use super::checker::Checker;
use super::docs::DocsSettings;
use super::drain::DrainSettings;
use super::error::ConfigError;
use super::grpc::GrpcSettings;
use super::jwks::JwksSettings;
use super::public::PublicSettings;
use super::telemetry::TelemetrySettings;
use super::{Config, api_keys, handlers, namespaces};

/// What the hub is built of.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) public: PublicSettings,
    pub(crate) grpc: GrpcSettings,
    pub(crate) ops: SocketAddr,
    pub(crate) broker: BrokerSettings,
    pub(crate) tokens: TokenRules,
    pub(crate) jwks: Option<JwksSettings>,
    pub(crate) api_keys: ApiKeys,
    pub(crate) namespaces: Namespaces,
    pub(crate) catalog: Option<Arc<Catalog>>,
    pub(crate) handlers: Vec<HandlerOptions>,
    pub(crate) docs: DocsSettings,
    pub(crate) limits: Limits,
    pub(crate) drain: DrainSettings,
    pub(crate) telemetry: TelemetrySettings,
    /// What is odd but works.
    pub(crate) warnings: Vec<ConfigError>,
}

impl Config {
    /// Checks each section. What is refused is told to the checker and replaced by something harmless, so that the rest
    /// is checked too.
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> Settings {
        let certificate = self.tls.check(checker);
        let retention = self.history.check(checker);
        Settings {
            public: self.public.check(certificate.as_ref(), checker),
            grpc: self.grpc.check(&self.tls, certificate.as_ref(), checker),
            ops: self.ops.listen.0,
            broker: self.broker.check(checker),
            tokens: self.tokens.check(checker),
            jwks: self.tokens.jwks.as_ref().and_then(|jwks| jwks.check(checker)),
            api_keys: api_keys::check(&self.api_keys, checker),
            namespaces: namespaces::check(
                &self.namespaces,
                retention,
                self.catalog.is_set(),
                checker,
            ),
            catalog: self.catalog.check(checker),
            handlers: handlers::check(&self.handlers, checker),
            docs: self.docs.check(checker),
            limits: self.limits.check(checker),
            drain: self.drain.check(checker),
            telemetry: self.telemetry.check(checker),
            warnings: Vec::new(),
        }
    }
}
