//! The channels of the catalog: what readers look for first. They say nothing of a transport but its name.

use super::object::{Object, SCHEMAS, constant, reference};
use super::operations;
use super::parts::{Action, Parts, channel_message, channel_reference};
use super::vocabulary::{SOME_CONNECTION, SOME_POSITION, SOME_TIME, event_object};
use super::{Readers, Settings};
use crate::catalog::{
    Audience, Catalog, ChannelDefinition, EventDefinition, Example, Publisher, Transport, View,
    Visibility, class_name,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What stands behind the name of a schema or message in the view of a publisher.
pub(crate) const PUBLISH: &str = ".publish";

/// How the ids of channels start that are the hub's own endpoints, not of the catalog.
pub(crate) const OWN: &str = "fanline.";

/// Adds the channels that these readers see, with their events and the schemas of these.
pub(super) fn add(parts: &mut Parts, catalog: &Catalog, settings: Settings) {
    let mut events = BTreeSet::new();
    for channel in catalog.channels().iter().filter(|channel| is_seen(channel, settings.readers)) {
        add_channel(parts, catalog, channel);
        for event in catalog.events_of(&channel.id) {
            if events.insert(&event.name) {
                add_event(parts, channel, event);
            }
        }
    }
    let events = events.into_iter().filter_map(|name| catalog.event(name));
    add_schemas(parts, catalog, events.map(|event| event.schema.clone()).collect());
}

fn is_seen(channel: &ChannelDefinition, readers: Readers) -> bool {
    match channel.visibility {
        Visibility::Public => true,
        Visibility::Internal => readers == Readers::Internal,
    }
}

fn add_channel(parts: &mut Parts, catalog: &Catalog, channel: &ChannelDefinition) {
    let mut messages = Map::new();
    let refer = |key: &str| json!({ "$ref": format!("#/components/messages/{key}") });
    for event in catalog.events_of(&channel.id) {
        messages.insert(event.name.clone(), refer(&event.name));
    }
    for event in catalog.events_of(&channel.id) {
        let key = format!("{}{PUBLISH}", event.name);
        messages.insert(key.clone(), refer(&key));
    }
    let servers: Vec<Value> = servers(channel)
        .into_iter()
        .map(|server| json!({ "$ref": format!("#/servers/{server}") }))
        .collect();
    let mut value = json!({ "address": channel.address.as_str(), "title": channel.title });
    if let Some(description) = &channel.description {
        value["description"] = description.as_str().into();
    }
    value["servers"] = servers.into();
    if !channel.address.parameters().is_empty() {
        value["parameters"] = parameters(channel);
    }
    value["messages"] = messages.into();
    if !channel.tags.is_empty() {
        value["tags"] = tags(&channel.tags);
    }
    value["x-fanline"] = json!({
        "namespace": channel.address.namespace(),
        "subscribe": channel.subscribe.as_str(),
        "publish": channel.publish.as_str(),
    });
    parts.channels.insert(channel.id.clone(), value);

    let names: Vec<&str> =
        catalog.events_of(&channel.id).map(|event| event.name.as_str()).collect();
    if names.is_empty() {
        return;
    }
    let mut operation = |verb: &str, action: Action, title: &str, about: &str, suffix: &str| {
        let messages: Vec<Value> = names
            .iter()
            .map(|name| channel_message(&channel.id, &format!("{name}{suffix}")))
            .collect();
        let value = json!({
            "action": action.as_str(),
            "channel": channel_reference(&channel.id),
            "title": format!("{title} {}", channel.title),
            "description": about,
            "messages": messages,
        });
        let id = operation_id(parts, verb, &channel.id);
        parts.operations.insert(id, value);
    };
    operation(
        "deliver",
        Action::Send,
        "Events of",
        "Every subscriber gets each event once and in order.",
        "",
    );
    let about = "Answered with the position of the event once it is in history and on its way.";
    operation("publish", Action::Receive, "Publish in", about, PUBLISH);
}

/// The ways that a channel is offered on, as servers. What clients publish over HTTP goes up another way than it comes
/// down.
fn servers(channel: &ChannelDefinition) -> Vec<&'static str> {
    let mut servers: Vec<_> =
        channel.transports.iter().map(|transport| transport.server()).collect();
    let over_http = channel
        .transports
        .iter()
        .any(|transport| matches!(transport, Transport::Sse | Transport::LongPoll));
    if over_http && channel.publish != Audience::Nobody {
        servers.push("uplink");
    }
    servers
}

fn parameters(channel: &ChannelDefinition) -> Value {
    let mut parameters = Map::new();
    for name in channel.address.parameters() {
        let mut value = Map::new();
        if let Some(known) = channel.parameters.iter().find(|parameter| parameter.name == *name) {
            if let Some(description) = &known.description {
                value.insert("description".to_owned(), description.as_str().into());
            }
            if !known.values.is_empty() {
                value.insert("enum".to_owned(), known.values.clone().into());
            }
            if !known.examples.is_empty() {
                value.insert("examples".to_owned(), known.examples.clone().into());
            }
            if let Some(pattern) = &known.pattern {
                value.insert("x-fanline-pattern".to_owned(), pattern.as_str().into());
            }
        }
        parameters.insert(name.clone(), value.into());
    }
    parameters.into()
}

/// The name of a method in generated code. Ids that become the same name keep their own spelling.
fn operation_id(parts: &Parts, verb: &str, channel: &str) -> String {
    let id = format!("{verb}{}", class_name(channel));
    if parts.operations.contains_key(&id) { format!("{verb}_{channel}") } else { id }
}

/// A message of a catalog in its two views: what a subscriber gets, and what a publisher gives.
fn add_event(parts: &mut Parts, channel: &ChannelDefinition, event: &EventDefinition) {
    let some_channel = some_channel(channel);
    let class = class_name(&event.name);
    let data = event.schema.as_str();

    let payload =
        event_object(&class, reference(data), constant(&event.name), event.summary.as_deref());
    let delivered = |example: &Example| {
        let mut payload = json!({ "type": event.name, "data": example.data });
        payload["channel"] = some_channel.as_str().into();
        payload["position"] = SOME_POSITION.into();
        payload["id"] = SOME_CONNECTION.into();
        payload["time"] = SOME_TIME.into();
        if event.publisher != Publisher::Backend {
            payload["user"] = "u42".into();
        }
        payload
    };
    parts
        .messages
        .insert(event.name.clone(), message(event, event.title.clone(), payload, delivered));

    let publish_schema = format!("{data}{PUBLISH}");
    let payload = operations::publish(Object::new(&format!("{class}Publish")));
    let mut payload = payload.build();
    payload["properties"]["type"] = constant(&event.name);
    payload["properties"]["data"] = reference(&publish_schema);
    payload["required"] = json!(["type", "data"]);
    let published = |example: &Example| json!({ "type": event.name, "data": example.data });
    let title = format!("Publish: {}", event.title);
    parts
        .messages
        .insert(format!("{}{PUBLISH}", event.name), message(event, title, payload, published));
}

fn message(
    event: &EventDefinition,
    title: String,
    payload: Value,
    example: impl Fn(&Example) -> Value,
) -> Value {
    let mut value = json!({ "name": event.name, "title": title });
    if let Some(summary) = &event.summary {
        value["summary"] = summary.as_str().into();
    }
    if let Some(description) = &event.description {
        value["description"] = description.as_str().into();
    }
    value["contentType"] = "application/json".into();
    value["payload"] = payload;
    let examples: Vec<Value> = event
        .examples
        .iter()
        .map(|it| {
            let mut value = json!({ "name": it.name, "payload": example(it) });
            if let Some(summary) = &it.summary {
                value["summary"] = summary.as_str().into();
            }
            value
        })
        .collect();
    if !examples.is_empty() {
        value["examples"] = examples.into();
    }
    if !event.tags.is_empty() {
        value["tags"] = tags(&event.tags);
    }
    value["x-eventcatalog-message-type"] = "event".into();
    value["x-fanline"] = origin(event);
    value
}

/// What the catalog knows of an event that AsyncAPI has no field for.
fn origin(event: &EventDefinition) -> Value {
    let mut origin = json!({ "publisher": event.publisher.as_str() });
    let facts = [
        ("owner", &event.owner),
        ("since", &event.since),
        ("deprecated", &event.deprecated),
        ("protobuf", &event.message),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            origin[name] = fact.as_str().into();
        }
    }
    origin
}

/// Adds schemas and all that they refer to, in both views.
fn add_schemas(parts: &mut Parts, catalog: &Catalog, names: BTreeSet<String>) {
    let mut waiting: Vec<String> = names.into_iter().collect();
    let mut done = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        let Some(schema) = catalog.schema(&name) else { continue };
        if !done.insert(name) {
            continue;
        }
        for view in [View::Deliver, View::Publish] {
            each_reference(schema.view(view), &mut |target| waiting.push(target.to_owned()));
        }
    }
    for schema in done.iter().filter_map(|name| catalog.schema(name)) {
        parts.schema(&schema.name, schema.deliver.clone());
        let mut publish = schema.publish.clone();
        in_the_publishers_view(&mut publish);
        parts.schema(&format!("{}{PUBLISH}", schema.name), publish);
    }
}

fn each_reference(schema: &Value, found: &mut impl FnMut(&str)) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|target| target.strip_prefix(SCHEMAS))
            {
                found(name);
            }
            fields.values().for_each(|value| each_reference(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| each_reference(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Turns references to the same view. A class of generated code needs a name of its own too.
fn in_the_publishers_view(schema: &mut Value) {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get_mut("$ref")
                    && target.starts_with(SCHEMAS)
                {
                    target.push_str(PUBLISH);
                }
                fields.values_mut().for_each(walk);
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    walk(schema);
    if let Some(Value::String(title)) = schema.get_mut("title") {
        title.push_str("Publish");
    }
}

/// A channel of this address, to show.
fn some_channel(channel: &ChannelDefinition) -> String {
    let value = |name: &str| {
        let known = channel.parameters.iter().find(|parameter| parameter.name == name)?;
        known.examples.first().or(known.values.first()).cloned()
    };
    let filled =
        channel.address.fill(|name| Some(value(name).unwrap_or_else(|| "example".to_owned())));
    filled.map_or_else(|name| name, |channel| channel.to_string())
}

fn tags(tags: &[String]) -> Value {
    tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>().into()
}
