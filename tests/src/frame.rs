//! WebSocket frames byte by byte (RFC 6455 section 5.2), correct by default and wrong on demand.

/// A frame as a client sends it.
#[derive(Clone, Debug)]
pub struct Frame {
    first: u8,
    payload: Vec<u8>,
    masked: bool,
    declared: Option<u64>,
}

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Any key will do for a test; a varied one shows that the hub uses all four bytes.
const MASK: [u8; 4] = [0x1f, 0x8c, 0x03, 0xe7];

impl Frame {
    /// A whole text message.
    pub fn text(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0x1, payload)
    }

    /// A whole binary message.
    pub fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0x2, payload)
    }

    /// A part of a fragmented message.
    pub fn continuation(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0x0, payload)
    }

    /// A Close.
    pub fn close(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0x8, payload)
    }

    /// A Ping.
    pub fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0x9, payload)
    }

    /// A Pong.
    pub fn pong(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(0xa, payload)
    }

    /// A frame of any opcode, defined or not.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { first: FIN | opcode, payload: payload.into(), masked: true, declared: None }
    }

    /// More of this message follows: no FIN.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.first &= !FIN;
        self
    }

    /// Sets the bits of RSV1, RSV2 and RSV3 (0x40, 0x20, 0x10).
    #[must_use]
    pub fn reserved(mut self, bits: u8) -> Self {
        self.first |= bits & 0x70;
        self
    }

    /// Sends the payload in the clear, as only servers may.
    #[must_use]
    pub fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    /// Claims this payload length, whatever follows.
    #[must_use]
    pub fn declaring(mut self, length: u64) -> Self {
        self.declared = Some(length);
        self
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let length = self.declared.unwrap_or(self.payload.len() as u64);
        let masked = if self.masked { MASKED } else { 0 };
        let mut bytes = vec![self.first];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 126 => bytes.push(masked | short),
            (_, Ok(medium)) => {
                bytes.push(masked | 126);
                bytes.extend(medium.to_be_bytes());
            }
            (_, Err(_)) => {
                bytes.push(masked | 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        if self.masked {
            bytes.extend(MASK);
            let masked = self.payload.iter().zip(MASK.iter().cycle());
            bytes.extend(masked.map(|(byte, key)| byte ^ key));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }
}

/// The head of a frame from the hub, and where its payload lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHead {
    pub(crate) opcode: u8,
    head_bytes: usize,
    payload_bytes: usize,
}

impl FrameHead {
    pub(crate) const TEXT: u8 = 0x1;
    pub(crate) const CLOSE: u8 = 0x8;
    pub(crate) const PING: u8 = 0x9;
    pub(crate) const PONG: u8 = 0xa;

    /// The first frame in `bytes` and its payload; `None` while any of it is missing.
    ///
    /// # Panics
    ///
    /// When the hub sends what a server never may: masked, fragmented or with reserved bits.
    pub(crate) fn with_payload(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let head = Self::parse(bytes)?;
        Some((head, bytes.get(head.head_bytes..head.frame_bytes())?))
    }

    /// Reads a head; `None` while bytes are missing.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        assert_eq!(first & 0x70, 0, "the hub sets reserved bits");
        assert_eq!(first & FIN, FIN, "the hub fragments");
        assert_eq!(second & MASKED, 0, "the hub masks");
        let (head_bytes, payload_bytes) = match second {
            126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
            short => (2, usize::from(*short)),
        };
        Some(Self { opcode: first & 0x0f, head_bytes, payload_bytes })
    }

    pub(crate) fn frame_bytes(self) -> usize {
        self.head_bytes + self.payload_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        for (length, head_bytes) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let bytes = Frame::text(vec![b'x'; length]).unmasked().encode();
            let head = FrameHead::parse(&bytes).expect("a whole head");
            assert_eq!((head.opcode, head.head_bytes), (FrameHead::TEXT, head_bytes), "{length}");
            assert_eq!((head.payload_bytes, head.frame_bytes()), (length, bytes.len()), "{length}");
        }
    }

    #[test]
    fn a_masked_payload_comes_back_with_the_key() {
        let bytes = Frame::text("hello").encode();
        let (key, payload) = bytes[2..].split_at(4);
        let plain: Vec<u8> =
            payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!((bytes[0], bytes[1], plain.as_slice()), (0x81, 0x85, b"hello".as_slice()));
        assert_ne!(payload, b"hello");
    }

    #[test]
    fn a_head_in_pieces_is_not_read_too_early() {
        let bytes = Frame::text(vec![b'x'; 70_000]).unmasked().encode();
        for length in 0..10 {
            assert!(FrameHead::parse(&bytes[..length]).is_none(), "{length}");
        }
    }
}
