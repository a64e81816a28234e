//! WebSocket frames (RFC 6455, section 5.2), as far as a load generator needs them: where the next one ends, and the few it
//! sends itself. Payloads are not decoded: an event is recognised by how it begins.

use anyhow::{Result, bail};

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

/// How the payload of every event frame begins.
const EVENT_OPENING: &[u8] = br#"{"op":"event","#;

const FINAL_BIT: u8 = 0x80;
const MASK_BIT: u8 = 0x80;
/// Payload lengths up to this one stand in the second byte of the header.
const SHORT_LENGTH_MAX: usize = 125;
const LENGTH_IN_2_BYTES: u8 = 126;
const LENGTH_IN_8_BYTES: u8 = 127;

/// One whole frame as it lies in a read buffer.
#[derive(Debug, PartialEq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    /// Header and payload together.
    pub(crate) bytes: usize,
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`, or `None` while its end has not arrived.
    pub(crate) fn first_of(bytes: &'a [u8]) -> Result<Option<Self>> {
        let &[first, second, ..] = bytes else {
            return Ok(None);
        };
        if first & FINAL_BIT == 0 || second & MASK_BIT != 0 {
            bail!("the server sent a fragment or a masked frame ({first:#04x} {second:#04x})");
        }
        let (header, length) = match second {
            LENGTH_IN_2_BYTES => match bytes.get(2..4) {
                Some(&[high, low]) => (4, usize::from(u16::from_be_bytes([high, low]))),
                _ => return Ok(None),
            },
            LENGTH_IN_8_BYTES => bail!("the server sent a frame over 64 KiB"),
            short => (2, usize::from(short)),
        };
        Ok(bytes.get(header..header + length).map(|payload| Self {
            opcode: first & !FINAL_BIT,
            payload,
            bytes: header + length,
        }))
    }

    pub(crate) fn is_event(&self) -> bool {
        self.opcode == TEXT && self.payload.starts_with(EVENT_OPENING)
    }
}

/// A client's frame. Its masking key is zero, which leaves the payload as it is: a load generator on loopback has no
/// intermediary to protect from chosen bytes.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(opcode, payload.len(), MASK_BIT);
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A server's event frame of exactly `bytes` (no frame has 128 or 129), for the bare broadcasters. Its payload is padding.
pub(crate) fn ready_made_event(bytes: usize) -> Vec<u8> {
    let header_bytes = if bytes <= SHORT_LENGTH_MAX + 2 { 2 } else { 4 };
    let mut frame = header(TEXT, bytes - header_bytes, 0);
    frame.extend(EVENT_OPENING);
    frame.extend(br#""event":""#);
    frame.resize(bytes - 2, b'.');
    frame.extend(br#""}"#);
    frame
}

fn header(opcode: u8, length: usize, mask_bit: u8) -> Vec<u8> {
    let mut header = vec![FINAL_BIT | opcode];
    match u16::try_from(length).expect("no frame of the bench is over 64 KiB") {
        short if length <= SHORT_LENGTH_MAX => header.push(mask_bit | short.to_be_bytes()[1]),
        long => {
            header.push(mask_bit | LENGTH_IN_2_BYTES);
            header.extend(long.to_be_bytes());
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_made_events_have_the_size_asked_for_and_are_read_back_as_events() {
        for bytes in [64, 127, 130, 330, 4000] {
            let frame = ready_made_event(bytes);
            assert_eq!(frame.len(), bytes);
            let read = Frame::first_of(&frame).unwrap().unwrap();
            assert_eq!(read.bytes, bytes);
            assert!(read.is_event());
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_not_there_yet() {
        let frame = ready_made_event(330);
        for cut in 0..frame.len() {
            assert_eq!(Frame::first_of(&frame[..cut]).unwrap(), None, "cut at {cut}");
        }
    }

    #[test]
    fn other_texts_are_not_events() {
        let error = br#"{"op":"error","reason":"RATE_LIMITED"}"#;
        let mut bytes = header(TEXT, error.len(), 0);
        bytes.extend(error);
        assert!(!Frame::first_of(&bytes).unwrap().unwrap().is_event());
    }

    #[test]
    fn fragments_and_masked_frames_end_the_run() {
        assert!(Frame::first_of(&[TEXT, 0]).is_err());
        assert!(Frame::first_of(&masked(TEXT, b"x")).is_err());
    }
}
