//! SSE as it is read by clients that are not ours: each of them meets each mishap of the table.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fanline_tests::{
    Authority, EventStream, ForeignClient, Heard, Hub, HubBuilder, Proxy, Publication, Rpc,
    StreamCredential, StreamRequest, TlsClient, Token, free_port,
};
use serde_json::{Value, json};

/// Makes a test of each line: the name of the test, the client, how it says who it is where it can choose, and over what
/// it speaks.
macro_rules! clients {
    ($($test:ident: $kind:literal, $credential:ident, $transport:ident;)*) => {$(
        #[tokio::test]
        async fn $test() {
            every_mishap($kind, StreamCredential::$credential, Transport::$transport).await;
        }
    )*};
}

clients! {
    curl_over_h2c:             "curl-h2c",              Bearer, Plain;
    curl_over_h2_with_tls:     "curl-h2",               Bearer, Tls;
    native_event_source:       "native EventSource",    Cookie, Plain;
    event_source_polyfill:     "event-source-polyfill", Bearer, Plain;
    fetch_event_source:        "fetch-event-source",    Bearer, Plain;
    eventsource:               "eventsource",           Bearer, Plain;
    eventsource_client:        "eventsource-client",    Bearer, Plain;
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Transport {
    Plain,
    Tls,
}

/// One client with a stream for each mishap, which are had one after the other.
async fn every_mishap(kind: &str, credential: StreamCredential, transport: Transport) {
    let Table { mut client, rpc, impatient, lines, place, kept: _until_the_end } =
        Table::set(kind, credential, transport).await;
    let [cut, cursor, silent, hostile] = lines;
    a_cut_in_the_middle_of_data_loses_nothing(&mut client, &rpc, &cut).await;
    cursor_events_advance_the_cursor(&mut client, &rpc, &cursor).await;
    heartbeats_raise_no_event(&mut client, &rpc, &silent).await;
    hostile_payloads_arrive_unchanged(&mut client, &rpc, &hostile).await;
    an_old_stream_is_followed_by_a_new_one(&mut client, &impatient).await;
    a_soft_reject_comes_back(&mut client, place).await;
    client.stop().await;
}

async fn a_cut_in_the_middle_of_data_loses_nothing(
    client: &mut ForeignClient,
    rpc: &Rpc,
    line: &Proxy,
) {
    client.named("cut", "fanline.open").await;
    rpc.publish(Publication::to("news:cut", 1)).await;
    assert_eq!(data(&client.named("cut", "message").await), 1);
    // Long, so that it is known to be under way when the line is cut, also where TLS hides it.
    let long = "0123456789abcdef".repeat(4 * 1024);
    line.cut_after(long.len() as u64 / 2);
    rpc.publish(Publication::to("news:cut", &*long)).await;
    let opened = client.named("cut", "fanline.open").await.json();
    assert_eq!(opened["channels"]["news:cut"]["recovered"], true, "{opened}");
    assert_eq!(data(&client.named("cut", "message").await), long);
    rpc.publish(Publication::to("news:cut", 3)).await;
    assert_eq!(data(&client.named("cut", "message").await), 3);
}

async fn cursor_events_advance_the_cursor(client: &mut ForeignClient, rpc: &Rpc, line: &Proxy) {
    client.named("cursor", "fanline.open").await;
    rpc.publish(Publication::to("news:near", 1)).await;
    assert_eq!(data(&client.named("cursor", "message").await), 1);
    let cursor = client.named("cursor", "fanline.cursor").await;
    assert_eq!(cursor.data, "{}");
    line.take_down();
    rpc.publish(Publication::to("news:far", 2)).await;
    line.restore();
    let opened = client.named("cursor", "fanline.open").await.json();
    for channel in ["news:near", "news:far"] {
        assert_eq!(opened["channels"][channel]["recovered"], true, "{opened}");
    }
    // Not the first once more.
    assert_eq!(data(&client.named("cursor", "message").await), 2);
    let next = client.named("cursor", "fanline.cursor").await;
    assert_ne!(next.id, cursor.id);
}

async fn heartbeats_raise_no_event(client: &mut ForeignClient, rpc: &Rpc, line: &Proxy) {
    client.named("silent", "fanline.open").await;
    // One has 7 bytes over HTTP/1.1, 11 over HTTP/2, and 33 of them encrypted.
    line.returned(100).await;
    rpc.publish(Publication::to("news:silent", 1)).await;
    assert_eq!(data(&client.named("silent", "message").await), 1);
}

async fn hostile_payloads_arrive_unchanged(client: &mut ForeignClient, rpc: &Rpc, line: &Proxy) {
    /// Every line end that a stream knows, what begins a field, and what ends a text in some languages.
    const HOSTILE: &str =
        "a\rb\nc\r\nd\0\ndata: x\n\nid: 9\n\revent: fanline.close\rretry: 1\r\n\r\n: y\n";
    client.named("hostile", "fanline.open").await;
    let publish = async |content_type: &str, data: &str| {
        let mut publication = Publication::to("news:hostile", 0);
        publication.0.content_type = content_type.to_owned();
        publication.0.data = data.to_owned().into();
        rpc.publish(publication).await.to_string()
    };
    // As text, in a JSON string, and between the tokens of JSON.
    let text = publish("text/plain", HOSTILE).await;
    let string = publish("application/json", &json!({"data: id:": HOSTILE}).to_string()).await;
    let tokens = "{\"id: 9\":\r\n\"data: x\",\r\n\r\n\"data: \"\r:\n\n1}";
    let tokens = publish("application/json", tokens).await;

    let heard = client.named("hostile", "message").await;
    let base64 = heard.json()["data_base64"].as_str().expect("no JSON").to_owned();
    assert_eq!(BASE64_STANDARD.decode(base64).expect("base64"), HOSTILE.as_bytes());
    assert_eq!(heard.id, text);
    let heard = client.named("hostile", "message").await;
    assert_eq!((data(&heard), heard.id), (json!({"data: id:": HOSTILE}), string));
    let heard = client.named("hostile", "message").await;
    assert_eq!((data(&heard), heard.id), (json!({"id: 9": "data: x", "data: ": 1}), tokens));

    // The id is still the one of the last event, and none that stood inside.
    line.cut();
    let opened = client.named("hostile", "fanline.open").await.json();
    assert_eq!(opened["channels"]["news:hostile"]["recovered"], true, "{opened}");
    publish("application/json", "\"next\"").await;
    assert_eq!(data(&client.named("hostile", "message").await), "next");
}

/// The hub ends each of its streams before long, in good order: for its age, as it does for a drain.
async fn an_old_stream_is_followed_by_a_new_one(client: &mut ForeignClient, rpc: &Rpc) {
    let (mut streams, mut published, mut seen) = (0, 0, 0);
    while seen < 2 {
        let heard = client.next("aged").await;
        match &*heard.name {
            "fanline.open" => {
                streams += 1;
                let opened = heard.json();
                let recovered = opened["channels"]["news:aged"]["recovered"].as_bool();
                assert_eq!(recovered, (streams > 1).then_some(true), "{opened}");
                if published == seen {
                    published += 1;
                    rpc.publish(Publication::to("news:aged", published)).await;
                }
            }
            "fanline.cursor" => assert!(!heard.id.is_empty(), "{heard:?}"),
            "message" => {
                seen += 1;
                assert_eq!(data(&heard), seen);
            }
            other => panic!("{other} came"),
        }
    }
    assert!(streams > 1, "the second event meets another stream than the first");
}

/// The user's only place is taken when the client comes, and given up when it was told to come back.
async fn a_soft_reject_comes_back(client: &mut ForeignClient, place: EventStream) {
    client.named("rejected", "fanline.retry").await;
    drop(place);
    let opened = loop {
        let heard = client.next("rejected").await;
        if heard.name != "fanline.retry" {
            break heard;
        }
    };
    assert_eq!(opened.name, "fanline.open", "{opened:?}");
}

/// The data of the event that the data of a block is.
fn data(heard: &Heard) -> Value {
    heard.json()["data"].clone()
}

/// Everything that stands ready for one client.
struct Table {
    client: ForeignClient,
    rpc: Rpc,
    /// A backend of the hub whose streams do not get old.
    impatient: Rpc,
    /// The lines of the streams `cut`, `cursor`, `silent` and `hostile`.
    lines: [Proxy; 4],
    /// Takes the place that the stream `rejected` wants.
    place: EventStream,
    /// What the client needs to be there.
    kept: ([Hub; 3], Authority),
}

impl Table {
    async fn set(kind: &str, credential: StreamCredential, transport: Transport) -> Self {
        let authority = Authority::new();
        let page = format!("http://127.0.0.1:{}", free_port());
        let builder =
            || builder(&authority, transport).set("public.allowed_origins", vec![page.clone()]);
        let hub = builder().start().await;
        let full = builder().set("limits.connections_per_user", 1).start().await;
        let impatient = builder().set("limits.stream_max_age", "1s").start().await;
        let public = hub.addresses.public;
        let lines = [
            Proxy::to(public).await,
            Proxy::to(public).await,
            Proxy::to(public).await,
            Proxy::to(public).await,
        ];
        let token = Token::user("ada").everything_in(&["news:*"]).sign();
        let place = take_place(&full, &authority, transport, &token).await;
        let origin = match transport {
            Transport::Plain => "http://127.0.0.1",
            // The name in the certificate.
            Transport::Tls => "https://localhost",
        };
        let stream = |name, port: u16, channels: &str, credential| StreamRequest {
            name,
            url: format!("{origin}:{port}/v1/sse?{channels}"),
            credential,
        };
        let ports = lines.each_ref().map(|line| line.address.port());
        let two = "channel=news:near&channel=news:far";
        let streams = [
            stream("cut", ports[0], "channel=news:cut", credential),
            stream("cursor", ports[1], two, credential),
            stream("silent", ports[2], "channel=news:silent", credential),
            stream("hostile", ports[3], "channel=news:hostile", credential),
            stream("aged", impatient.addresses.public.port(), "channel=news:aged", credential),
            // A client that can set headers reads the status instead.
            stream(
                "rejected",
                full.addresses.public.port(),
                "channel=news:full",
                StreamCredential::Cookie,
            ),
        ];
        let client = ForeignClient::start(kind, &token, &page, &authority.path("ca.pem"), &streams);
        Table {
            client,
            rpc: backend(&hub, &authority, transport).await,
            impatient: backend(&impatient, &authority, transport).await,
            lines,
            place,
            kept: ([hub, full, impatient], authority),
        }
    }
}

fn builder(authority: &Authority, transport: Transport) -> HubBuilder {
    let hub = Hub::builder().set("limits.heartbeat_interval", "100ms");
    match transport {
        Transport::Plain => hub,
        Transport::Tls => hub
            .set("tls.cert", authority.reference("cert.pem"))
            .set("tls.key", authority.reference("key.pem")),
    }
}

async fn backend(hub: &Hub, authority: &Authority, transport: Transport) -> Rpc {
    match transport {
        Transport::Plain => hub.rpc().await,
        Transport::Tls => {
            let connection = authority.rpc(hub.addresses.grpc, TlsClient::new("h2")).await;
            connection.expect("the hub listens")
        }
    }
}

async fn take_place(
    hub: &Hub,
    authority: &Authority,
    transport: Transport,
    token: &str,
) -> EventStream {
    let address = hub.addresses.public;
    let bearer = format!("Bearer {token}");
    let (path, headers) = ("/v1/sse?channel=news:full", [("authorization", &*bearer)]);
    match transport {
        Transport::Plain => EventStream::open(address, path, &headers).await,
        Transport::Tls => {
            let connection = authority.connect(address, TlsClient::new("http/1.1")).await;
            let connection = connection.expect("a handshake");
            EventStream::open_over(connection, address, path, &headers).await
        }
    }
}
