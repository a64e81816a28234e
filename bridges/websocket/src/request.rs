//! What a client sends: one JSON object per text frame, read without building a tree.

use crate::limits::ID_BYTES;
use fanline_core::catchup::Start;
use fanline_core::history::HistoryRequest;
use fanline_core::{ChannelName, Reason, Refusal};
use fanline_edge::request::{
    CallFields, HistoryFields, PublishFields, also_null, channel, missing, read,
};
use fanline_edge::{ClientCall, ClientEvent};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The `id` of a request: a JSON number or string that comes back as it was written.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(Box<RawValue>);

/// What a client sends. Only `auth` is looked at before a token is verified.
#[derive(Debug)]
pub(crate) enum Request {
    Auth { id: RequestId, token: String },
    Operation { id: RequestId, operation: Operation },
}

/// What an authenticated client asks for.
#[derive(Debug)]
pub(crate) enum Operation {
    Join { channel: ChannelName, start: Start },
    Leave { channel: ChannelName },
    Publish(ClientEvent),
    Call(ClientCall),
    Presence { channel: ChannelName },
    History { channel: ChannelName, request: HistoryRequest },
    Ping,
}

/// A text that is no request, with the id to answer it by where there is one.
#[derive(Debug)]
pub(crate) struct BadRequest {
    pub(crate) id: Option<RequestId>,
    pub(crate) refusal: Refusal,
}

impl RequestId {
    pub(crate) fn as_raw(&self) -> &RawValue {
        &self.0
    }
}

impl Request {
    /// Reads a text frame. A page of history is asked for in so many bytes at most.
    pub(crate) fn parse(text: &str, history_bytes: usize) -> Result<Self, BadRequest> {
        let frame = read::<Frame<'_>>(text).map_err(|refusal| {
            // The id can be right where another field is not.
            let only = read::<OnlyId<'_>>(text).ok();
            let id = only.and_then(|only| read_id(only.id).ok());
            BadRequest { id, refusal }
        })?;
        let id = read_id(frame.id).map_err(|refusal| BadRequest { id: None, refusal })?;
        if frame.op.as_deref() == Some("auth") {
            return match frame.token {
                Some(token) => Ok(Request::Auth { id, token: token.into_owned() }),
                None => Err(BadRequest { id: Some(id), refusal: missing("token") }),
            };
        }
        match frame.operation(history_bytes) {
            Ok(operation) => Ok(Request::Operation { id, operation }),
            Err(refusal) => Err(BadRequest { id: Some(id), refusal }),
        }
    }
}

/// Every field that an operation may have; which ones it must have is checked by operation.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    op: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    since: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "also_null")]
    data: Option<&'a RawValue>,
    key: Option<String>,
    #[serde(borrow)]
    traceparent: Option<Cow<'a, str>>,
    echo: Option<bool>,
    limit: Option<u64>,
    reverse: Option<bool>,
}

#[derive(Deserialize)]
struct OnlyId<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

impl Frame<'_> {
    fn operation(self, history_bytes: usize) -> Result<Operation, Refusal> {
        let Frame {
            channel: name,
            method,
            since,
            event_type,
            data,
            key,
            traceparent,
            echo,
            limit,
            reverse,
            ..
        } = self;
        let op = self.op.as_deref().ok_or_else(|| missing("op"))?;
        Ok(match op {
            "join" => Operation::Join {
                channel: channel(name.as_deref())?,
                start: since.as_deref().map_or(Start::Live, Start::from_since),
            },
            "leave" => Operation::Leave { channel: channel(name.as_deref())? },
            "publish" => Operation::Publish(
                PublishFields { channel: name, event_type, data, key, echo }.check()?,
            ),
            "call" => Operation::Call(
                CallFields { method, channel: name, data, key, traceparent }.check()?,
            ),
            "presence" => Operation::Presence { channel: channel(name.as_deref())? },
            "history" => {
                let fields = HistoryFields { channel: name, since, limit, reverse };
                let (channel, request) = fields.check(history_bytes)?;
                Operation::History { channel, request }
            }
            "ping" => Operation::Ping,
            _ => {
                let message = "unknown operation; there are auth, join, leave, publish, call, presence, history and ping";
                return Err(Refusal::new(Reason::UnknownOperation, message).with_field("op"));
            }
        })
    }
}

fn read_id(id: Option<&RawValue>) -> Result<RequestId, Refusal> {
    let id = id.ok_or_else(|| missing("id"))?;
    let scalar = id.get().starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit());
    if !scalar || id.get().len() > ID_BYTES {
        return Err(Refusal::invalid(
            "id",
            format!("an id is a number or a string of at most {ID_BYTES} bytes"),
        ));
    }
    Ok(RequestId(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> (Option<String>, Refusal) {
        let BadRequest { id, refusal } = Request::parse(text, 1000).unwrap_err();
        (id.map(|id| id.0.get().to_owned()), refusal)
    }

    #[test]
    fn a_fault_is_named_and_answered_by_id_where_there_is_one() {
        let table = [
            ("{", None, Reason::InvalidArgument, None),
            ("[]", None, Reason::InvalidArgument, None),
            // All fields in their order are no object either, and the first of them is no id.
            (
                r#"["ping",1,null,null,null,null,null,1,null,null,null,null,null]"#,
                None,
                Reason::InvalidArgument,
                None,
            ),
            ("[1]", None, Reason::InvalidArgument, None),
            (r#"{"op":"ping"}"#, None, Reason::InvalidArgument, Some("id")),
            (r#"{"op":"ping","id":{}}"#, None, Reason::InvalidArgument, Some("id")),
            (r#"{"op":"ping","id":null}"#, None, Reason::InvalidArgument, Some("id")),
            (r#"{"op":"auth","id":1}"#, Some("1"), Reason::InvalidArgument, Some("token")),
            (r#"{"id":"a"}"#, Some("\"a\""), Reason::InvalidArgument, Some("op")),
            (r#"{"op":"fly","id":1}"#, Some("1"), Reason::UnknownOperation, Some("op")),
            (r#"{"op":"join","id":1}"#, Some("1"), Reason::InvalidArgument, Some("channel")),
            (
                r#"{"op":"join","id":1,"channel":7}"#,
                Some("1"),
                Reason::InvalidArgument,
                Some("channel"),
            ),
            (r#"["ping",1]"#, None, Reason::InvalidArgument, None),
            (
                r#"{"op":"join","id":1,"channel":"a b"}"#,
                Some("1"),
                Reason::InvalidChannel,
                Some("channel"),
            ),
            (
                r#"{"op":"publish","id":1,"channel":"a"}"#,
                Some("1"),
                Reason::InvalidArgument,
                Some("data"),
            ),
            (
                r#"{"op":"publish","id":1,"channel":"a","data":1,"type":""}"#,
                Some("1"),
                Reason::InvalidArgument,
                Some("type"),
            ),
        ];
        for (text, id, reason, field) in table {
            let (found, refusal) = refusal(text);
            assert_eq!(
                (found.as_deref(), refusal.reason(), refusal.field()),
                (id, reason, field),
                "{text}"
            );
        }
    }
}
