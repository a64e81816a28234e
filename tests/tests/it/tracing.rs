//! Spans go to a collector by OTLP, connected with those of clients and backends; without one nothing changes.

use std::time::Duration;

use fanline_proto::v1::PublishRequest;
use fanline_tests::{
    ApiKey, Authority, Backend, Collected, Collector, Flood, Handler, Hub, HubBuilder, Metrics,
    Publication, Token, answer, free_address, send, until,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::{Code, Request};

/// What clients of these tests send: a trace, a span of it, and that it is sampled.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

const RPC: &str = "fanline.v1.Publisher/Publish";

/// The status of a span whose work failed (`Status.StatusCode` of OTLP).
const ERROR: i32 = 2;

fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

fn hub(collector: &Collector) -> HubBuilder {
    Hub::builder().set("telemetry.otlp", collector.url())
}

fn traced(publication: Publication) -> Request<PublishRequest> {
    let mut request = Request::new(publication.0);
    request.metadata_mut().insert("traceparent", traceparent().parse().expect("ASCII"));
    request
}

fn ada() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}

#[tokio::test]
async fn a_publish_over_grpc_is_a_span_of_its_callers_trace() {
    let mut collector = Collector::start().await;
    let hub = hub(&collector).start().await;
    let mut publisher = hub.rpc().await.publisher();
    let published = publisher.publish(traced(Publication::to("chat:a", "a secret word"))).await;
    let event = published.expect("published").into_inner().event_id;

    let call = collector.span(RPC).await;
    assert_eq!((call.trace(), call.parent()), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(call.attribute("rpc.system.name"), "grpc");
    assert_eq!(call.attribute("rpc.method"), RPC);
    assert_eq!(call.attribute("rpc.response.status_code"), "OK");
    assert_eq!(call.attribute("error.type"), Value::Null);
    let publish = collector.span("publish chat:*").await;
    assert_eq!((publish.trace(), publish.parent()), (TRACE.to_owned(), call.id()));
    assert_eq!(publish.attribute("messaging.system"), "fanline");
    assert_eq!(publish.attribute("messaging.operation.type"), "send");
    assert_eq!(publish.attribute("messaging.destination.name"), "chat:a");
    assert_eq!(publish.attribute("messaging.destination.template"), "chat:*");
    assert_eq!(publish.attribute("messaging.message.id"), event);
    assert_eq!(publish.attribute("messaging.message.body.size"), r#""a secret word""#.len());
    assert_eq!(publish.attribute("fanline.event.type"), "note");
    for span in [&call, &publish] {
        assert_eq!(span.process("service.name"), "fanline");
        assert!(span.process("service.instance.id").as_str().is_some_and(|id| !id.is_empty()));
        let all = format!("{span:?}");
        assert!(!all.contains("secret word") && !all.contains(&ApiKey::all().secret), "{all}");
    }
    let taken = "fanline_spans_exported_total";
    Metrics::until(hub.addresses.ops, taken, "", 2.0).await;
}

#[tokio::test]
async fn an_event_in_a_stream_names_its_trace_in_its_own_headers() {
    let mut collector = Collector::start().await;
    let hub = hub(&collector).start().await;
    let mut flood = Flood::open(&hub.rpc().await).await;
    let mut event = Publication::to("chat:a", 1);
    event.0.headers.insert("traceparent".to_owned(), traceparent());
    flood.publish(event).await;
    flood.publish(Publication::to("chat:a", 2)).await;
    flood.finish().await;
    let spans = [collector.span("publish chat:*").await, collector.span("publish chat:*").await];
    let parents = spans.each_ref().map(Collected::parent);
    assert!(
        parents.contains(&PARENT.to_owned()) && parents.contains(&String::new()),
        "{parents:?}"
    );
    assert_eq!(collector.names(), Vec::<&str>::new(), "a stream is no span");
}

#[tokio::test]
async fn a_refused_publish_says_why() {
    let mut collector = Collector::start().await;
    let hub = hub(&collector).start().await;
    let refused = hub.rpc().await.try_publish(Publication::to("nowhere:a", 1)).await;
    assert_eq!(refused.map_err(|status| status.code()).err(), Some(Code::NotFound));
    let call = collector.span(RPC).await;
    assert_eq!(call.attribute("rpc.response.status_code"), "NOT_FOUND");
    assert_eq!(call.attribute("fanline.reason"), "UNKNOWN_NAMESPACE");
    let publish = collector.span("publish nowhere:*").await;
    assert_eq!(publish.attribute("error.type"), "UNKNOWN_NAMESPACE");
    let code = |span: &Collected| span.span.status.as_ref().map(|status| status.code);
    assert_eq!(code(&publish), Some(ERROR));
    assert_ne!(code(&call), Some(ERROR), "the server did nothing wrong");
}

#[tokio::test]
async fn a_call_of_a_room_leads_from_the_clients_span_through_the_hubs_to_the_backends() {
    let mut collector = Collector::start().await;
    let hub = hub(&collector).start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["chat.*"], 8).await;
    let mut room = hub.room(&ada()).await;
    let frame = json!({"op": "call", "id": 5, "method": "chat.rename", "channel": "chat:a",
                       "data": "x", "traceparent": traceparent()});
    room.send_text(&frame.to_string()).await;
    let command = backend.command().await;
    backend.reply(answer(&command, "done")).await;
    assert_eq!(room.next_with_id(5).await["data"], "done");

    let call = collector.span("websocket call").await;
    assert_eq!((call.trace(), call.parent()), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(call.attribute("rpc.method"), "chat.rename");
    assert_eq!(call.attribute("fanline.channel"), "chat:a");
    assert_eq!(call.attribute("fanline.connection.id"), room.connection());
    let asked = collector.span("command").await;
    assert_eq!((asked.trace(), asked.parent()), (TRACE.to_owned(), call.id()));
    assert_eq!(command.traceparent, format!("00-{TRACE}-{}-01", asked.id()));
}

#[tokio::test]
async fn a_publish_of_a_room_has_its_span_around_that_of_the_event() {
    let mut collector = Collector::start().await;
    let hub = hub(&collector).start().await;
    let mut room = hub.room(&ada()).await;
    room.publish("chat:a", json!(1)).await;
    let frame = json!({"op": "publish", "channel": "vault:a", "type": "note", "data": 1});
    assert_eq!(room.refused(frame).await, "PERMISSION_DENIED");

    let operation = collector.span("websocket publish").await;
    assert_eq!(operation.parent(), "", "it begins a trace");
    let publish = collector.span("publish chat:*").await;
    assert_eq!((publish.trace(), publish.parent()), (operation.trace(), operation.id()));
    let refused = collector.span("websocket publish").await;
    assert_eq!(refused.attribute("error.type"), "PERMISSION_DENIED");
    assert_ne!(refused.trace(), operation.trace());
}

#[tokio::test]
async fn a_call_by_http_leads_to_the_handler_that_the_hub_calls() {
    let (mut collector, mut handler) = (Collector::start().await, Handler::start().await);
    let section =
        toml::Table::from_iter([("url".to_owned(), format!("http://{}", handler.address).into())]);
    let handlers = toml::Table::from_iter([("chat.*".to_owned(), section.into())]);
    let hub = hub(&collector).set("handlers", handlers).start().await;
    let (bearer, traceparent) = (format!("Bearer {}", ada().sign()), traceparent());
    let headers = [("authorization", &*bearer), ("traceparent", &*traceparent)];
    let body = json!({"method": "chat.rename", "data": 1}).to_string();
    let call = send(hub.addresses.public, "POST", "/v1/call", &headers, &body);
    let (reply, seen) = tokio::join!(call, async {
        let asked = handler.asked().await;
        let seen = asked.metadata.get("traceparent").cloned();
        asked.answer("done");
        seen
    });
    assert_eq!(reply.status, 200, "{reply:?}");

    let request = collector.span("POST /v1/call").await;
    assert_eq!((request.trace(), request.parent()), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(request.attribute("http.route"), "/v1/call");
    assert_eq!(request.attribute("http.response.status_code"), 200);
    let command = collector.span("command").await;
    assert_eq!(command.parent(), request.id());
    let seen = seen.expect("a backend sees the trace");
    assert_eq!(seen.to_str().expect("ASCII"), format!("00-{TRACE}-{}-01", command.id()));
}

#[tokio::test]
async fn of_traces_that_begin_at_the_hub_a_share_is_exported_and_of_others_what_their_clients_say()
{
    let mut collector = Collector::start().await;
    let hub = hub(&collector).set("telemetry.sample_ratio", 0.0).start().await;
    let mut publisher = hub.rpc().await.publisher();
    publisher.publish(Publication::to("chat:a", 1).0).await.expect("published");
    publisher.publish(traced(Publication::to("chat:a", 2))).await.expect("published");
    assert_eq!(collector.span(RPC).await.trace(), TRACE);
    assert_eq!(collector.span("publish chat:*").await.trace(), TRACE);
    assert_eq!(collector.names(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_one_warning_and_nothing_else() {
    let address = free_address();
    let hub = Hub::builder().set("telemetry.otlp", format!("http://{address}")).start().await;
    let rpc = hub.rpc().await;
    rpc.publish_numbers("chat:a", 1..=50).await;
    let lost = async || hub.metrics().await.sum("fanline_spans_dropped_total", "not_taken");
    until("spans are dropped", async || lost().await >= 100.0).await;
    // A second batch meets the same fate, without a word.
    rpc.publish_numbers("chat:a", 51..=60).await;
    until("more spans are dropped", async || lost().await >= 120.0).await;

    let mut collector = Collector::start_at(address, None).await;
    rpc.publish(Publication::to("chat:a", "again")).await;
    collector.span(RPC).await;
    let said = hub.process.stderr();
    assert_eq!(said.matches("spans are not taken").count(), 1, "{said}");
    assert!(said.contains(&address.to_string()), "{said}");
}

#[tokio::test]
async fn a_collector_that_takes_nothing_holds_up_neither_publishers_nor_the_end() {
    // Connections are made, and nobody ever reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("it is bound"));
    let mut hub = Hub::builder()
        .set("telemetry.otlp", url)
        .set("drain.window", "500ms")
        .set("drain.deadline", "1s")
        .start()
        .await;
    let mut flood = Flood::open(&hub.rpc().await).await;
    // More than wait in the queue and in the batch under way.
    for number in 0..6_000 {
        flood.publish(Publication::to("live:a", number)).await;
    }
    flood.finish().await;
    let dropped = hub.metrics().await.sum("fanline_spans_dropped_total", "queue_full");
    assert!(dropped > 1_000.0, "{dropped} spans were dropped");
    hub.process.terminate();
    let status = hub.process.exit_within(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(0), "{}", hub.process.output());
}

#[tokio::test]
async fn a_collector_is_reached_over_tls_if_the_machine_trusts_it() {
    let (authority, address) = (Authority::new(), free_address());
    let mut collector = Collector::start_at(address, Some(authority.open_server())).await;
    let builder =
        Hub::builder().set("telemetry.otlp", format!("https://localhost:{}", address.port()));
    let ca = authority.path("ca.pem").display().to_string();
    let hub = builder.clone().env("SSL_CERT_FILE", &ca).start().await;
    hub.publish(Publication::to("chat:a", 1)).await;
    collector.span(RPC).await;

    let stranger = Authority::new();
    let ca = stranger.path("ca.pem").display().to_string();
    let hub = builder.env("SSL_CERT_FILE", &ca).start().await;
    hub.publish(Publication::to("chat:a", 1)).await;
    let lost = async || hub.metrics().await.sum("fanline_spans_dropped_total", "not_taken");
    until("spans are dropped", async || lost().await >= 2.0).await;
}

#[tokio::test]
async fn a_hub_that_stops_exports_what_waits() {
    let mut collector = Collector::start().await;
    let mut hub = hub(&collector).start().await;
    hub.publish(Publication::to("chat:a", 1)).await;
    hub.process.terminate();
    let status = hub.process.exit().await;
    assert_eq!(status.code(), Some(0), "{}", hub.process.output());
    collector.span("publish chat:*").await;
    collector.span(RPC).await;
}

#[tokio::test]
async fn a_hub_that_stops_does_not_wait_for_a_collector_that_is_away() {
    let url = format!("http://{}", free_address());
    let mut hub = Hub::builder()
        .set("telemetry.otlp", url)
        .set("drain.window", "1s")
        .set("drain.deadline", "10s")
        .start()
        .await;
    hub.publish(Publication::to("chat:a", 1)).await;
    hub.process.terminate();
    let status = hub.process.exit().await;
    assert_eq!(status.code(), Some(0), "{}", hub.process.output());
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_by_its_key() {
    for wrong in [
        "127.0.0.1:4317",
        "http://",
        "grpc://127.0.0.1:4317",
        "http://user:word@127.0.0.1:4317",
        "http://a:1/v1/traces",
    ] {
        let said = Hub::builder().set("telemetry.otlp", wrong).refused().await;
        assert!(said.contains("'otlp' in [telemetry]"), "{wrong}: {said}");
        assert!(said.contains("http://127.0.0.1:4317"), "{wrong}: {said}");
    }
    let said = Hub::builder().set("telemetry.sample_ratio", 1.5).refused().await;
    assert!(said.contains("'sample_ratio' in [telemetry] must be a number from 0 to 1"), "{said}");
}
