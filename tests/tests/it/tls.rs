//! TLS on the listeners of browsers and backends.

use fanline_proto::v1::HistoryRequest;
use fanline_tests::{
    ApiKey, Authority, BACKEND, DEADLINE, Hub, HubBuilder, Process, Publication, RawSocket,
    TlsClient, Token, fanline, within,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;

const H1: TlsClient<'static> = TlsClient::new("http/1.1");
const H2: TlsClient<'static> = TlsClient::new("h2");

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
async fn the_command_line_trusts_whom_the_machine_trusts_and_says_when_tls_is_there_or_is_not() {
    let authority = Authority::new();
    let hub = with_tls(&authority).await;
    let on = |arguments: &[&str], url: String| {
        let mut command = fanline();
        command.args(arguments).arg(url).env("FANLINE_API_KEY", ApiKey::all().secret);
        command.env("SSL_CERT_FILE", authority.path("ca.pem"));
        Process::spawn("fanline", command)
    };
    let publish = ["publish", "chat:lobby", "1", "--url"];
    let (grpc, public) = (hub.addresses.grpc.port(), hub.addresses.public.port());
    let mut trusting = on(&publish, format!("https://localhost:{grpc}"));
    assert!(trusting.exit().await.success(), "{}", trusting.output());
    let diff = ["catalog", "diff", "builtin:demo", "--fail-on", "breaking"];
    let mut comparing = on(&diff, format!("https://localhost:{public}"));
    comparing.exit().await;
    assert!(comparing.stdout().contains("channel-removed"), "{}", comparing.output());

    for command in [publish, ["subscribe", "chat:lobby", "--json", "--url"]] {
        let mut plain = on(&command, format!("http://localhost:{grpc}"));
        assert!(!plain.exit().await.success());
        assert!(plain.stderr().contains("begins with https://"), "{}", plain.output());
    }
    let plain = Hub::start().await;
    let mut encrypted = on(&publish, format!("https://localhost:{}", plain.addresses.grpc.port()));
    assert!(!encrypted.exit().await.success());
    assert!(encrypted.stderr().contains("with TLS"), "{}", encrypted.output());
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
    let hub = with_client_authority(&authority).start().await;
    let known = TlsClient { shows_certificate_of: Some(&authority), ..H2 };
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

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_in_the_handshake() {
    let (authority, other) = (Authority::new(), Authority::new());
    let hub = with_client_authority(&authority).start().await;
    let foreign = TlsClient { shows_certificate_of: Some(&other), ..H2 };
    // TLS 1.3 lets the client finish its own part first: the hub's answer to the certificate is what is read next.
    let mut stream = authority.connect(hub.addresses.grpc, foreign).await.expect("its own part");
    let read = within(DEADLINE, "the refusal", stream.read_u8()).await;
    let error = read.expect_err("the hub says nothing but that").to_string();
    assert!(error.contains("UnknownCA") || error.contains("alert"), "{error}");
    let failed = hub.metrics().await.sum("fanline_listener_failures_total", "tls");
    assert!(failed >= 1.0, "{failed}");
}

#[tokio::test]
async fn a_certificate_that_is_known_by_its_name_needs_no_key() {
    let authority = Authority::new();
    let certificates = |subject: &str| {
        let entry = format!(
            "[[c]]\nname = 'orders'\nsubject = '{subject}'\nscopes = ['publish']\nchannels = ['chat:*']"
        );
        entry.parse::<toml::Table>().expect("it is TOML")["c"].clone()
    };
    let hub = with_client_authority(&authority)
        .set("grpc.certificates", certificates(&format!("dns:{BACKEND}")))
        .start()
        .await;
    let known = TlsClient { shows_certificate_of: Some(&authority), ..H2 };
    let rpc = authority.rpc_as(hub.addresses.grpc, known, None).await.expect("a connection");
    rpc.publish(Publication::to("chat:lobby", 1)).await;
    let refused = rpc.try_publish(Publication::to("news:today", 1)).await.expect_err("outside");
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("the certificate `orders` has no pattern"), "{refused}");
    let history = HistoryRequest { channel: "chat:lobby".to_owned(), ..Default::default() };
    let refused = rpc.channels().history(history).await.expect_err("no scope");
    assert!(refused.message().contains("lacks the scope `history`"), "{refused}");
    // What is shown in the call counts before it.
    let all = ApiKey::all().secret;
    let with_key =
        authority.rpc_as(hub.addresses.grpc, known, Some(&all)).await.expect("a connection");
    with_key.publish(Publication::to("news:today", 1)).await;

    let hub = with_client_authority(&authority)
        .set("grpc.certificates", certificates("dns:other.test"))
        .start()
        .await;
    let rpc = authority.rpc_as(hub.addresses.grpc, known, None).await.expect("a connection");
    let refused = rpc.try_publish(Publication::to("chat:lobby", 1)).await.expect_err("not known");
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains(&format!("dns:{BACKEND}")), "{refused}");
}

fn with_client_authority(authority: &Authority) -> HubBuilder {
    Hub::builder()
        .set("tls.cert", authority.reference("cert.pem"))
        .set("tls.key", authority.reference("key.pem"))
        .set("grpc.client_ca", authority.reference("ca.pem"))
}

async fn with_tls(authority: &Authority) -> Hub {
    Hub::builder()
        .set("tls.cert", authority.reference("cert.pem"))
        .set("tls.key", authority.reference("key.pem"))
        .start()
        .await
}
