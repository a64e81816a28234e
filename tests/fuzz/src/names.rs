//! Names and positions: what is taken is written as it was read, and read again as the same.

use fanline_core::catchup::Start;
use fanline_core::event::{ContentType, EventType};
use fanline_core::pattern::Pattern;
use fanline_core::{ChannelName, Cursor, Position, Since};
use std::fmt::{Debug, Display};
use std::str::FromStr;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    assert_written_as_read::<ChannelName>(text);
    assert_written_as_read::<EventType>(text);
    assert_written_as_read::<Cursor>(text);
    assert_written_as_read::<Position>(text);
    let _ = text.parse::<ContentType>();

    let channel: ChannelName = "chat:lobby".parse().expect("a name");
    let starts = Since::from(text).starts(&[channel.clone(), channel]);
    assert_eq!(starts.len(), 2, "each channel starts somewhere");
    if text.parse::<Cursor>().is_err() && text != "earliest" && !text.starts_with("last:") {
        assert!(starts.iter().all(|start| matches!(start, Start::Invalid)), "{text:?}: {starts:?}");
    }

    if let (Ok(pattern), Ok(name)) = (text.parse::<Pattern>(), text.parse::<ChannelName>()) {
        assert!(pattern.matches(name.as_str()), "a name without a star matches itself: {text:?}");
    }
}

fn assert_written_as_read<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert_eq!(written, text);
        assert_eq!(written.parse::<T>().ok(), Some(value), "{text:?}");
    }
}
