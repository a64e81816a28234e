//! The gRPC front: each method as a channel, described from the very descriptors that reflection serves.
//!
//! There is no binding for gRPC in AsyncAPI: the extension `x-grpc` names service and method, and says which side streams.
//! Payloads are in the JSON mapping of protobuf, which is what tools print and take.

use super::object::{anything, list_of, map_of, reference, text, truth};
use super::operations::base64;
use super::parts::{Action, Message, Operation, Parts};
use prost_reflect::{
    Cardinality, DescriptorError, DescriptorPool, FieldDescriptor, FileDescriptor, Kind,
    MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};
use serde_json::{Map, Value, json};

/// Only ours: health and reflection have documents of their own.
const PACKAGE: &str = "fanline.v1";

/// Adds every method of the services in an encoded descriptor set.
pub(super) fn add(parts: &mut Parts, descriptors: &[u8]) -> Result<(), DescriptorError> {
    let pool = DescriptorPool::decode(descriptors)?;
    for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
        for method in service.methods() {
            add_method(parts, &service, &method);
        }
    }
    Ok(())
}

fn add_method(parts: &mut Parts, service: &ServiceDescriptor, method: &MethodDescriptor) {
    let (input, output) = (method.input(), method.output());
    for message in [&input, &output] {
        add_message(parts, message);
    }
    let about = comment(&method.parent_file(), method.path());
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
    let about = comment(&message.parent_file(), message.path());
    parts.message(Message::new(&key, message.name(), &about, reference(message.full_name())));
    add_schema(parts, message);
}

fn add_schema(parts: &mut Parts, message: &MessageDescriptor) {
    if parts.schemas.contains_key(message.full_name()) {
        return;
    }
    // First of all, because a message may contain itself.
    parts.schema(message.full_name(), Value::Null);
    let mut properties = Map::new();
    for field in message.fields() {
        let mut schema = field_schema(parts, &field);
        if let Some(schema) = schema.as_object_mut() {
            let about = comment(&message.parent_file(), field.path());
            if !about.is_empty() {
                schema.insert("description".to_owned(), about.into());
            }
        }
        properties.insert(field.json_name().to_owned(), schema);
    }
    let title = message.full_name().trim_start_matches(PACKAGE).replace('.', "");
    let schema =
        json!({ "title": format!("Grpc{title}"), "type": "object", "properties": properties });
    parts.schema(message.full_name(), schema);
}

fn field_schema(parts: &mut Parts, field: &FieldDescriptor) -> Value {
    if field.is_map()
        && let Kind::Message(entry) = field.kind()
    {
        return map_of(kind_schema(parts, &entry.map_entry_value_field().kind()));
    }
    let one = kind_schema(parts, &field.kind());
    if field.cardinality() == Cardinality::Repeated { list_of(one) } else { one }
}

/// The JSON of a value (<https://protobuf.dev/programming-guides/json/>).
fn kind_schema(parts: &mut Parts, kind: &Kind) -> Value {
    match kind {
        Kind::Double | Kind::Float => json!({ "type": "number" }),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer" }),
        Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "minimum": 0 }),
        // Numbers of JavaScript end before those of 64 bits.
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            json!({ "type": "string", "pattern": "^-?[0-9]+$" })
        }
        Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "pattern": "^[0-9]+$" }),
        Kind::Bool => truth(),
        Kind::String => text(),
        Kind::Bytes => base64(),
        Kind::Enum(kind) => {
            let names: Vec<_> = kind.values().map(|value| value.name().to_owned()).collect();
            json!({ "type": "string", "enum": names })
        }
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
            "google.protobuf.Duration" => {
                json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$" })
            }
            "google.protobuf.Any" => anything(),
            name => {
                add_schema(parts, message);
                reference(name)
            }
        },
    }
}

/// What stands in front of a part in its file, as one paragraph.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location =
        info.and_then(|info| info.location.iter().find(|location| location.path == path));
    let text = location.map(|location| location.leading_comments()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
