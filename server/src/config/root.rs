//! The whole configuration.

use std::collections::BTreeMap;

use super::api_keys::ApiKeyConfig;
use super::broker::BrokerConfig;
use super::catalog::CatalogConfig;
use super::docs::DocsConfig;
use super::drain::DrainConfig;
use super::grpc::GrpcConfig;
use super::handlers::HandlerConfig;
use super::history::HistoryConfig;
use super::limits::LimitsConfig;
use super::namespaces::NamespaceConfig;
use super::ops::OpsConfig;
use super::public::PublicConfig;
use super::section::{Key, Section as _, section};
use super::telemetry::TelemetryConfig;
use super::tls::TlsConfig;
use super::tokens::TokensConfig;

section! {
    /// All sections. None is needed but one `[[api_keys]]`.
    Config {
        /// The listener of browsers.
        public: PublicConfig = PublicConfig::default();
        /// The listener of backends.
        grpc: GrpcConfig = GrpcConfig::default();
        /// The listener of operators.
        ops: OpsConfig = OpsConfig::default();
        /// The certificate of the first two.
        tls: TlsConfig = TlsConfig::default();
        /// What carries events between nodes and keeps history.
        broker: BrokerConfig = BrokerConfig::default();
        /// Which tokens are good.
        tokens: TokensConfig = TokensConfig::default();
        /// The backends that may call.
        api_keys: Vec<ApiKeyConfig> = Vec::new();
        /// What channels keep.
        history: HistoryConfig = HistoryConfig::default();
        /// Options of channels, by the part of their name before the first colon.
        namespaces: BTreeMap<String, NamespaceConfig> = BTreeMap::new();
        /// Which events there are.
        catalog: CatalogConfig = CatalogConfig::default();
        /// Backends that the hub calls, by patterns of methods.
        handlers: BTreeMap<String, HandlerConfig> = BTreeMap::new();
        /// The documents on the public listener.
        docs: DocsConfig = DocsConfig::default();
        /// Limits.
        limits: LimitsConfig = LimitsConfig::default();
        /// How the process stops.
        drain: DrainConfig = DrainConfig::default();
        /// What the process says about itself.
        telemetry: TelemetryConfig = TelemetryConfig::default();
    }
}

impl Config {
    /// The keys of the sections that are plain tables with fixed keys.
    pub(crate) const KEYS_OF_SECTIONS: &[(&str, &[Key])] = &[
        ("public", PublicConfig::KEYS),
        ("grpc", GrpcConfig::KEYS),
        ("ops", OpsConfig::KEYS),
        ("tls", TlsConfig::KEYS),
        ("broker", BrokerConfig::KEYS),
        ("tokens", TokensConfig::KEYS),
        ("history", HistoryConfig::KEYS),
        ("catalog", CatalogConfig::KEYS),
        ("docs", DocsConfig::KEYS),
        ("limits", LimitsConfig::KEYS),
        ("drain", DrainConfig::KEYS),
        ("telemetry", TelemetryConfig::KEYS),
    ];

    /// The sections that differ from those of `running` and cannot be replaced while the hub runs.
    pub(crate) fn sections_that_need_a_restart(&self, running: &Config) -> Vec<&'static str> {
        // All of them are named here, so that a new section has to be thought about.
        let Config {
            public,
            grpc,
            ops,
            tls,
            broker,
            tokens: _,
            api_keys: _,
            history: _,
            namespaces: _,
            catalog: _,
            handlers,
            docs,
            limits,
            drain,
            telemetry,
        } = self;
        let sections = [
            ("public", *public != running.public),
            ("grpc", *grpc != running.grpc),
            ("ops", *ops != running.ops),
            ("tls", *tls != running.tls),
            ("broker", *broker != running.broker),
            ("handlers", *handlers != running.handlers),
            ("docs", *docs != running.docs),
            ("limits", *limits != running.limits),
            ("drain", *drain != running.drain),
            ("telemetry", *telemetry != running.telemetry),
        ];
        sections.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}
