//! The whole configuration.

use std::collections::BTreeMap;

use super::api_keys::ApiKeyConfig;
use super::broker::BrokerConfig;
use super::drain::DrainConfig;
use super::grpc::GrpcConfig;
use super::history::HistoryConfig;
use super::limits::LimitsConfig;
use super::namespaces::NamespaceConfig;
use super::ops::OpsConfig;
use super::public::PublicConfig;
use super::section::section;
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
        /// What carries events and keeps history.
        broker: BrokerConfig = BrokerConfig::default();
        /// Which tokens are good.
        tokens: TokensConfig = TokensConfig::default();
        /// The backends that may call.
        api_keys: Vec<ApiKeyConfig> = Vec::new();
        /// What channels keep.
        history: HistoryConfig = HistoryConfig::default();
        /// Options of channels, by the part of their name before the first colon.
        namespaces: BTreeMap<String, NamespaceConfig> = BTreeMap::new();
        /// Limits.
        limits: LimitsConfig = LimitsConfig::default();
        /// How the process stops.
        drain: DrainConfig = DrainConfig::default();
        /// What the process says about itself.
        telemetry: TelemetryConfig = TelemetryConfig::default();
    }
}
