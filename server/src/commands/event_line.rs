//! An event as a line of output.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fanline_client::Event;
use fanline_core::clock::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

const JSON: &str = "application/json";

/// How events are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EventLine {
    /// For people: time, position, type, data.
    Text,
    /// For scripts: the same JSON object that browsers get.
    Json,
}

impl EventLine {
    pub(super) fn write(self, event: &Event) -> String {
        match self {
            EventLine::Text => text(event),
            EventLine::Json => json(event),
        }
    }
}

fn text(event: &Event) -> String {
    let data = match std::str::from_utf8(&event.data) {
        // One line for one event, whatever is in it.
        Ok(data) => data.replace(['\n', '\r'], " "),
        Err(_) => format!("{} bytes of {}", event.data.len(), event.content_type),
    };
    let user = event.user.as_ref().map_or_else(String::new, |user| format!("  from {user}"));
    format!("{}  {}  {}  {data}{user}", time(event), event.position, event.event_type)
}

#[derive(Serialize)]
struct EventObject<'a> {
    channel: &'a str,
    position: String,
    id: &'a str,
    r#type: &'a str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: &'a BTreeMap<String, String>,
}

fn json(event: &Event) -> String {
    let data =
        (event.content_type == JSON).then(|| serde_json::from_slice(&event.data).ok()).flatten();
    let other = data.is_none();
    let object = EventObject {
        channel: &event.channel,
        position: event.position.to_string(),
        id: &event.id,
        r#type: &event.event_type,
        time: time(event),
        data,
        content_type: other.then_some(event.content_type.as_str()),
        data_base64: other.then(|| BASE64.encode(&event.data)),
        user: event.user.as_deref(),
        headers: &event.headers,
    };
    serde_json::to_string(&object).expect("text, numbers and JSON are JSON")
}

fn time(event: &Event) -> String {
    let since = event.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = since.as_secs() * 1000 + u64::from(since.subsec_millis());
    Timestamp::from_millis(millis).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_client::Position;

    fn event(content_type: &str, data: &'static [u8]) -> Event {
        Event {
            id: "e1".to_owned(),
            channel: "chat:lobby".to_owned(),
            event_type: "message".to_owned(),
            data: data.into(),
            content_type: content_type.to_owned(),
            headers: BTreeMap::new(),
            time: SystemTime::UNIX_EPOCH,
            position: Position { epoch: "abc".to_owned(), offset: 7 },
            user: None,
        }
    }

    #[test]
    fn json_data_is_written_byte_for_byte_and_other_data_as_base64() {
        let line = EventLine::Json.write(&event(JSON, br#"{"n":1.0}"#));
        assert_eq!(
            line,
            r#"{"channel":"chat:lobby","position":"abc-7","id":"e1","type":"message","time":"1970-01-01T00:00:00.000Z","data":{"n":1.0}}"#
        );
        let line = EventLine::Json.write(&event("text/plain", b"hi"));
        assert!(line.ends_with(r#""content_type":"text/plain","data_base64":"aGk="}"#), "{line}");
    }

    #[test]
    fn a_line_for_people_stays_one_line() {
        let line = EventLine::Text.write(&event("text/plain", b"a\nb"));
        assert_eq!(line, "1970-01-01T00:00:00.000Z  abc-7  message  a b");
    }
}
