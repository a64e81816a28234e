//! The whole front as one router, and what surrounds every call.
//!
//! From the outside in: counting and spans, the client's deadline, authentication, the service. Authentication comes before any
//! message is decoded; only health is answered without. No listener here, and none of what belongs to a connection: the
//! server's accept loop sets HTTP/2 limits and keepalive, speaks TLS and drains.

use crate::auth;
use crate::backends::Backends;
use crate::catalog::Catalog;
use crate::channels::Channels;
use crate::command_bus::CommandBus;
use crate::connections::Connections;
use crate::count::{self, Notes};
use crate::deadline;
use crate::health::{IsReady, NodeHealth};
use crate::message_size::{ANSWER_BYTES_MAX, request_bytes_max};
use crate::metrics::GrpcMetrics;
use crate::publisher::Publisher;
use crate::status;
use crate::subscriber::Subscriber;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use fanline_core::Hub;
use fanline_core::catalog::EventCatalog;
use fanline_proto::v1::catalog_server::{self, CatalogServer};
use fanline_proto::v1::channels_server::{self, ChannelsServer};
use fanline_proto::v1::command_bus_server::{self, CommandBusServer};
use fanline_proto::v1::connections_server::{self, ConnectionsServer};
use fanline_proto::v1::publisher_server::{self, PublisherServer};
use fanline_proto::v1::subscriber_server;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::server::Builder as ReflectionBuilder;

/// The services whose health is told, apart from the node's own.
const SERVICES: &[&str] = &[
    publisher_server::SERVICE_NAME,
    subscriber_server::SERVICE_NAME,
    channels_server::SERVICE_NAME,
    catalog_server::SERVICE_NAME,
    command_bus_server::SERVICE_NAME,
    connections_server::SERVICE_NAME,
];

/// For how long a client's token may live that is valid now, by the rules of the moment at which it is asked.
pub type TokenLifeMax = Arc<dyn Fn() -> Duration + Send + Sync>;

/// What the front is made of.
pub struct GrpcParts {
    /// The hub that answers.
    pub hub: Hub,
    /// Who may call.
    pub backends: Backends,
    /// What is known of events.
    pub catalog: Arc<dyn EventCatalog>,
    /// For how long revocations are kept.
    pub token_life_max: TokenLifeMax,
    /// The counters.
    pub metrics: GrpcMetrics,
    /// Whether the node can take calls, for health.
    pub is_ready: IsReady,
    /// The node drains: health says so and streams end, while calls that came are answered.
    pub stop: CancellationToken,
}

/// The front. Give it to a listener that speaks HTTP/2.
///
/// # Panics
/// When the descriptor set of `fanline.v1` cannot be read, which its own tests exclude.
pub fn router(parts: GrpcParts) -> Router {
    let GrpcParts { hub, backends, catalog, token_life_max, metrics, is_ready, stop } = parts;
    let request_bytes_max = request_bytes_max(hub.limits());
    let notes = Notes { metrics: metrics.clone(), spans: Arc::clone(hub.spans()) };
    let publisher = PublisherServer::new(Publisher::new(hub.clone(), stop.clone()))
        .max_decoding_message_size(request_bytes_max)
        .max_encoding_message_size(ANSWER_BYTES_MAX);
    let subscriber = Subscriber::new(hub.clone(), metrics.clone(), stop.clone());
    let channels = ChannelsServer::new(Channels::new(hub.clone()))
        .max_decoding_message_size(request_bytes_max)
        .max_encoding_message_size(ANSWER_BYTES_MAX);
    let connections = ConnectionsServer::new(Connections::new(hub.clone(), token_life_max))
        .max_decoding_message_size(request_bytes_max)
        .max_encoding_message_size(ANSWER_BYTES_MAX);
    let command_bus = CommandBusServer::new(CommandBus::new(hub, stop.clone()))
        .max_decoding_message_size(request_bytes_max);

    let catalog =
        CatalogServer::new(Catalog::new(catalog)).max_encoding_message_size(ANSWER_BYTES_MAX);

    // Reflection takes a key like the rest: it is a map of the house.
    let with_key = reflection(Routes::new(publisher))
        .add_service(subscriber)
        .add_service(channels)
        .add_service(catalog)
        .add_service(command_bus)
        .add_service(connections)
        .into_axum_router()
        .reset_fallback()
        .route_layer(from_fn_with_state(request_bytes_max, status::explain_unreadable))
        .route_layer(from_fn_with_state(backends, auth::authenticate));
    let without_key = Routes::new(HealthServer::new(NodeHealth::new(SERVICES, is_ready, stop)))
        .into_axum_router()
        .reset_fallback();

    with_key
        .merge(without_key)
        .route_layer(from_fn(deadline::keep))
        .route_layer(from_fn_with_state(notes, count::calls))
        .fallback(no_such_service)
}

fn reflection(routes: Routes) -> Routes {
    let builder = || {
        ReflectionBuilder::configure()
            .register_encoded_file_descriptor_set(fanline_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let valid = "the descriptor sets were made from proto files when this was built";
    // Both versions: Python's client still asks for the older one.
    routes
        .add_service(builder().build_v1().expect(valid))
        .add_service(builder().build_v1alpha().expect(valid))
}

/// Answers whoever calls no service of ours: a gRPC client with a status it can read, anybody else with 404.
async fn no_such_service(request: Request) -> Response {
    let is_grpc = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if is_grpc {
        Status::unimplemented("no such service").into_http()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{ApiKey, ApiKeys, KeyHash};
    use crate::scope::Scope;
    use crate::testing::GatedHub;
    use axum::body::Body;
    use bytes::{BufMut, BytesMut};
    use fanline_core::pattern::Pattern;
    use fanline_core::validator::NoCatalog;
    use fanline_proto::v1::PublishRequest;
    use prometheus_client::registry::Registry;
    use prost::Message;
    use tonic::Code;
    use tower::ServiceExt;

    const PUBLISH: &str = "/fanline.v1.Publisher/Publish";

    fn front(gated: &GatedHub, registry: &mut Registry) -> Router {
        router(GrpcParts {
            hub: gated.hub.clone(),
            backends: Backends::with_keys(ApiKeys::new(vec![ApiKey {
                name: "test".into(),
                hash: KeyHash::of("fk_test"),
                scopes: Scope::ALL.to_vec(),
                channels: vec![Pattern::any()],
                methods: Vec::new(),
            }])),
            catalog: Arc::new(NoCatalog),
            token_life_max: Arc::new(|| Duration::from_secs(24 * 3600)),
            metrics: GrpcMetrics::register(registry),
            is_ready: Arc::new(|| true),
            stop: CancellationToken::new(),
        })
    }

    fn call(path: &str) -> http::request::Builder {
        http::Request::post(path).header(CONTENT_TYPE, "application/grpc")
    }

    fn publish_one() -> Body {
        let request =
            PublishRequest { channel: "a:b".into(), data: "1".into(), ..PublishRequest::default() };
        // A message on the wire: not compressed, its length, itself.
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(u32::try_from(request.encoded_len()).unwrap());
        request.encode(&mut framed).unwrap();
        Body::from(framed.freeze())
    }

    async fn code(front: &Router, request: Request) -> Code {
        let response = front.clone().oneshot(request).await.unwrap();
        Status::from_header_map(response.headers()).unwrap().code()
    }

    #[tokio::test]
    async fn no_byte_of_a_message_is_read_without_a_key() {
        let (gated, mut registry) = (GatedHub::start(), Registry::default());
        let front = front(&gated, &mut registry);
        // Not a message at all: whoever decoded it would answer something else.
        let garbage = || Body::from("garbage");
        let without = call(PUBLISH).body(garbage()).unwrap();
        assert_eq!(code(&front, without).await, Code::Unauthenticated);
        let with = call(PUBLISH).header("authorization", "Bearer fk_test");
        assert_eq!(code(&front, with.body(garbage()).unwrap()).await, Code::InvalidArgument);
        assert!(gated.waiting().is_empty());
    }

    #[tokio::test]
    async fn a_call_ends_when_its_client_no_longer_waits() {
        let (gated, mut registry) = (GatedHub::start(), Registry::default());
        let front = front(&gated, &mut registry);
        let request = call(PUBLISH)
            .header("authorization", "Bearer fk_test")
            .header("grpc-timeout", "20m")
            .body(publish_one())
            .unwrap();
        assert_eq!(code(&front, request).await, Code::DeadlineExceeded);
        assert_eq!(gated.waiting().len(), 1, "the broker had it: the outcome is unknown");
    }

    #[tokio::test]
    async fn whoever_asks_for_something_else_gets_an_answer_it_can_read() {
        let (gated, mut registry) = (GatedHub::start(), Registry::default());
        let front = front(&gated, &mut registry);
        for path in ["/other.Service/Call", "/"] {
            let request = call(path).body(Body::empty()).unwrap();
            assert_eq!(code(&front, request).await, Code::Unimplemented, "{path}");
        }
        let browser = http::Request::get("/").body(Body::empty()).unwrap();
        let response = front.clone().oneshot(browser).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(!response.headers().contains_key(Status::GRPC_STATUS));

        let unknown =
            call("/fanline.v1.Subscriber/Other").header("authorization", "Bearer fk_test");
        let unknown = unknown.body(Body::empty()).unwrap();
        assert_eq!(code(&front, unknown).await, Code::Unimplemented);
    }
}
