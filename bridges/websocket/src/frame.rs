//! Frames that a server sends (RFC 6455, section 5.2): whole, never masked, header and payload in one shared buffer.

use crate::close::CloseCode;
use crate::limits::SCRATCH_BYTES;
use bytes::Bytes;
use std::cell::RefCell;

const FIN_TEXT: u8 = 0x81;
const FIN_CLOSE: u8 = 0x88;
const FIN_PING: u8 = 0x89;

/// The longest header without a mask: two bytes, and eight of length.
const HEADER_BYTES_MAX: usize = 10;
/// The longest payload of a control frame (RFC 6455, section 5.5).
const CONTROL_BYTES_MAX: usize = 125;

thread_local! {
    /// Where frames are written before their length is known: one buffer for each worker.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A Ping without payload.
pub(crate) const PING: Bytes = Bytes::from_static(&[FIN_PING, 0]);

/// A text frame whose payload is written by `write`.
///
/// It takes no more memory than it has bytes: history may keep it for long, and thousands of it.
pub(crate) fn text(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        // Room for the longest header comes first; what the header does not need is not copied.
        scratch.resize(HEADER_BYTES_MAX, 0);
        write(scratch);
        let start = put_header(scratch);
        let frame = Bytes::copy_from_slice(&scratch[start..]);
        scratch.clear();
        scratch.shrink_to(SCRATCH_BYTES);
        frame
    })
}

/// Writes the header right before the payload, and says where it starts.
fn put_header(frame: &mut [u8]) -> usize {
    let length = frame.len() - HEADER_BYTES_MAX;
    match length {
        0..=125 => {
            frame[8..10].copy_from_slice(&[FIN_TEXT, length as u8]);
            8
        }
        126..=0xffff => {
            let [high, low] = (length as u16).to_be_bytes();
            frame[6..10].copy_from_slice(&[FIN_TEXT, 126, high, low]);
            6
        }
        _ => {
            frame[..2].copy_from_slice(&[FIN_TEXT, 127]);
            frame[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            0
        }
    }
}

/// A close frame with a reason for people, cut to what fits.
pub(crate) fn close(code: CloseCode, reason: &str) -> Bytes {
    let end =
        (0..=reason.len().min(CONTROL_BYTES_MAX - 2)).rfind(|&end| reason.is_char_boundary(end));
    let reason = &reason[..end.unwrap_or(0)];
    let mut frame = vec![FIN_CLOSE, reason.len() as u8 + 2];
    frame.extend_from_slice(&code.number().to_be_bytes());
    frame.extend_from_slice(reason.as_bytes());
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketContext};

    /// What another implementation reads.
    fn read(frame: &Bytes) -> Message {
        let mut stream = std::io::Cursor::new(frame.to_vec());
        WebSocketContext::new(Role::Client, None).read(&mut stream).unwrap()
    }

    #[test]
    fn text_of_every_length_is_read_by_another_implementation() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let payload = "x".repeat(length);
            let frame = text(|out| out.extend_from_slice(payload.as_bytes()));
            assert_eq!(read(&frame), Message::text(payload), "{length}");
        }
        assert_eq!(read(&PING), Message::Ping(Bytes::new()));
    }

    #[test]
    fn a_long_reason_is_cut_between_letters() {
        let Message::Close(Some(close)) = read(&close(CloseCode::Drain, &"ä".repeat(100))) else {
            panic!("a close frame")
        };
        assert_eq!((u16::from(close.code), close.reason.as_str()), (1012, "ä".repeat(61).as_str()));
    }
}
