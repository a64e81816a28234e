//! A client of a room, from its handshake on: whatever it sends, the hub answers in good frames and ends.

use axum::extract::connect_info::MockConnectInfo;
use fanline_edge::testing::TestEdge;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// What either side may have sent before the other reads.
const PIPE_BYTES: usize = 64 * 1024;
/// Of paused time: whoever sends nothing more is let go long before.
const DEADLINE: Duration = Duration::from_secs(3600);
/// Before bytes that are sent as they are, and not as a text frame.
const RAW: u8 = 0xff;

/// Each line is a text frame, or raw bytes after [`RAW`].
pub(crate) fn run(bytes: &[u8]) {
    let sent: Vec<u8> = bytes.split(|byte| *byte == b'\n').flat_map(frame).collect();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let answer = runtime.expect("a runtime").block_on(converse(&sent));
    let answer = answer.expect("the hub ends a conversation that its client has ended");
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("an HTTP answer") + 4;
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer[..head]));
    assert_good_frames(&answer[head..]);
}

/// All that the hub says until it ends.
async fn converse(sent: &[u8]) -> Option<Vec<u8>> {
    let edge = TestEdge::start();
    let token = edge.token("ada", DEADLINE * 2);
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let router = fanline_websocket::router(edge.clone()).layer(MockConnectInfo(peer));
    let (client, server) = duplex(PIPE_BYTES);
    let service = TowerToHyperService::new(router);
    let serve = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(server), service)
        .with_upgrades();
    let talk = timeout(DEADLINE, talk(client, &token, sent));
    let (_, answer) = tokio::join!(serve, talk);
    answer.ok()
}

async fn talk(mut client: DuplexStream, token: &str, sent: &[u8]) -> Vec<u8> {
    let handshake = format!(
        "GET /v1/ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: fanline.v1\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    client.write_all(handshake.as_bytes()).await.expect("the hub reads a handshake");
    let mut answer = vec![0; 1];
    client.read_exact(&mut answer).await.expect("the hub answers a handshake");
    let (mut reader, mut writer) = tokio::io::split(client);
    let send = async {
        // The hub may have ended the conversation in the middle.
        let _ = writer.write_all(sent).await;
        let _ = writer.shutdown().await;
    };
    let (_, read) = tokio::join!(send, reader.read_to_end(&mut answer));
    read.expect("a pipe in memory does not fail");
    answer
}

/// A text frame of a client, masked with zeros (RFC 6455, section 5.2).
fn frame(line: &[u8]) -> Vec<u8> {
    if let Some((&RAW, raw)) = line.split_first() {
        return raw.to_vec();
    }
    let mut frame = vec![0x81, 0x80 | 127];
    frame.extend((line.len() as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(line);
    frame
}

/// Frames of a server: whole, not masked, text that is a JSON object with an `op`, or control.
fn assert_good_frames(mut bytes: &[u8]) {
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match *length {
            126 => {
                let (length, rest) = rest.split_first_chunk().expect("a length of two bytes");
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk().expect("a length of eight bytes");
                (usize::try_from(u64::from_be_bytes(*length)).expect("not so long"), rest)
            }
            masked @ 128.. => panic!("a server does not mask: {masked:#x}"),
            length => (usize::from(length), rest),
        };
        let (payload, rest) = rest.split_at_checked(length).expect("a whole frame");
        match first {
            0x81 => {
                let said: serde_json::Value = serde_json::from_slice(payload).expect("JSON");
                assert!(said["op"].is_string(), "{said}");
            }
            0x88 if length >= 2 => {
                str::from_utf8(&payload[2..]).expect("the reason of a close is text");
            }
            0x88 => assert_eq!(length, 0, "a close has a code or nothing"),
            0x89 | 0x8a => assert!(length <= 125, "control frames are short"),
            other => panic!("no frame of ours begins with {other:#x}"),
        }
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a frame: {bytes:x?}");
}
