//! Blocks of an event stream (HTML standard, section 9.2.5), as every known client reads them.
//!
//! Lines end with LF. `id` stands last, because there are clients that take it over when they read the line and not
//! when the block is whole: cut off behind it, they would never ask for the event again. No block consists of an `id`
//! or a `retry` alone, which some clients drop and others hand to the application as an empty message.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

/// A line that is no event, for connections that must not be silent. One LF: two would end a block, which there are
/// clients that hand to the application, empty.
pub(crate) const HEARTBEAT: &[u8] = b":\n";

/// A block of our own.
pub(crate) struct Block<'a> {
    /// The name of the event.
    pub(crate) name: &'static str,
    /// After how long a client comes back when the stream ends.
    pub(crate) retry: Option<Duration>,
    /// From where it then goes on.
    pub(crate) id: Option<&'a dyn Display>,
}

impl Block<'_> {
    /// Appends the block, its data written by `data`.
    pub(crate) fn put(self, out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) {
        put_name(out, self.name);
        if let Some(retry) = self.retry {
            put(out, format_args!("retry: {}\n", retry.as_millis()));
        }
        put_data(out, data);
        if let Some(id) = self.id {
            put(out, format_args!("id: {id}\n"));
        }
        out.push(b'\n');
    }
}

/// The line that names a block.
pub(crate) fn put_name(out: &mut Vec<u8>, name: &str) {
    put(out, format_args!("event: {name}\n"));
}

/// The lines of data. A line break inside it, of any kind, ends a line, so that it cannot begin a field or a block.
pub(crate) fn put_data(out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) {
    const FIELD: &[u8] = b"data: ";
    out.extend_from_slice(FIELD);
    let start = out.len();
    data(out);
    if out[start..].iter().any(is_break) {
        let data = out.split_off(start);
        let mut rest = &data[..];
        while let Some(end) = rest.iter().position(is_break) {
            out.extend_from_slice(&rest[..end]);
            out.push(b'\n');
            out.extend_from_slice(FIELD);
            let both = rest[end..].starts_with(b"\r\n");
            rest = &rest[end + 1 + usize::from(both)..];
        }
        out.extend_from_slice(rest);
    }
    out.push(b'\n');
}

fn is_break(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(text: &str) -> String {
        let mut out = Vec::new();
        put_data(&mut out, |out| out.extend_from_slice(text.as_bytes()));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_block_has_its_id_last() {
        let mut out = Vec::new();
        let retry = Some(Duration::from_millis(1500));
        let block = Block { name: "fanline.open", retry, id: Some(&"e-7") };
        block.put(&mut out, |out| out.extend_from_slice(b"{}"));
        let expected = "event: fanline.open\nretry: 1500\ndata: {}\nid: e-7\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn line_breaks_of_every_kind_become_lines_of_data() {
        assert_eq!(data("{}"), "data: {}\n");
        assert_eq!(data(""), "data: \n");
        assert_eq!(data("a\nb\rc\r\nd"), "data: a\ndata: b\ndata: c\ndata: d\n");
        assert_eq!(data("\n\r\n\r"), "data: \ndata: \ndata: \ndata: \n");
        assert_eq!(data("x\n\nid: 9\nevent: y"), "data: x\ndata: \ndata: id: 9\ndata: event: y\n");
    }

    proptest! {
        #[test]
        fn whatever_the_data_is_a_reader_finds_it_and_nothing_else(text in "[ab: \n\r]{0,40}|.{0,20}") {
            let read: Vec<&str> = data(&text)
                .strip_suffix('\n').unwrap()
                .split('\n')
                .map(|line| line.strip_prefix("data: ").unwrap().to_owned().leak() as &str)
                .collect();
            let plain = text.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(read.join("\n"), plain);
        }
    }
}
