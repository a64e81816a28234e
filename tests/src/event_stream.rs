//! An event stream as a browser reads it (HTML standard, section 9.2.6), down to the bytes, so that nothing is mended.

use std::fmt::Debug;
use std::net::SocketAddr;

use fanline_test_redis::{DEADLINE, within};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::connection::Connection;
use crate::raw_http::request;

/// An open stream over HTTP/1.1.
#[derive(Debug)]
pub struct EventStream {
    connection: BufReader<Box<dyn Connection>>,
    /// The status line and the headers.
    pub head: String,
    /// What is read and not yet a whole line.
    unread: Vec<u8>,
    /// Lines that are comments: heartbeats.
    pub comments: usize,
}

/// One block, as the stream has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Block {
    /// `event`; empty when there is none.
    pub name: String,
    /// The `data` lines, joined by LF.
    pub data: String,
    /// `id`.
    pub id: Option<String>,
    /// `retry`, in milliseconds.
    pub retry: Option<u64>,
    /// The name of its last field.
    pub last_field: String,
}

impl Block {
    /// The data as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl EventStream {
    /// Asks for a stream, which must be granted.
    pub async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let connection = TcpStream::connect(address).await.expect("the hub listens");
        Self::open_over(connection, address, path, headers).await
    }

    /// The same over a connection that was made elsewhere.
    pub async fn open_over(
        connection: impl AsyncRead + AsyncWrite + Debug + Send + Unpin + 'static,
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let connection: Box<dyn Connection> = Box::new(connection);
        let opening = async {
            let mut connection = BufReader::new(connection);
            let request = request(address, "GET", path, headers, "");
            connection.write_all(request.as_bytes()).await.expect("the hub reads the request");
            connection.flush().await.expect("the hub reads the request");
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                let read = connection.read_line(&mut head).await.expect("the head is text");
                assert_ne!(read, 0, "the head ends: {head:?}");
            }
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            Self { connection, head, unread: Vec::new(), comments: 0 }
        };
        within(DEADLINE, &format!("the stream {path}"), opening).await
    }

    /// The next block. None at the end of the stream.
    pub async fn next(&mut self) -> Option<Block> {
        within(DEADLINE, "a block of the stream", async {
            let mut block = Block::default();
            loop {
                let line = self.line().await?;
                if line.is_empty() && block == Block::default() {
                    continue;
                }
                if line.is_empty() {
                    return Some(block);
                }
                self.take(&line, &mut block);
            }
        })
        .await
    }

    /// The next block, which must have this name.
    pub async fn named(&mut self, name: &str) -> Block {
        let block = self.next().await.unwrap_or_else(|| panic!("the stream ended before {name:?}"));
        assert_eq!(block.name, name, "{block:?}");
        block
    }

    /// Waits for a heartbeat, with no block in between.
    pub async fn heartbeat(&mut self) {
        let seen = self.comments;
        within(DEADLINE, "a heartbeat", async {
            while self.comments == seen {
                let line = self.line().await.expect("the stream goes on");
                let mut block = Block::default();
                self.take(&line, &mut block);
                assert_eq!(block, Block::default(), "a heartbeat is no event");
            }
        })
        .await;
    }

    fn take(&mut self, line: &str, block: &mut Block) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => {
                self.comments += 1;
                return;
            }
            "event" => value.clone_into(&mut block.name),
            "data" if block.last_field == "data" => {
                block.data.push('\n');
                block.data.push_str(value);
            }
            "data" => value.clone_into(&mut block.data),
            "id" => block.id = Some(value.to_owned()),
            "retry" => block.retry = value.parse().ok(),
            other => panic!("an unknown field {other:?}"),
        }
        field.clone_into(&mut block.last_field);
    }

    /// The next line without its LF. Other line ends must not come: they would be a line end to clients.
    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let line = String::from_utf8(line).expect("a stream is UTF-8");
                assert!(!line.contains('\r'), "a bare CR in {line:?}");
                return Some(line.trim_end_matches('\n').to_owned());
            }
            if !self.chunk().await {
                assert!(self.unread.is_empty(), "cut in the middle of {:?}", self.unread);
                return None;
            }
        }
    }

    /// Reads the next chunk (RFC 9112, section 7.1). False at the end.
    async fn chunk(&mut self) -> bool {
        let mut size = String::new();
        self.connection.read_line(&mut size).await.expect("a chunk has a size");
        let size = usize::from_str_radix(size.trim(), 16)
            .unwrap_or_else(|error| panic!("{error}: the size of a chunk is {size:?}"));
        let start = self.unread.len();
        self.unread.resize(start + size, 0);
        self.connection.read_exact(&mut self.unread[start..]).await.expect("a chunk is whole");
        let mut end = [0; 2];
        self.connection.read_exact(&mut end).await.expect("a chunk has an end");
        assert_eq!(&end, b"\r\n");
        size > 0
    }
}
