//! What the specification asks for in words: who may refer to what, and that addresses and parameters agree.

use super::finding::Unplaced;
use super::references::{follow, reference};
use crate::json::pointed_to;
use crate::json::push_name;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub(super) fn check(document: &Value) -> Vec<Unplaced> {
    let mut found = Vec::new();
    for (pointer, server) in objects(document, "/servers") {
        check_variables(&pointer, server, &mut found);
    }
    for (pointer, channel) in objects(document, "/channels") {
        check_address(document, &pointer, channel, &mut found);
        check_servers(&pointer, channel, &mut found);
    }
    for (pointer, operation) in objects(document, "/operations") {
        check_operation(document, &pointer, operation, &mut found);
    }
    found
}

/// The objects of a map of the document, with their pointers; of references, what they lead to.
pub(super) fn objects<'a>(document: &'a Value, pointer: &str) -> Vec<(String, &'a Value)> {
    let members = document.pointer(pointer).and_then(Value::as_object);
    members
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| {
            let mut pointer = pointer.to_owned();
            push_name(&mut pointer, name);
            follow(document, value, &pointer)
        })
        .collect()
}

/// The variables of a server are those in its host and path, no more and no less.
fn check_variables(pointer: &str, server: &Value, found: &mut Vec<Unplaced>) {
    let text = |field| server.get(field).and_then(Value::as_str).unwrap_or_default();
    let used: BTreeSet<&str> =
        [text("host"), text("pathname")].into_iter().flat_map(expressions).collect();
    agree(
        &used,
        server.get("variables"),
        &format!("{pointer}/variables"),
        "variable",
        "host or pathname",
        found,
    );
}

/// The parameters of a channel are those in its address, no more and no less.
fn check_address(document: &Value, pointer: &str, channel: &Value, found: &mut Vec<Unplaced>) {
    let address = channel.get("address").and_then(Value::as_str).unwrap_or_default();
    let used: BTreeSet<&str> = expressions(address).collect();
    let place = format!("{pointer}/parameters");
    agree(&used, channel.get("parameters"), &place, "parameter", "address", found);
    if address.contains('?') || address.contains('#') {
        let message = "an address has no query and no fragment: these belong to the bindings";
        found.push(Unplaced::error(format!("{pointer}/address"), "address", message));
    }
    for (name, parameter) in
        channel.get("parameters").and_then(Value::as_object).into_iter().flatten()
    {
        let mut place = place.clone();
        push_name(&mut place, name);
        if let Some((place, parameter)) = follow(document, parameter, &place) {
            check_values(&place, parameter, found);
        }
    }
}

/// The default and the examples of a parameter are among its values.
fn check_values(pointer: &str, parameter: &Value, found: &mut Vec<Unplaced>) {
    let Some(values) = parameter.get("enum").and_then(Value::as_array) else { return };
    let mut one = |pointer: String, value: &Value| {
        if !values.contains(value) {
            let message = format!("{value} is none of the values of the parameter's `enum`");
            found.push(Unplaced::error(pointer, "enum", message));
        }
    };
    if let Some(default) = parameter.get("default") {
        one(format!("{pointer}/default"), default);
    }
    for (index, example) in
        parameter.get("examples").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        one(format!("{pointer}/examples/{index}"), example);
    }
}

/// A channel that the application uses names servers that it uses.
fn check_servers(pointer: &str, channel: &Value, found: &mut Vec<Unplaced>) {
    for (index, server) in
        channel.get("servers").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        let place = format!("{pointer}/servers/{index}");
        must_lead_to(
            server,
            "/servers/",
            "the servers of a channel are those of the document",
            place,
            found,
        );
    }
}

fn check_operation(document: &Value, pointer: &str, operation: &Value, found: &mut Vec<Unplaced>) {
    const OF_THE_DOCUMENT: &str = "an operation is on one of the document's own channels";
    let own = operation.get("channel");
    if let Some(channel) = own {
        must_lead_to(channel, "/channels/", OF_THE_DOCUMENT, format!("{pointer}/channel"), found);
    }
    check_messages(document, operation, own, pointer, found);
    let Some(reply) = operation.get("reply") else { return };
    let Some((pointer, reply)) = follow(document, reply, &format!("{pointer}/reply")) else {
        return;
    };
    if let Some(channel) = reply.get("channel") {
        must_lead_to(channel, "/channels/", OF_THE_DOCUMENT, format!("{pointer}/channel"), found);
        let target = follow(document, channel, "").map(|(_, channel)| channel);
        let is_fixed = target
            .and_then(|channel| channel.get("address"))
            .is_some_and(|address| !address.is_null());
        if is_fixed && reply.get("address").is_some() {
            let message =
                "the address of a reply is said where its channel has none; this one has one";
            found.push(Unplaced::error(format!("{pointer}/address"), "reply", message));
        }
    }
    check_messages(document, reply, reply.get("channel").or(own), &pointer, found);
}

/// The messages of an operation, or of a reply, are among those of its channel, and referred to there.
fn check_messages(
    document: &Value,
    operation: &Value,
    channel: Option<&Value>,
    pointer: &str,
    found: &mut Vec<Unplaced>,
) {
    let channel = channel.and_then(|channel| Some((pointed_to(reference(channel)?)?, channel)));
    let Some((at, channel)) = channel else { return };
    // The channel itself may be a reference: its messages then stand where that leads.
    let there = follow(document, channel, "").map_or_else(|| at.clone(), |(there, _)| there);
    for (index, message) in
        operation.get("messages").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        let Some(target) = reference(message).and_then(pointed_to) else { continue };
        let is_of_it = |channel: &str| {
            target
                .strip_prefix(&format!("{channel}/messages/"))
                .is_some_and(|name| !name.contains('/'))
        };
        if !is_of_it(&at) && !is_of_it(&there) {
            let message = format!(
                "`#{target}` is no message of the channel: refer to one below `#{at}/messages/`"
            );
            found.push(Unplaced::error(
                format!("{pointer}/messages/{index}"),
                "channelMessage",
                message,
            ));
        }
    }
}

fn must_lead_to(value: &Value, prefix: &str, why: &str, place: String, found: &mut Vec<Unplaced>) {
    let Some(target) = reference(value).and_then(pointed_to) else { return };
    if target.strip_prefix(prefix).is_none_or(|name| name.contains('/')) {
        let message = format!("`#{target}`: {why}: refer to `#{prefix}…`");
        found.push(Unplaced::error(place, "reference", message));
    }
}

/// The expressions of a text: what stands in braces.
fn expressions(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// What a text uses is declared, and what is declared is used.
fn agree(
    used: &BTreeSet<&str>,
    declared: Option<&Value>,
    pointer: &str,
    what: &str,
    text: &str,
    found: &mut Vec<Unplaced>,
) {
    let none = Map::new();
    let declared = declared.and_then(Value::as_object).unwrap_or(&none);
    for name in used.iter().filter(|name| !declared.contains_key(**name)) {
        let message =
            format!("`{{{name}}}` is used in the {text}, but there is no {what} `{name}`");
        found.push(Unplaced::error(pointer, what, message));
    }
    for name in declared.keys().filter(|name| !used.contains(name.as_str())) {
        let mut place = pointer.to_owned();
        push_name(&mut place, name);
        let message = format!("the {what} `{name}` is not used: the {text} has no `{{{name}}}`");
        found.push(Unplaced::error(place, what, message));
    }
}
