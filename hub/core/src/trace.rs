//! The trace context that travels with requests and commands (W3C Trace Context, level 1).

use std::fmt;
use std::str::FromStr;

/// The header and the metadata in which it stands (section 3.2), also among the headers of an event.
pub const TRACEPARENT: &str = "traceparent";

/// A `traceparent`: version, trace, parent and flags, as it was sent. Where spans are collected, the hub's become
/// its children ([`spans`](crate::spans)); elsewhere it is passed on as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceParent(Box<str>);

/// A text that is no trace context. It is left out, as if there had been none (W3C Trace Context, section 3.2.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a traceparent of version 00")]
pub struct TraceParentError;

impl TraceParent {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    /// Reads version 00: `00-<32 hexadecimal digits>-<16>-<2>`, small letters, neither id all zero.
    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_zero = |part: &str| part.bytes().all(|b| b == b'0');
        let mut parts = text.split('-');
        let (Some("00"), Some(trace), Some(parent), Some(flags), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TraceParentError);
        };
        let well_formed = hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
        if !well_formed || is_zero(trace) || is_zero(parent) {
            return Err(TraceParentError);
        }
        Ok(TraceParent(text.into()))
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_context_is_taken_as_the_standard_writes_it_and_nothing_else() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(good.parse::<TraceParent>().unwrap().as_str(), good);
        let bad = [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7\r\n-1",
        ];
        for text in bad {
            assert!(text.parse::<TraceParent>().is_err(), "{text:?}");
        }
    }
}
