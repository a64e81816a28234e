//! The parts of a document as they are collected: channels, operations, messages, schemas.

use serde_json::{Map, Value, json};

/// What is collected for a document.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) channels: Map<String, Value>,
    pub(super) operations: Map<String, Value>,
    pub(super) messages: Map<String, Value>,
    pub(super) schemas: Map<String, Value>,
}

/// A message that bridges or the gRPC front send or take.
pub(super) struct Message {
    /// Its key in the document; ours start with `fanline.`.
    pub(super) key: String,
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) payload: Value,
    pub(super) example: Option<Value>,
    pub(super) bindings: Option<Value>,
}

impl Message {
    pub(super) fn new(key: &str, title: &str, summary: &str, payload: Value) -> Self {
        Message {
            key: key.to_owned(),
            title: title.to_owned(),
            summary: summary.to_owned(),
            payload,
            example: None,
            bindings: None,
        }
    }

    pub(super) fn example(mut self, example: Value) -> Self {
        self.example = Some(example);
        self
    }

    pub(super) fn bindings(mut self, bindings: Value) -> Self {
        self.bindings = Some(bindings);
        self
    }
}

/// What the hub does on a channel, seen from the hub.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// The hub sends.
    Send,
    /// The hub takes.
    Receive,
}

/// An operation of an endpoint.
pub(super) struct Operation<'a> {
    pub(super) id: &'a str,
    pub(super) action: Action,
    pub(super) title: &'a str,
    pub(super) summary: &'a str,
    /// Keys of the messages that go the way of the action.
    pub(super) messages: &'a [&'a str],
    /// Keys of the messages that come back.
    pub(super) replies: &'a [&'a str],
    pub(super) bindings: Option<Value>,
}

impl Parts {
    pub(super) fn schema(&mut self, name: &str, schema: Value) {
        self.schemas.insert(name.to_owned(), schema);
    }

    pub(super) fn message(&mut self, message: Message) {
        let Message { key, title, summary, payload, example, bindings } = message;
        let name = key.rsplit('.').next().unwrap_or(&key);
        let mut value = json!({
            "name": name,
            "title": title,
            "summary": summary,
            "contentType": "application/json",
            "payload": payload,
        });
        if let Some(example) = example {
            value["examples"] = json!([{ "name": "example", "payload": example }]);
        }
        if let Some(bindings) = bindings {
            value["bindings"] = bindings;
        }
        self.messages.insert(key, value);
    }

    /// A channel of its own for something that a bridge offers, with all messages that its operations name.
    pub(super) fn endpoint(&mut self, id: &str, mut channel: Value, operations: &[Operation<'_>]) {
        let mut messages = Map::new();
        for operation in operations {
            for key in operation.messages.iter().chain(operation.replies) {
                messages.insert(
                    message_name(key).to_owned(),
                    json!({ "$ref": format!("#/components/messages/{key}") }),
                );
            }
        }
        channel["messages"] = messages.into();
        self.channels.insert(id.to_owned(), channel);
        for operation in operations {
            let refer = |keys: &[&str]| -> Vec<Value> {
                keys.iter().map(|key| channel_message(id, message_name(key))).collect()
            };
            let mut value = json!({
                "action": operation.action.as_str(),
                "channel": channel_reference(id),
                "title": operation.title,
                "description": operation.summary,
                "messages": refer(operation.messages),
            });
            if !operation.replies.is_empty() {
                value["reply"] = json!({ "channel": channel_reference(id), "messages": refer(operation.replies) });
            }
            if let Some(bindings) = &operation.bindings {
                value["bindings"] = bindings.clone();
            }
            self.operations.insert(operation.id.to_owned(), value);
        }
    }
}

impl Action {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Action::Send => "send",
            Action::Receive => "receive",
        }
    }
}

pub(super) fn channel_reference(channel: &str) -> Value {
    json!({ "$ref": format!("#/channels/{channel}") })
}

/// A message of a channel: operations may only name messages this way.
pub(super) fn channel_message(channel: &str, message: &str) -> Value {
    json!({ "$ref": format!("#/channels/{channel}/messages/{message}") })
}

/// The key of one of our messages inside its channel: without the prefix that keeps it apart from event types.
fn message_name(key: &str) -> &str {
    key.strip_prefix("fanline.").unwrap_or(key)
}
