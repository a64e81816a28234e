//! An event, and the bytes that every transport shares.

use crate::channel::ChannelName;
use crate::clock::Timestamp;
use crate::ids::{ConnectionId, EventId, UserId};
use crate::limits::{CONTENT_TYPE_BYTES, EVENT_TYPE_BYTES};
use crate::refusal::Violation;
use crate::{Position, Refusal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

/// The content type of an event whose publisher named none.
pub const JSON: &str = "application/json";

/// What is published, before the broker gave it a place.
#[derive(Clone, Debug)]
pub struct EventBody {
    /// The name in the catalog.
    pub event_type: EventType,
    /// The published bytes, and what they are.
    pub payload: Payload,
    /// The publisher's headers, in the order of their names.
    pub headers: Box<[(Box<str>, Box<str>)]>,
    /// The user who published, when it was a client on a bridge.
    pub user: Option<UserId>,
    /// Connections that do not receive it.
    pub exclude: Box<[ConnectionId]>,
}

/// An event in its place: immutable, shared by all who send it.
#[derive(Debug)]
pub struct Event {
    /// The channel.
    pub channel: ChannelName,
    /// The place in it.
    pub position: Position,
    /// The id.
    pub id: EventId,
    /// When the hub accepted it.
    pub time: Timestamp,
    /// What was published.
    pub body: EventBody,
    forms: [OnceLock<Bytes>; WireForm::COUNT],
}

/// A way to write an event on a wire. The bytes are made by the bridge that needs them, once per node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WireForm {
    /// A whole WebSocket frame.
    WebSocket,
    /// An encoded gRPC message.
    Grpc,
    /// The event object alone.
    Json,
    /// A block of an event stream (SSE).
    Sse,
}

impl WireForm {
    const COUNT: usize = 4;
}

impl Event {
    /// An event in its place.
    #[must_use]
    pub fn new(
        channel: ChannelName,
        position: Position,
        id: EventId,
        time: Timestamp,
        body: EventBody,
    ) -> Self {
        Event { channel, position, id, time, body, forms: Default::default() }
    }

    /// The event in a wire form: made by `encode` for the first who asks, shared by all others.
    pub fn form(&self, form: WireForm, encode: impl FnOnce(&Event) -> Bytes) -> Bytes {
        self.forms[form as usize].get_or_init(|| encode(self)).clone()
    }

    /// Whether the publisher kept this event from a connection.
    #[must_use]
    pub fn excludes(&self, connection: ConnectionId) -> bool {
        self.body.exclude.contains(&connection)
    }

    /// Bytes that the event holds in memory, near enough for budgets. One wire form is counted in.
    #[must_use]
    pub fn cost(&self) -> usize {
        // The struct itself, its allocations' overhead and the envelope of its JSON.
        const FIXED: usize = 512;
        let headers: usize =
            self.body.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        FIXED + 2 * (self.body.payload.data.len() + headers)
    }

    /// Appends the event object of contract section 4, the same JSON on every transport.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let body = &self.body;
        let Payload { content_type, data } = &body.payload;
        out.reserve(256 + data.len());
        // Channel, epoch, id and type are ASCII without quotes or backslashes by their own rules: nothing to escape.
        put(
            out,
            format_args!(
                r#"{{"channel":"{}","position":"{}","id":"{}""#,
                self.channel, self.position, self.id
            ),
        );
        put(out, format_args!(r#","type":"{}","time":"{}""#, body.event_type, self.time));
        if content_type.is_json() {
            out.extend_from_slice(br#","data":"#);
            out.extend_from_slice(data);
        } else {
            out.extend_from_slice(br#","content_type":"#);
            put_string(out, content_type.as_str());
            put(out, format_args!(r#","data_base64":"{}""#, BASE64.encode(data)));
        }
        if let Some(user) = &body.user {
            out.extend_from_slice(br#","user":"#);
            put_string(out, user.as_str());
        }
        if !body.headers.is_empty() {
            out.extend_from_slice(br#","headers":"#);
            for (index, (name, value)) in body.headers.iter().enumerate() {
                out.push(if index == 0 { b'{' } else { b',' });
                put_string(out, name);
                out.push(b':');
                put_string(out, value);
            }
            out.push(b'}');
        }
        out.push(b'}');
    }
}

/// Writing into a `Vec` does not fail.
fn put(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes all");
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a Vec takes all, and every str is a JSON string");
}

/// The published bytes and what they are. JSON is one valid JSON text, and is passed on byte for byte.
#[derive(Clone, Debug)]
pub struct Payload {
    content_type: ContentType,
    data: Bytes,
}

impl Payload {
    /// Data of a content type; JSON is checked, without building a tree.
    ///
    /// # Errors
    /// [`Reason::InvalidArgument`](crate::Reason::InvalidArgument) of `data` when it should be JSON and is not.
    pub fn new(content_type: ContentType, data: Bytes) -> Result<Self, Refusal> {
        if content_type.is_json()
            && let Err(error) = serde_json::from_slice::<&RawValue>(&data)
        {
            let message = format!("not valid JSON, which the content type says it is: {error}");
            let violation =
                Violation { pointer: String::new(), rule: "json".into(), message: message.clone() };
            return Err(Refusal::invalid("data", message).with_violations(vec![violation]));
        }
        Ok(Payload { content_type, data })
    }

    /// JSON that a parser has already read.
    #[must_use]
    pub fn json(text: &RawValue) -> Self {
        Payload {
            content_type: ContentType::default(),
            data: Bytes::copy_from_slice(text.get().as_bytes()),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// What they are.
    #[must_use]
    pub fn content_type(&self) -> &ContentType {
        &self.content_type
    }
}

/// The type of an event: 1 to 128 bytes of printable ASCII without space, `"` and `\`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EventType(Arc<str>);

impl EventType {
    /// The type of an event whose publisher named none: what `EventSource` calls such events too.
    #[must_use]
    pub fn message() -> Self {
        EventType("message".into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventType {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Self, Refusal> {
        let printable = name.bytes().all(|b| matches!(b, 0x21..=0x7e) && b != b'"' && b != b'\\');
        if name.is_empty() || name.len() > EVENT_TYPE_BYTES || !printable {
            let message = format!(
                "an event type is 1 to {EVENT_TYPE_BYTES} bytes of printable ASCII without space, `\"` and `\\`"
            );
            return Err(Refusal::invalid("type", message));
        }
        Ok(EventType(name.into()))
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an event's bytes are. JSON is the default and costs no memory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ContentType(Option<Arc<str>>);

impl ContentType {
    /// The media type.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(JSON)
    }

    /// Whether the data stands in the event object as JSON rather than in base64.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.0.is_none()
    }
}

impl FromStr for ContentType {
    type Err = Refusal;

    /// Reads a media type; the empty text is JSON.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        if text.is_empty() || text.eq_ignore_ascii_case(JSON) {
            return Ok(ContentType(None));
        }
        let printable = text.bytes().all(|b| matches!(b, 0x20..=0x7e));
        if text.len() > CONTENT_TYPE_BYTES || !printable || !text.contains('/') {
            let message = format!(
                "a content type is a media type of at most {CONTENT_TYPE_BYTES} bytes, such as {JSON}"
            );
            return Err(Refusal::invalid("content_type", message));
        }
        Ok(ContentType(Some(text.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use serde_json::{Value, json};

    fn event(body: EventBody) -> Event {
        let now = Timestamp::from_millis(1_795_512_600_123);
        let id = EventId::new(now, &Random::seeded(1));
        Event::new("chat:lobby".parse().unwrap(), "aB3-7".parse().unwrap(), id, now, body)
    }

    fn body(data: &'static str) -> EventBody {
        EventBody {
            event_type: "message.created".parse().unwrap(),
            payload: Payload::new(ContentType::default(), Bytes::from_static(data.as_bytes()))
                .unwrap(),
            headers: Box::new([]),
            user: None,
            exclude: Box::new([]),
        }
    }

    fn json_of(event: &Event) -> String {
        let mut out = Vec::new();
        event.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_data_stands_in_the_object_byte_for_byte() {
        let text = json_of(&event(body("{ \"n\": 1.0e2,\n\"big\": 123456789012345678901 }")));
        assert!(
            text.contains(",\"data\":{ \"n\": 1.0e2,\n\"big\": 123456789012345678901 }"),
            "{text}"
        );
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["position"], "aB3-7");
        assert_eq!(parsed["time"], "2026-11-24T09:30:00.123Z");
        assert_eq!(parsed["type"], "message.created");
        assert!(parsed.get("user").is_none() && parsed.get("headers").is_none());
    }

    #[test]
    fn what_people_chose_is_escaped() {
        let awkward = "a\"\\\n\u{2028}😀";
        let headers: Box<[(Box<str>, Box<str>)]> =
            Box::new([(awkward.into(), awkward.into()), ("b".into(), "".into())]);
        let parsed: Value = serde_json::from_str(&json_of(&event(EventBody {
            user: UserId::new(awkward),
            headers,
            ..body("null")
        })))
        .unwrap();
        assert_eq!(parsed["user"], awkward);
        assert_eq!(parsed["headers"], json!({ awkward: awkward, "b": "" }));
    }

    #[test]
    fn other_data_travels_as_base64() {
        let payload =
            Payload::new("application/protobuf".parse().unwrap(), Bytes::from_static(b"\0\x01"))
                .unwrap();
        let parsed: Value =
            serde_json::from_str(&json_of(&event(EventBody { payload, ..body("null") }))).unwrap();
        assert_eq!(parsed["content_type"], "application/protobuf");
        assert_eq!(parsed["data_base64"], "AAE=");
        assert!(parsed.get("data").is_none());
    }

    #[test]
    fn data_that_should_be_json_and_is_not_is_refused() {
        for data in [&b""[..], b"{", b"{}{}", b"nul", b"\"\xff\"", b"{\"a\":1,}", b"01"] {
            let refusal =
                Payload::new(ContentType::default(), Bytes::from_static(data)).unwrap_err();
            assert_eq!(refusal.field(), Some("data"), "{data:?}");
        }
    }

    #[test]
    fn a_wire_form_is_made_once() {
        let event = event(body("1"));
        let first = event.form(WireForm::WebSocket, |_| Bytes::from_static(b"first"));
        let second = event.form(WireForm::WebSocket, |_| unreachable!("already made"));
        assert_eq!(first, second);
        assert_eq!(event.form(WireForm::Grpc, |_| Bytes::from_static(b"other")), "other");
    }

    #[test]
    fn types_and_content_types_outside_their_rules_are_refused() {
        for name in ["", "a b", "a\n", "a\"", &"a".repeat(129)] {
            assert_eq!(name.parse::<EventType>().unwrap_err().field(), Some("type"), "{name:?}");
        }
        for text in ["json", "a/\n", &"a/".repeat(65)] {
            assert_eq!(
                text.parse::<ContentType>().unwrap_err().field(),
                Some("content_type"),
                "{text:?}"
            );
        }
        assert!("Application/JSON".parse::<ContentType>().unwrap().is_json());
    }
}
