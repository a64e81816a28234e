//! TLS on the listeners of browsers and backends.

use fanline_tests::{Authority, DEADLINE, Hub, Publication, RawSocket, TlsClient, Token, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const H1: TlsClient = TlsClient::new("http/1.1");
const H2: TlsClient = TlsClient::new("h2");

#[tokio::test]
async fn a_room_opens_over_tls() {
    let authority = Authority::new();
    let hub = with_tls(&authority).await;
    let mut stream = authority.connect(hub.addresses.public, H1).await.expect("a handshake");
    let request = format!(
        "GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: fanline.v1\r\nauthorization: Bearer {}\r\n\r\n",
        Token::user("ada").sign()
    );
    stream.write_all(request.as_bytes()).await.expect("the hub reads");
    let mut bytes = Vec::new();
    let welcome = async {
        while !String::from_utf8_lossy(&bytes).contains("\"welcome\"") {
            let more = stream.read_buf(&mut bytes).await.expect("the hub answers");
            assert!(more > 0, "{}", String::from_utf8_lossy(&bytes));
        }
    };
    within(DEADLINE, "the welcome", welcome).await;
}

#[tokio::test]
async fn both_listeners_agree_on_a_protocol() {
    let authority = Authority::new();
    let hub = with_tls(&authority).await;
    for (address, client) in
        [(hub.addresses.public, H1), (hub.addresses.public, H2), (hub.addresses.grpc, H2)]
    {
        let stream = authority.connect(address, client).await.expect("a handshake");
        let (_, session) = stream.get_ref();
        assert_eq!(session.alpn_protocol(), Some(client.protocol.as_bytes()), "{address}");
    }
}

#[tokio::test]
async fn plain_text_is_not_spoken_where_tls_is() {
    let authority = Authority::new();
    let hub = with_tls(&authority).await;
    let mut socket = RawSocket::connect(hub.addresses.public).await;
    socket.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let (_, answer) = socket.end().await;
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_closed() {
    let authority = Authority::new();
    let hub = Hub::builder()
        .set("tls.cert", authority.reference("cert.pem"))
        .set("tls.key", authority.reference("key.pem"))
        .set("limits.header_timeout", "1s")
        .start()
        .await;
    let mut socket = RawSocket::connect(hub.addresses.public).await;
    // A record of a handshake of which only the first bytes come.
    socket.send(b"\x16\x03\x01\x02\x00\x01").await;
    let (after, _) = socket.end().await;
    assert!(after.as_secs() < 8, "{after:?}");
}

#[tokio::test]
async fn with_a_client_authority_a_backend_needs_its_certificate() {
    let authority = Authority::new();
    let hub = Hub::builder()
        .set("tls.cert", authority.reference("cert.pem"))
        .set("tls.key", authority.reference("key.pem"))
        .set("grpc.client_ca", authority.reference("ca.pem"))
        .start()
        .await;
    let known = TlsClient { shows_certificate: true, ..H2 };
    let rpc = authority.rpc(hub.addresses.grpc, known).await.expect("a connection");
    rpc.publish(Publication::to("chat:lobby", 1)).await;

    let stranger = authority.rpc(hub.addresses.grpc, H2).await;
    let publish = match &stranger {
        // TLS 1.3 tells a client that it is refused only after its own part is done.
        Ok(rpc) => rpc.try_publish(Publication::to("chat:lobby", 2)).await.map(drop),
        Err(_) => return,
    };
    publish.expect_err("no certificate, no call");
    let next = rpc.publish(Publication::to("chat:lobby", 3)).await;
    assert_eq!(next.offset, 2, "the stranger's event was not published");
}

async fn with_tls(authority: &Authority) -> Hub {
    Hub::builder()
        .set("tls.cert", authority.reference("cert.pem"))
        .set("tls.key", authority.reference("key.pem"))
        .start()
        .await
}
