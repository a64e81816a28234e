//! A TCP connection on which a test says exactly which bytes it sends, and when it reads.

use std::net::SocketAddr;
use std::time::Duration;

use fanline_test_redis::{DEADLINE, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::frame::{Frame, FrameHead};
use crate::raw_http::HttpAnswer;
use crate::upgrade::upgrade_request;

const READ_BYTES: usize = 64 * 1024;

/// A connection that does nothing by itself: no Pong, no answer to a Close, no reading ahead.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
    /// Read and not yet taken.
    buffer: Vec<u8>,
}

impl RawSocket {
    /// A plain connection.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the hub listens");
        let buffer = Vec::with_capacity(READ_BYTES);
        Self { stream, buffer }
    }

    /// A WebSocket, its welcome already read.
    pub async fn upgrade(address: SocketAddr, token: &str) -> Self {
        Self::connect(address).await.upgraded(address, token).await
    }

    /// A WebSocket whose kernel takes in little while nobody reads.
    pub async fn upgrade_with_small_window(address: SocketAddr, token: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket.set_recv_buffer_size(16 * 1024).expect("the buffer can be made smaller");
        let stream = socket.connect(address).await.expect("the hub listens");
        let buffer = Vec::with_capacity(READ_BYTES);
        Self { stream, buffer }.upgraded(address, token).await
    }

    async fn upgraded(mut self, address: SocketAddr, token: &str) -> Self {
        self.send(upgrade_request(address, token).as_bytes()).await;
        let head = self.http_head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "no upgrade: {head}");
        let welcome = self.text().await;
        assert!(welcome.contains("\"welcome\""), "first comes {welcome}");
        self
    }

    /// Sends bytes.
    ///
    /// # Panics
    ///
    /// When the hub takes none of them within the deadline. That it has closed is no error: reading tells how.
    pub async fn send(&mut self, bytes: &[u8]) {
        // A hub that closes at the first wrong byte may reset the connection while we still write.
        let _closed = within(DEADLINE, "the hub to read", self.stream.write_all(bytes)).await;
    }

    /// Sends frames.
    pub async fn send_frames(&mut self, frames: impl IntoIterator<Item = Frame>) {
        let bytes: Vec<u8> = frames.into_iter().flat_map(|frame| frame.encode()).collect();
        self.send(&bytes).await;
    }

    /// The text of the next text frame; control frames before it are passed over.
    pub async fn text(&mut self) -> String {
        loop {
            match self.next_frame().await {
                Some((FrameHead::TEXT, payload)) => {
                    return String::from_utf8(payload).expect("the hub sends UTF-8");
                }
                Some((FrameHead::PING | FrameHead::PONG, _)) => {}
                other => panic!("no text but {other:?}"),
            }
        }
    }

    /// The payload of the next frame, which has to be a Pong.
    pub async fn pong(&mut self) -> Vec<u8> {
        match self.next_frame().await {
            Some((FrameHead::PONG, payload)) => payload,
            other => panic!("no Pong but {other:?}"),
        }
    }

    /// Texts up to the end of the connection, and the code of the Close frame if there was one.
    pub async fn rest(&mut self) -> (Vec<String>, Option<u16>) {
        let mut texts = Vec::new();
        let mut code = None;
        while let Some((opcode, payload)) = self.next_frame().await {
            match opcode {
                FrameHead::TEXT => {
                    texts.push(String::from_utf8(payload).expect("the hub sends UTF-8"))
                }
                FrameHead::CLOSE => code = Some(close_code(&payload)),
                FrameHead::PING | FrameHead::PONG => {}
                unknown => panic!("the hub sends opcode {unknown}"),
            }
        }
        (texts, code)
    }

    /// The code of the Close frame that ends the connection, whatever texts come before it.
    pub async fn close_code(&mut self) -> u16 {
        let (texts, code) = self.rest().await;
        code.unwrap_or_else(|| panic!("the connection ends without a Close frame, after {texts:?}"))
    }

    /// A whole HTTP answer, to the end of the connection.
    pub async fn http_answer(&mut self) -> HttpAnswer {
        while self.fill().await {}
        HttpAnswer::parse(&std::mem::take(&mut self.buffer))
    }

    /// Waits for the hub to close, and returns how long that took and what it said before.
    pub async fn end(&mut self) -> (Duration, Vec<u8>) {
        let start = tokio::time::Instant::now();
        while self.fill().await {}
        (start.elapsed(), std::mem::take(&mut self.buffer))
    }

    /// The next bytes, whatever they mean.
    pub async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            let more = self.fill().await;
            assert!(more, "the connection ends after {:?}", self.buffer);
        }
        self.buffer.drain(..count).collect()
    }

    /// Whether the hub has closed, as far as is known without waiting.
    pub fn has_ended(&mut self) -> bool {
        match self.stream.try_read_buf(&mut self.buffer) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    async fn http_head(&mut self) -> String {
        loop {
            let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).expect("an HTTP head is ASCII");
            }
            let more = self.fill().await;
            assert!(more, "no HTTP head but {:?}", self.buffer);
        }
    }

    /// Opcode and payload of the next frame; `None` at the end of the connection.
    async fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((head, payload)) = FrameHead::with_payload(&self.buffer) {
                let payload = payload.to_vec();
                self.buffer.drain(..head.frame_bytes());
                return Some((head.opcode, payload));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Reads once; false at the end of the connection, orderly or not.
    async fn fill(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer);
        within(DEADLINE, "the hub to send or close", read).await.is_ok_and(|bytes| bytes > 0)
    }
}

/// The code in the payload of a Close frame.
fn close_code(payload: &[u8]) -> u16 {
    let code = payload
        .first_chunk()
        .unwrap_or_else(|| panic!("a Close frame without a code: {payload:?}"));
    u16::from_be_bytes(*code)
}
