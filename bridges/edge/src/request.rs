//! The fields of requests that all bridges take alike, read and checked in one place (contract sections 4 and 7).
//!
//! A bridge finds the fields in its own envelope, a WebSocket frame, a body or a query, and what they mean is decided
//! here. Read [`PublishFields`] first.

use crate::client::{ClientCall, ClientEvent};
use crate::object::Object;
use fanline_core::catchup::Start;
use fanline_core::event::{EventType, Payload};
use fanline_core::history::HistoryRequest;
use fanline_core::{ChannelName, Reason, Refusal};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What the fields of requests are called, on whichever bridge.
const FIELDS: [&str; 13] = [
    "op",
    "id",
    "token",
    "channel",
    "type",
    "data",
    "key",
    "echo",
    "since",
    "limit",
    "reverse",
    "method",
    "traceparent",
];

/// Reads the fields of a request: a JSON object, of which those that `T` does not have are passed over.
///
/// # Errors
/// It is none, or a field is not of its type, and is named.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    let found = serde_json::from_str(text).map(|Object(fields)| fields);
    found.map_err(|error| {
        let message = format!("not the JSON object that is asked for: {error}");
        let refusal = Refusal::new(Reason::InvalidArgument, message);
        match faulty_field::<T>(text) {
            Some(field) => refusal.with_field(field),
            None => refusal,
        }
    })
}

/// Which field could not be read. Asked only of what is refused: to know it costs something.
fn faulty_field<'a, T: Deserialize<'a>>(text: &'a str) -> Option<&'static str> {
    let mut json = serde_json::Deserializer::from_str(text);
    let fault = serde_path_to_error::deserialize::<_, Object<T>>(&mut json).err()?;
    let path = fault.path().to_string();
    FIELDS.into_iter().find(|field| *field == path)
}

/// The fields of a `publish`.
#[derive(Debug, Deserialize)]
pub struct PublishFields<'a> {
    /// Where to. Required.
    #[serde(borrow)]
    pub channel: Option<Cow<'a, str>>,
    /// The event's type. Default: `message`.
    #[serde(borrow, rename = "type")]
    pub event_type: Option<Cow<'a, str>>,
    /// The event's data, kept byte for byte. Required; `null` is data.
    #[serde(borrow, default, deserialize_with = "also_null")]
    pub data: Option<&'a RawValue>,
    /// The idempotency key.
    pub key: Option<String>,
    /// Whether the connection that publishes receives the event too. Default: true.
    pub echo: Option<bool>,
}

/// The fields of a `history`.
#[derive(Debug, Deserialize)]
pub struct HistoryFields<'a> {
    /// Of which channel. Required.
    #[serde(borrow)]
    pub channel: Option<Cow<'a, str>>,
    /// Where to start: a position, `earliest` or `last:20`. Default: the beginning, or backward the end.
    #[serde(borrow)]
    pub since: Option<Cow<'a, str>>,
    /// Most events. Default, and at most, the limit of the configuration.
    pub limit: Option<u64>,
    /// Newest first. Default: false.
    pub reverse: Option<bool>,
}

/// The fields of a `call`.
#[derive(Debug, Deserialize)]
pub struct CallFields<'a> {
    /// What to call. Required.
    #[serde(borrow)]
    pub method: Option<Cow<'a, str>>,
    /// The channel that it is about, if it is about one.
    #[serde(borrow)]
    pub channel: Option<Cow<'a, str>>,
    /// What is handed over, byte for byte. Default: `null`.
    #[serde(borrow, default, deserialize_with = "also_null")]
    pub data: Option<&'a RawValue>,
    /// The idempotency key.
    pub key: Option<String>,
    /// The trace context (W3C Trace Context). One that is malformed is left out.
    #[serde(borrow)]
    pub traceparent: Option<Cow<'a, str>>,
}

impl PublishFields<'_> {
    /// What is to be published.
    ///
    /// # Errors
    /// The field that is missing or wrong.
    pub fn check(self) -> Result<ClientEvent, Refusal> {
        Ok(ClientEvent {
            channel: channel(self.channel.as_deref())?,
            event_type: match &self.event_type {
                Some(event_type) => event_type.parse()?,
                None => EventType::message(),
            },
            payload: Payload::json(self.data.ok_or_else(|| missing("data"))?),
            key: self.key,
            echo: self.echo.unwrap_or(true),
        })
    }
}

impl HistoryFields<'_> {
    /// Which page of which channel is asked for, of at most so many bytes.
    ///
    /// # Errors
    /// A channel that is missing or wrong.
    pub fn check(self, bytes: usize) -> Result<(ChannelName, HistoryRequest), Refusal> {
        let request = HistoryRequest {
            // Forward without a position is from the beginning; backward, from the end whatever it says.
            start: self.since.as_deref().map_or(Start::Earliest, Start::from_since),
            limit: usize::try_from(self.limit.unwrap_or(0)).unwrap_or(usize::MAX),
            bytes,
            reverse: self.reverse.unwrap_or(false),
        };
        Ok((channel(self.channel.as_deref())?, request))
    }
}

impl CallFields<'_> {
    /// What is to be called.
    ///
    /// # Errors
    /// The field that is missing or wrong.
    pub fn check(self) -> Result<ClientCall, Refusal> {
        Ok(ClientCall {
            method: self.method.as_deref().ok_or_else(|| missing("method"))?.parse()?,
            channel: self.channel.as_deref().map(str::parse).transpose()?,
            payload: Payload::json(self.data.unwrap_or(RawValue::NULL)),
            key: self.key,
            trace: self.traceparent.as_deref().and_then(|text| text.parse().ok()),
        })
    }
}

/// The channel of a request that must name one.
///
/// # Errors
/// It names none, or what it names is no channel.
pub fn channel(name: Option<&str>) -> Result<ChannelName, Refusal> {
    name.ok_or_else(|| missing("channel"))?.parse()
}

/// The refusal of a request without a field that it must have.
#[must_use]
pub fn missing(field: &'static str) -> Refusal {
    Refusal::invalid(field, format!("the field `{field}` is missing"))
}

/// For data, where `null` is like any other and not the same as none.
///
/// # Errors
/// Those of the deserializer.
pub fn also_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    data: D,
) -> Result<Option<T>, D::Error> {
    Deserialize::deserialize(data).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(text: &str) -> Result<ClientEvent, Refusal> {
        read::<PublishFields<'_>>(text)?.check()
    }

    #[test]
    fn data_is_taken_byte_for_byte_and_null_is_data() {
        let event =
            publish(r#"{"channel":"chat:a","data":{ "n":1.0e2 },"key":"k","echo":false}"#).unwrap();
        assert_eq!(event.payload.data(), r#"{ "n":1.0e2 }"#);
        let rest = (event.event_type.as_str(), event.key.as_deref(), event.echo);
        assert_eq!(rest, ("message", Some("k"), false));
        let event = publish(r#"{"channel":"chat:a","data":null}"#).unwrap();
        assert_eq!((event.payload.data().as_ref(), event.echo), (&b"null"[..], true));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let table = [
            (r#"{"data":1}"#, Reason::InvalidArgument, "channel"),
            (r#"{"channel":"a b","data":1}"#, Reason::InvalidChannel, "channel"),
            (r#"{"channel":"chat:a"}"#, Reason::InvalidArgument, "data"),
            (r#"{"channel":"chat:a","data":1,"type":""}"#, Reason::InvalidArgument, "type"),
            (r#"{"channel":"chat:a","data":1,"type":7}"#, Reason::InvalidArgument, "type"),
            (r#"{"data":{},"echo":"no"}"#, Reason::InvalidArgument, "echo"),
        ];
        for (text, reason, field) in table {
            let refusal = publish(text).unwrap_err();
            assert_eq!((refusal.reason(), refusal.field()), (reason, Some(field)), "{text}");
        }
        for call in [r#"{"data":1}"#, r#"{"method":"a b"}"#] {
            let call: CallFields<'_> = read(call).unwrap();
            assert_eq!(call.check().unwrap_err().field(), Some("method"));
        }
    }

    #[test]
    fn only_an_object_is_a_request() {
        let fields_in_order = r#"["chat:a",null,1,null,null]"#;
        for text in ["", "{", "null", "7", "[]", fields_in_order, r#"{"data":1}x"#] {
            let refusal = publish(text).unwrap_err();
            assert_eq!(
                (refusal.reason(), refusal.field()),
                (Reason::InvalidArgument, None),
                "{text}"
            );
        }
    }

    #[test]
    fn a_call_without_data_hands_null_over_and_a_malformed_trace_is_left_out() {
        let call = r#"{"method":"chat.rename","traceparent":"00-0-0-0"}"#;
        let call: CallFields<'_> = read(call).unwrap();
        let call = call.check().unwrap();
        assert_eq!(call.payload.data(), "null");
        assert_eq!((call.channel, call.key, call.trace), (None, None, None));
    }
}
