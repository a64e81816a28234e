//! The counters of the gRPC front. All series start at zero; labels are closed enums.

use crate::status::code_name;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write};
use tonic::Code;

/// The counters of the gRPC front. Clones share them.
#[derive(Clone, Debug)]
pub struct GrpcMetrics {
    /// `fanline_grpc_requests_total{method,code}`: calls that ended, streams included.
    requests: Family<RequestLabel, Counter>,
    /// `fanline_grpc_subscriptions`: channels that open `Subscribe` streams follow, each counted per stream.
    pub(crate) subscriptions: Gauge,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabel {
    method: Method,
    code: CodeLabel,
}

/// A method as a label.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Method {
    Publish,
    Broadcast,
    PublishStream,
    Subscribe,
    History,
    Presence,
    ListChannels,
    Stats,
    ListConnections,
    Disconnect,
    Join,
    Leave,
    Revoke,
    Serve,
    ListEventTypes,
    GetEventType,
    GetAsyncApi,
    Health,
    Reflection,
    /// None of ours; what it was called stays outside the labels.
    Unknown,
}

/// A status code as a label, by the name that the gRPC documents give it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct CodeLabel(Code);

impl GrpcMetrics {
    /// Registers every series, each at zero.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = GrpcMetrics { requests: Family::default(), subscriptions: Gauge::default() };
        for method in Method::ALL {
            for code in (0..=16).map(Code::from_i32).map(CodeLabel) {
                let label = RequestLabel { method, code };
                let _starts_at_zero = metrics.requests.get_or_create(&label);
            }
        }
        let registry = registry.sub_registry_with_prefix("fanline");
        registry.register("grpc_requests", "gRPC calls that ended", metrics.requests.clone());
        registry.register(
            "grpc_subscriptions",
            "Channels followed by open Subscribe streams",
            metrics.subscriptions.clone(),
        );
        metrics
    }

    /// Counts a call that ended.
    pub(crate) fn ended(&self, method: Method, code: Code) {
        let code = CodeLabel(code);
        self.requests.get_or_create(&RequestLabel { method, code }).inc();
    }
}

impl Method {
    const ALL: [Method; 20] = [
        Method::Publish,
        Method::Broadcast,
        Method::PublishStream,
        Method::Subscribe,
        Method::History,
        Method::Presence,
        Method::ListChannels,
        Method::Stats,
        Method::ListConnections,
        Method::Disconnect,
        Method::Join,
        Method::Leave,
        Method::Revoke,
        Method::Serve,
        Method::ListEventTypes,
        Method::GetEventType,
        Method::GetAsyncApi,
        Method::Health,
        Method::Reflection,
        Method::Unknown,
    ];

    /// The method that a path calls.
    pub(crate) fn of(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        if let Some(own) = path.strip_prefix("fanline.v1.") {
            return Method::ALL
                .into_iter()
                .find(|method| method.as_str() == own)
                .unwrap_or(Method::Unknown);
        }
        match path.split('/').next() {
            Some("grpc.health.v1.Health") => Method::Health,
            Some(
                "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection",
            ) => Method::Reflection,
            Some(_) | None => Method::Unknown,
        }
    }

    /// Whether it is answered once, and known: neither a stream nor a probe.
    pub(crate) fn has_one_answer(self) -> bool {
        match self {
            Method::Publish
            | Method::Broadcast
            | Method::History
            | Method::Presence
            | Method::ListChannels
            | Method::Stats
            | Method::ListConnections
            | Method::Disconnect
            | Method::Join
            | Method::Leave
            | Method::Revoke
            | Method::ListEventTypes
            | Method::GetEventType
            | Method::GetAsyncApi => true,
            Method::PublishStream
            | Method::Subscribe
            | Method::Serve
            | Method::Health
            | Method::Reflection
            | Method::Unknown => false,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Method::Publish => "Publisher/Publish",
            Method::Broadcast => "Publisher/Broadcast",
            Method::PublishStream => "Publisher/PublishStream",
            Method::Subscribe => "Subscriber/Subscribe",
            Method::History => "Channels/History",
            Method::Presence => "Channels/Presence",
            Method::ListChannels => "Channels/List",
            Method::Stats => "Channels/Stats",
            Method::ListConnections => "Connections/List",
            Method::Disconnect => "Connections/Disconnect",
            Method::Join => "Connections/Join",
            Method::Leave => "Connections/Leave",
            Method::Revoke => "Connections/Revoke",
            Method::Serve => "CommandBus/Serve",
            Method::ListEventTypes => "Catalog/ListEventTypes",
            Method::GetEventType => "Catalog/GetEventType",
            Method::GetAsyncApi => "Catalog/GetAsyncApi",
            Method::Health => "Health",
            Method::Reflection => "ServerReflection",
            Method::Unknown => "unknown",
        }
    }
}

impl EncodeLabelValue for Method {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.as_str())
    }
}

impl EncodeLabelValue for CodeLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(code_name(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    #[test]
    fn every_method_of_the_contract_is_counted_by_its_name() {
        let files =
            prost_types::FileDescriptorSet::decode(fanline_proto::FILE_DESCRIPTOR_SET).unwrap();
        let ours = files.file.iter().filter(|file| file.package() == "fanline.v1");
        let services = ours.flat_map(|file| &file.service);
        // This one is served by backends.
        for service in services.filter(|service| service.name() != "CommandHandler") {
            for method in &service.method {
                let name = format!("{}/{}", service.name(), method.name());
                assert_eq!(Method::of(&format!("/fanline.v1.{name}")).as_str(), name);
            }
        }
    }

    #[test]
    fn a_method_is_known_by_its_path() {
        let table = [
            ("/fanline.v1.Publisher/Publish", Method::Publish),
            ("/fanline.v1.Connections/List", Method::ListConnections),
            ("/fanline.v1.CommandHandler/Handle", Method::Unknown),
            ("/fanline.v1.unknown", Method::Unknown),
            ("/fanline.v1.Publisher/Other", Method::Unknown),
            ("/grpc.health.v1.Health/Watch", Method::Health),
            ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Method::Reflection),
            ("/", Method::Unknown),
        ];
        for (path, method) in table {
            assert_eq!(Method::of(path), method, "{path}");
        }
    }

    #[test]
    fn every_series_is_there_from_the_start() {
        let mut registry = Registry::default();
        let _metrics = GrpcMetrics::register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(
            text.contains(
                r#"fanline_grpc_requests_total{method="Publisher/Publish",code="INVALID_ARGUMENT"} 0"#
            ),
            "{text}"
        );
        assert!(text.contains("fanline_grpc_subscriptions 0"), "{text}");
    }
}
