//! What a client sends: one JSON object per text frame, read without building a tree.

use crate::limits::ID_BYTES;
use fanline_core::catchup::Start;
use fanline_core::event::{EventType, Payload};
use fanline_core::{ChannelName, Reason, Refusal};
use fanline_edge::ClientEvent;
use serde::{Deserialize, Deserializer};
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
    Presence { channel: ChannelName },
    History { channel: ChannelName, start: Option<Start>, limit: usize, reverse: bool },
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
    /// Reads a text frame.
    pub(crate) fn parse(text: &str) -> Result<Self, BadRequest> {
        let frame = serde_json::from_str::<Frame<'_>>(text).map_err(|error| {
            // The id can be right where another field is not.
            let only = serde_json::from_str::<OnlyId<'_>>(text).ok();
            let id = only.and_then(|only| read_id(only.id).ok());
            let message = format!("not a request: {error}");
            BadRequest { id, refusal: Refusal::new(Reason::InvalidArgument, message) }
        })?;
        let id = read_id(frame.id).map_err(|refusal| BadRequest { id: None, refusal })?;
        if frame.op.as_deref() == Some("auth") {
            return match frame.token {
                Some(token) => Ok(Request::Auth { id, token: token.into_owned() }),
                None => Err(BadRequest { id: Some(id), refusal: missing("token") }),
            };
        }
        match frame.operation() {
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
    since: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "also_null")]
    data: Option<&'a RawValue>,
    key: Option<String>,
    echo: Option<bool>,
    limit: Option<u32>,
    reverse: Option<bool>,
}

#[derive(Deserialize)]
struct OnlyId<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

impl Frame<'_> {
    fn operation(self) -> Result<Operation, Refusal> {
        let op = self.op.as_deref().ok_or_else(|| missing("op"))?;
        Ok(match op {
            "join" => Operation::Join {
                channel: self.channel()?,
                start: self.start().unwrap_or(Start::Live),
            },
            "leave" => Operation::Leave { channel: self.channel()? },
            "publish" => Operation::Publish(ClientEvent {
                channel: self.channel()?,
                event_type: match &self.event_type {
                    Some(event_type) => event_type.parse()?,
                    None => EventType::message(),
                },
                payload: Payload::json(self.data.ok_or_else(|| missing("data"))?),
                key: self.key,
                echo: self.echo.unwrap_or(true),
            }),
            "presence" => Operation::Presence { channel: self.channel()? },
            "history" => Operation::History {
                channel: self.channel()?,
                start: self.start(),
                limit: self.limit.unwrap_or(0) as usize,
                reverse: self.reverse.unwrap_or(false),
            },
            "ping" => Operation::Ping,
            _ => {
                let message = "unknown operation; there are auth, join, leave, publish, presence, history and ping";
                return Err(Refusal::new(Reason::UnknownOperation, message).with_field("op"));
            }
        })
    }

    fn channel(&self) -> Result<ChannelName, Refusal> {
        self.channel.as_deref().ok_or_else(|| missing("channel"))?.parse()
    }

    fn start(&self) -> Option<Start> {
        self.since.as_deref().map(Start::from_since)
    }
}

/// `null` is data like any other, and not the same as none.
fn also_null<'de, D: Deserializer<'de>>(data: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(data).map(Some)
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

fn missing(field: &'static str) -> Refusal {
    Refusal::invalid(field, format!("the field `{field}` is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> (Option<String>, Refusal) {
        let BadRequest { id, refusal } = Request::parse(text).unwrap_err();
        (id.map(|id| id.0.get().to_owned()), refusal)
    }

    #[test]
    fn data_is_taken_byte_for_byte() {
        let request = Request::parse(
            r#"{"op":"publish","id":4,"channel":"chat:a","data":{ "n":1.0e2 },"key":"k"}"#,
        );
        let Ok(Request::Operation { operation: Operation::Publish(event), .. }) = request else {
            panic!("{request:?}")
        };
        assert_eq!(event.payload.data(), r#"{ "n":1.0e2 }"#);
        assert_eq!(
            (event.event_type.as_str(), event.key.as_deref(), event.echo),
            ("message", Some("k"), true)
        );
    }

    #[test]
    fn null_is_data_too() {
        let request = Request::parse(r#"{"op":"publish","id":4,"channel":"chat:a","data":null}"#);
        let Ok(Request::Operation { operation: Operation::Publish(event), .. }) = request else {
            panic!("{request:?}")
        };
        assert_eq!(event.payload.data(), "null");
    }

    #[test]
    fn a_fault_is_named_and_answered_by_id_where_there_is_one() {
        let table = [
            ("{", None, Reason::InvalidArgument, None),
            ("[]", None, Reason::InvalidArgument, None),
            (r#"{"op":"ping"}"#, None, Reason::InvalidArgument, Some("id")),
            (r#"{"op":"ping","id":{}}"#, None, Reason::InvalidArgument, Some("id")),
            (r#"{"op":"ping","id":null}"#, None, Reason::InvalidArgument, Some("id")),
            (r#"{"op":"auth","id":1}"#, Some("1"), Reason::InvalidArgument, Some("token")),
            (r#"{"id":"a"}"#, Some("\"a\""), Reason::InvalidArgument, Some("op")),
            (r#"{"op":"fly","id":1}"#, Some("1"), Reason::UnknownOperation, Some("op")),
            (r#"{"op":"join","id":1}"#, Some("1"), Reason::InvalidArgument, Some("channel")),
            (r#"{"op":"join","id":1,"channel":7}"#, Some("1"), Reason::InvalidArgument, None),
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
