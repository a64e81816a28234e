//! One HTTP/1.1 request on a connection of its own, without a client library that would mend what the hub does.

use std::net::SocketAddr;
use std::time::Duration;

use fanline_test_redis::{DEADLINE, within};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a poll may take: the longest wait of the hub, and what is waited for everything else.
const LONGEST_WAIT: Duration = Duration::from_secs(50 + DEADLINE.as_secs());

/// A complete answer.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The head as sent, status line included.
    pub head: String,
    /// The body; chunks are left as they are.
    pub body: String,
}

impl HttpAnswer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    /// Reads an answer from the bytes of a connection that has ended.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?} is no HTTP answer"));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("{head:?} has no status"));
        let head = head.to_owned();
        let body = body.to_owned();
        Self { status, head, body }
    }
}

/// `GET path`, reading until the server closes.
pub async fn get(address: SocketAddr, path: &str) -> HttpAnswer {
    get_with(address, path, &[]).await
}

/// The same with more headers.
pub async fn get_with(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> HttpAnswer {
    send(address, "GET", path, headers, "").await
}

/// The same over a line that may lose the answer. None: it did not arrive whole.
pub async fn try_get(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Option<HttpAnswer> {
    let request = request(address, "GET", path, headers, "");
    within(LONGEST_WAIT, &format!("the answer to GET {path}"), async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        // What has arrived before a reset shows in the length.
        let _ended = stream.read_to_end(&mut bytes).await;
        let has_head = bytes.windows(4).any(|end| end == b"\r\n\r\n");
        let answer = has_head.then(|| HttpAnswer::parse(&bytes))?;
        let length: usize = answer.header("content-length")?.parse().ok()?;
        (answer.body.len() == length).then_some(answer)
    })
    .await
}

/// Any request, with a body if it is not empty.
pub async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> HttpAnswer {
    let request = request(address, method, path, headers, body);
    within(DEADLINE, &format!("the answer to {method} {path}"), async {
        let mut stream = TcpStream::connect(address).await.expect("the hub listens");
        // A hub that refuses a body need not read it.
        let _written = stream.write_all(request.as_bytes()).await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("the answer ends with the connection");
        HttpAnswer::parse(&bytes)
    })
    .await
}

/// The text of a request after which the connection ends.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        ));
    }
    format!("{head}\r\n{body}")
}
