//! The descriptor set that a hub serves by reflection: it is the contract, name for name and number for number, and
//! describes each part of it.

use std::collections::HashSet;

use fanline_proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

const PACKAGE: &str = "fanline.v1";

/// Every RPC, with the marks of its streams.
const RPCS: [&str; 18] = [
    "Catalog.ListEventTypes(ListEventTypesRequest) -> ListEventTypesResponse",
    "Catalog.GetEventType(GetEventTypeRequest) -> GetEventTypeResponse",
    "Catalog.GetAsyncApi(GetAsyncApiRequest) -> GetAsyncApiResponse",
    "Publisher.Publish(PublishRequest) -> PublishResponse",
    "Publisher.Broadcast(BroadcastRequest) -> BroadcastResponse",
    "Publisher.PublishStream(stream PublishRequest) -> stream PublishResponse",
    "Subscriber.Subscribe(SubscribeRequest) -> stream SubscribeResponse",
    "Channels.History(HistoryRequest) -> HistoryResponse",
    "Channels.Presence(PresenceRequest) -> PresenceResponse",
    "Channels.List(ListChannelsRequest) -> ListChannelsResponse",
    "Channels.Stats(ChannelStatsRequest) -> ChannelStatsResponse",
    "Connections.List(ListConnectionsRequest) -> ListConnectionsResponse",
    "Connections.Disconnect(DisconnectRequest) -> DisconnectResponse",
    "Connections.Join(JoinRequest) -> JoinResponse",
    "Connections.Leave(LeaveRequest) -> LeaveResponse",
    "Connections.Revoke(RevokeRequest) -> RevokeResponse",
    "CommandBus.Serve(stream ServeRequest) -> stream ServeResponse",
    "CommandHandler.Handle(Command) -> CommandReply",
];

/// Every message with its fields in the order of their numbers, which start at 1 and leave none out.
const MESSAGES: [&str; 49] = [
    "ListEventTypesRequest: page_size, page_token",
    "ListEventTypesResponse: event_types, next_page_token, revision",
    "EventType: name, title, summary, addresses, publisher, owner, tags, since, deprecated, message",
    "GetEventTypeRequest: name",
    "GetEventTypeResponse: event_type, publish_schema, deliver_schema, examples, revision",
    "GetAsyncApiRequest: format",
    "GetAsyncApiResponse: document, revision",
    "Position: epoch, offset",
    "Event: id, channel, type, data, content_type, headers, time, position, user",
    "PublishRequest: channel, type, data, content_type, headers, idempotency_key, exclude_connections, ttl, request_id",
    "PublishResponse: event_id, position, duplicate, request_id, error",
    "BroadcastRequest: channels, event",
    "BroadcastResponse: results",
    "BroadcastResponse.Result: channel, response",
    "SubscribeRequest: channels",
    "ChannelSelector: channel, after, earliest, last",
    "SubscribeResponse: subscribed, event, gap",
    "Subscribed: channel, position, recovered, reason",
    "Gap: channel, from, to, reason",
    "HistoryRequest: channel, after, earliest, last, limit, reverse",
    "HistoryResponse: events, position, more, next, recovered, reason",
    "PresenceRequest: channel",
    "PresenceResponse: members",
    "Member: connection, user, info, joined_at",
    "ListChannelsRequest: pattern, page_size, page_token",
    "ListChannelsResponse: channels, next_page_token",
    "ChannelInfo: channel, members, users",
    "ChannelStatsRequest: channel",
    "ChannelStatsResponse: members, users, position",
    "ListConnectionsRequest: user, channel, page_size, page_token",
    "ListConnectionsResponse: connections, next_page_token",
    "Connection: connection, user, token_id, transport, connected_at, channels, node",
    "DisconnectRequest: connection, user, token_id, reconnect",
    "DisconnectResponse: connections",
    "JoinRequest: user, connection, channel",
    "JoinResponse: connections",
    "LeaveRequest: user, connection, channel",
    "LeaveResponse: connections",
    "RevokeRequest: user, token_id, issued_before, until",
    "RevokeResponse: until",
    "ServeRequest: register, reply, drain",
    "Register: methods, max_in_flight",
    "Drain: ",
    "ServeResponse: registered, command, cancelled, rejected",
    "Registered: max_in_flight",
    "Cancelled: id",
    "Rejected: id, error",
    "Command: id, method, channel, data, content_type, user, connection, claims, deadline, idempotency_key, traceparent",
    "CommandReply: id, data, content_type, error, more, publish, join, leave",
];

#[test]
fn rpcs_are_those_that_clients_were_written_against() {
    let rpcs: Vec<String> = files()
        .iter()
        .flat_map(|file| &file.service)
        .flat_map(|service| {
            service.method.iter().map(|method| {
                let stream = |on: Option<bool>| if on == Some(true) { "stream " } else { "" };
                format!(
                    "{}.{}({}{}) -> {}{}",
                    service.name(),
                    method.name(),
                    stream(method.client_streaming),
                    local(method.input_type()),
                    stream(method.server_streaming),
                    local(method.output_type()),
                )
            })
        })
        .collect();
    assert_same(&rpcs, &RPCS);
}

#[test]
fn messages_and_fields_are_those_that_clients_were_written_against() {
    let messages: Vec<String> = files()
        .iter()
        .flat_map(messages_of)
        .map(|Message { name, descriptor, .. }| {
            let fields: Vec<&str> = (1..)
                .map_while(|number| descriptor.field.iter().find(|field| field.number() == number))
                .map(|field| field.name())
                .collect();
            assert_eq!(fields.len(), descriptor.field.len(), "{name} leaves a number out");
            format!("{name}: {}", fields.join(", "))
        })
        .collect();
    assert_same(&messages, &MESSAGES);
}

#[test]
fn every_service_rpc_message_and_field_is_described() {
    let undescribed: Vec<String> = files().iter().flat_map(undescribed_in).collect();
    assert_eq!(undescribed, Vec::<String>::new());
}

#[test]
fn a_part_without_a_comment_is_found() {
    let mut file = files().swap_remove(0);
    file.source_code_info = None;
    assert!(undescribed_in(&file).contains(&"Position.epoch".to_owned()));
}

/// The contract's own files, without what they import.
fn files() -> Vec<FileDescriptorProto> {
    FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)
        .expect("the build encoded it")
        .file
        .into_iter()
        .filter(|file| file.package() == PACKAGE)
        .collect()
}

/// A message, and its place in the file as source info counts it.
struct Message<'a> {
    name: String,
    path: Vec<i32>,
    descriptor: &'a DescriptorProto,
}

/// Tags of `FileDescriptorProto`, `DescriptorProto` and `ServiceDescriptorProto`, of which the paths of source info are made.
mod tag {
    pub(super) const FILE_MESSAGE: i32 = 4;
    pub(super) const FILE_SERVICE: i32 = 6;
    pub(super) const MESSAGE_FIELD: i32 = 2;
    pub(super) const MESSAGE_NESTED: i32 = 3;
    pub(super) const SERVICE_METHOD: i32 = 2;
}

/// The messages of a file, nested ones after the one they stand in.
fn messages_of(file: &FileDescriptorProto) -> Vec<Message<'_>> {
    fn add<'a>(
        found: &mut Vec<Message<'a>>,
        name: String,
        path: Vec<i32>,
        descriptor: &'a DescriptorProto,
    ) {
        found.push(Message { name: name.clone(), path: path.clone(), descriptor });
        for (index, nested) in (0..).zip(&descriptor.nested_type) {
            // A map's entry is a message only inside the descriptor.
            if !nested.options.as_ref().is_some_and(|options| options.map_entry()) {
                let path = [path.as_slice(), &[tag::MESSAGE_NESTED, index]].concat();
                add(found, format!("{name}.{}", nested.name()), path, nested);
            }
        }
    }

    let mut found = Vec::new();
    for (index, message) in (0..).zip(&file.message_type) {
        add(&mut found, message.name().to_owned(), vec![tag::FILE_MESSAGE, index], message);
    }
    found
}

/// The names of what has no comment in front of it.
fn undescribed_in(file: &FileDescriptorProto) -> Vec<String> {
    let described: HashSet<&[i32]> = file
        .source_code_info
        .iter()
        .flat_map(|info| &info.location)
        .filter(|location| !location.leading_comments().trim().is_empty())
        .map(|location| location.path.as_slice())
        .collect();

    let mut parts = Vec::new();
    for (index, service) in (0..).zip(&file.service) {
        let path = vec![tag::FILE_SERVICE, index];
        for (index, method) in (0..).zip(&service.method) {
            let path = [path.as_slice(), &[tag::SERVICE_METHOD, index]].concat();
            parts.push((format!("{}.{}", service.name(), method.name()), path));
        }
        parts.push((service.name().to_owned(), path));
    }
    for Message { name, path, descriptor } in messages_of(file) {
        for (index, field) in (0..).zip(&descriptor.field) {
            let path = [path.as_slice(), &[tag::MESSAGE_FIELD, index]].concat();
            parts.push((format!("{name}.{}", field.name()), path));
        }
        parts.push((name, path));
    }

    parts
        .into_iter()
        .filter(|(_, path)| !described.contains(path.as_slice()))
        .map(|(name, _)| name)
        .collect()
}

/// `.fanline.v1.Event` without the package.
fn local(type_name: &str) -> &str {
    type_name.rsplit('.').next().unwrap_or(type_name)
}

/// In whatever order, since how the files are split is nobody's contract.
fn assert_same(found: &[String], expected: &[&str]) {
    let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
    let mut expected = expected.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
