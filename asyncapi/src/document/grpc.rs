//! The gRPC front: each method as a channel, described from the very descriptors that reflection serves.
//!
//! There is no binding for gRPC in AsyncAPI: the extension `x-grpc` names service and method, and says which side streams.
//! Payloads are in the JSON mapping of protobuf, which is what tools print and take.

use super::object::reference;
use super::parts::{Action, Message, Operation, Parts};
use crate::catalog::CatalogErrors;
use crate::catalog::proto::{comment, schemas};
use prost_reflect::{
    DescriptorError, DescriptorPool, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};
use serde_json::json;
use thiserror::Error;

/// Only ours: health and reflection have documents of their own.
const PACKAGE: &str = "fanline.v1";

/// Why a front cannot be described.
#[derive(Debug, Error)]
pub(super) enum GrpcError {
    #[error("the descriptors cannot be read")]
    Descriptors(#[from] DescriptorError),
    #[error("a message has no schema")]
    Messages(#[from] CatalogErrors),
}

/// Adds every method of the services in an encoded descriptor set.
pub(super) fn add(parts: &mut Parts, descriptors: &[u8]) -> Result<(), GrpcError> {
    let pool = DescriptorPool::decode(descriptors)?;
    let mut messages = Vec::new();
    for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
        for method in service.methods() {
            add_method(parts, &service, &method);
            messages.extend([method.input(), method.output()]);
        }
    }
    for schema in schemas(&messages)? {
        parts.schema(&schema.name, schema.deliver);
    }
    Ok(())
}

fn add_method(parts: &mut Parts, service: &ServiceDescriptor, method: &MethodDescriptor) {
    let (input, output) = (method.input(), method.output());
    for message in [&input, &output] {
        add_message(parts, message);
    }
    let about = paragraph(comment(&method.parent_file(), method.path()));
    let channel = json!({
        "address": format!("{}/{}", service.full_name(), method.name()),
        "title": format!("{}.{}", service.name(), method.name()),
        "summary": about,
        "servers": [{ "$ref": "#/servers/grpc" }],
    });
    let (request, response) = (message_key(&input), message_key(&output));
    parts.endpoint(
        &format!("fanline.grpc.{}.{}", service.name(), method.name()),
        channel,
        &[Operation {
            id: &format!("grpc{}{}", service.name(), method.name()),
            action: Action::Receive,
            title: method.name(),
            summary: &about,
            messages: &[&request],
            replies: &[&response],
            bindings: Some(json!({ "x-grpc": {
                "service": service.full_name(),
                "method": method.name(),
                "clientStreaming": method.is_client_streaming(),
                "serverStreaming": method.is_server_streaming(),
            } })),
        }],
    );
}

fn message_key(message: &MessageDescriptor) -> String {
    format!("fanline.grpc.{}", message.name())
}

fn add_message(parts: &mut Parts, message: &MessageDescriptor) {
    let key = message_key(message);
    if parts.messages.contains_key(&key) {
        return;
    }
    let about = paragraph(comment(&message.parent_file(), message.path()));
    parts.message(Message::new(&key, message.name(), &about, reference(message.full_name())));
}

/// A comment without its line ends.
fn paragraph(comment: Option<String>) -> String {
    comment.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
