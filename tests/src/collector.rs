//! A collector of spans: it takes what the hub exports by OTLP over gRPC, and its test looks through it.

use std::net::SocketAddr;
use std::sync::Arc;

use fanline_test_redis::{DEADLINE, within};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use rustls::ServerConfig;
use serde_json::Value;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

use crate::grpc_server::GrpcServer;
use crate::handler::free_address;

/// A listening collector. Dropping it closes its connections.
#[derive(Debug)]
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    spans: mpsc::UnboundedReceiver<Collected>,
    unread: Vec<Collected>,
    _server: GrpcServer,
}

/// A span that was exported.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The span.
    pub span: Span,
    /// The process that it is of.
    pub resource: Resource,
}

impl Collector {
    /// A collector on a free port.
    pub async fn start() -> Self {
        Self::start_at(free_address(), None).await
    }

    /// A collector at an address, with TLS as `tls` says.
    pub async fn start_at(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test makes few spans")]
        let (sender, spans) = mpsc::unbounded_channel();
        let service = TraceServiceServer::new(Taker(sender));
        let server = GrpcServer::start(address, tls, service).await;
        Self { address, spans, unread: Vec::new(), _server: server }
    }

    /// The URL for the hub's configuration.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next span of a name; others wait for whoever asks for them.
    pub async fn span(&mut self, name: &str) -> Collected {
        if let Some(index) = self.unread.iter().position(|other| other.span.name == name) {
            return self.unread.remove(index);
        }
        loop {
            let what = format!("the span `{name}`, after {:?}", self.names());
            let next = within(DEADLINE, &what, self.spans.recv()).await.expect("it serves");
            if next.span.name == name {
                return next;
            }
            self.unread.push(next);
        }
    }

    /// The names of the spans that came and were not asked for.
    pub fn names(&self) -> Vec<&str> {
        self.unread.iter().map(|other| &*other.span.name).collect()
    }
}

impl Collected {
    /// The trace, in hexadecimal digits.
    pub fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    /// Its own id, in hexadecimal digits.
    pub fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    /// That of its parent; empty where it has none.
    pub fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    /// An attribute; null where it has none of that name.
    pub fn attribute(&self, name: &str) -> Value {
        value(&self.span.attributes, name)
    }

    /// An attribute of the process.
    pub fn process(&self, name: &str) -> Value {
        value(&self.resource.attributes, name)
    }
}

fn value(attributes: &[KeyValue], name: &str) -> Value {
    let found = attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(AnyValue::StringValue(text)) => Value::from(&**text),
        Some(AnyValue::IntValue(number)) => Value::from(*number),
        Some(AnyValue::BoolValue(is_so)) => Value::from(*is_so),
        Some(other) => panic!("{name} is {other:?}"),
        None => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Taker(mpsc::UnboundedSender<Collected>);

#[tonic::async_trait]
impl TraceService for Taker {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_process in request.into_inner().resource_spans {
            let resource = of_process.resource.unwrap_or_default();
            for span in of_process.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                // A test that has seen enough no longer listens.
                let _or_not = self.0.send(Collected { span, resource: resource.clone() });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
