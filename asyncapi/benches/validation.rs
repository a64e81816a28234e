//! What it costs to validate an event of 300 bytes of JSON: CPU time of one thread, printed in microseconds per event.
//!
//! Three bodies, so that no kind of catalog is flattered: a JSON Schema with one long text, a protobuf message with a dozen
//! fields of all kinds sent as JSON, and the same message sent as protobuf, which is transcoded as well. `cargo xtask
//! bench validate` runs it.

use bytes::Bytes;
use fanline_asyncapi::catalog::Source;
use fanline_asyncapi::{Catalog, CatalogValidator, demo};
use fanline_core::event::{ContentType, Payload};
use fanline_core::publish::Origin;
use fanline_core::validator::{Candidate, EventValidator, Verdict};
use std::fs;
use std::hint::black_box;

/// Bytes of the JSON of each event.
const BYTES: usize = 300;
/// Events of one round: some tenths of a second, against which the kernel's last tick (4 ms at most) is little.
const EVENTS: u32 = 50_000;
/// Rounds of each body. Odd, so that one of them is the median.
const ROUNDS: usize = 9;
/// Microseconds of CPU time that an event may cost.
const GOAL: f64 = 5.0;

fn main() {
    let demo = validator(&demo());
    let orders = validator(&orders());
    let protobuf = "application/protobuf";
    let worst = [
        measure("JSON Schema, JSON body", &demo, "chat:lobby", "message", "", &message()),
        measure("protobuf, JSON body", &orders, "orders:7", "order.placed", "", ORDER.as_bytes()),
        measure("protobuf, protobuf body", &orders, "orders:7", "order.placed", protobuf, &order()),
    ]
    .into_iter()
    .fold(0.0, f64::max);
    println!("goal: at most {GOAL} us: {}", if worst <= GOAL { "met" } else { "MISSED" });
}

fn validator(source: &Source) -> CatalogValidator {
    CatalogValidator::new(&Catalog::load(source).unwrap_or_else(|errors| panic!("{errors}")))
}

/// Validates one body again and again, prints what one time costs, and gives the median of the rounds.
fn measure(
    what: &str,
    validator: &CatalogValidator,
    channel: &str,
    event_type: &str,
    content_type: &str,
    body: &[u8],
) -> f64 {
    let content_type = match content_type {
        "" => ContentType::default(),
        other => other.parse().expect("it is one"),
    };
    let is_json = content_type.is_json();
    let payload = Payload::new(content_type, Bytes::copy_from_slice(body)).expect("a good body");
    let candidate = Candidate {
        channel: &channel.parse().expect("a name"),
        event_type: &event_type.parse().expect("a type"),
        payload: &payload,
        origin: &Origin::Backend,
        enforcement: None,
    };
    let mut rounds = [0.0; ROUNDS];
    for round in &mut rounds {
        let before = cpu_nanoseconds();
        for _ in 0..EVENTS {
            let verdict = validator.validate(black_box(&candidate));
            let is_as_expected = match &verdict {
                Verdict::Accepted => is_json,
                Verdict::Rewritten(json) => !is_json && json.data().len() == BYTES,
                Verdict::Tolerated(_) | Verdict::Refused(_) => false,
            };
            assert!(is_as_expected, "{what}: {verdict:?}");
        }
        *round = (cpu_nanoseconds() - before) / 1e3 / f64::from(EVENTS);
    }
    rounds.sort_by(f64::total_cmp);
    let [fastest, .., slowest] = rounds;
    let median = rounds[ROUNDS / 2];
    println!(
        "{what:<24} {:>3} bytes  {median:.2} us of CPU per event (rounds: {fastest:.2} to {slowest:.2})",
        body.len()
    );
    median
}

/// What this thread has run so far, from the scheduler's own books: other work on the machine is not in it.
fn cpu_nanoseconds() -> f64 {
    let books = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux keeps them");
    let spent = books.split(' ').next().expect("the first field is the time on the CPU");
    spent.parse().expect("a number of nanoseconds")
}

/// The demo's message with its fields filled and a long text.
fn message() -> Vec<u8> {
    let head =
        r#"{"reply_to":"0198f2b7-0000-7000-8000-000000000001","mentions":["u42","u43"],"text":""#;
    let body = format!("{head}{}\"}}", "x".repeat(BYTES - head.len() - 2));
    assert_eq!(body.len(), BYTES);
    body.into_bytes()
}

/// A catalog with one protobuf message, as a shop might have it.
fn orders() -> Source {
    let manifest = "[info]\ntitle = 'Bench'\n[channels.order]\naddress = 'orders:{order}'\n";
    let proto = r#"
        syntax = "proto3";
        package bench.v1;
        import "buf/validate/validate.proto";
        import "fanline/catalog/v1/options.proto";
        import "google/protobuf/timestamp.proto";
        message OrderPlaced {
          option (fanline.catalog.v1.event) = { type: "order.placed" channels: "order" summary: "An order was placed." };
          int64 order = 1 [(buf.validate.field).int64.gt = 0];
          string customer = 2 [(buf.validate.field).string.uuid = true];
          Status status = 3 [(buf.validate.field).enum = {not_in: [0]}];
          repeated Item items = 4 [(buf.validate.field).repeated = {min_items: 1, max_items: 100}];
          google.protobuf.Timestamp at = 5 [(buf.validate.field).required = true];
          bool gift = 6;
          map<string, string> labels = 7;
        }
        message Item {
          string sku = 1 [(buf.validate.field).string = {pattern: "^[A-Z]{2}-[0-9]{1,6}$"}];
          uint32 count = 2 [(buf.validate.field).uint32 = {gte: 1, lte: 1000}];
          double price = 3 [(buf.validate.field).double.gte = 0];
        }
        enum Status { STATUS_UNSPECIFIED = 0; STATUS_PLACED = 1; STATUS_PAID = 2; }
    "#;
    Source::of("bench", [("catalog.toml", manifest), ("proto/bench/v1/bench.proto", proto)])
}

/// An order in the JSON of proto3, exactly as the transcoder writes it.
const ORDER: &str = concat!(
    r#"{"order":"9007199254740993","customer":"0198f2b7-0000-7000-8000-000000000001","status":"STATUS_PLACED","#,
    r#""items":[{"sku":"AB-1234","count":2,"price":19.9},{"sku":"CD-5","count":1,"price":250.5}],"#,
    r#""at":"2026-11-24T09:30:00Z","gift":true,"labels":{"campaign":"the very first snow of winter, online only"}}"#,
);

/// The same order in the encoding of protobuf.
fn order() -> Vec<u8> {
    let text = |number, text: &str| delimited(number, text.as_bytes());
    let item = |sku: &str, count: u8, price: f64| {
        let price = [&[(3 << 3) | 1][..], &price.to_le_bytes()].concat();
        delimited(4, &[text(1, sku), vec![2 << 3, count], price].concat())
    };
    let label =
        [text(1, "campaign"), text(2, "the very first snow of winter, online only")].concat();
    [
        [vec![1 << 3], varint(9_007_199_254_740_993)].concat(),
        text(2, "0198f2b7-0000-7000-8000-000000000001"),
        vec![3 << 3, 1],
        item("AB-1234", 2, 19.9),
        item("CD-5", 1, 250.5),
        delimited(5, &[vec![1 << 3], varint(1_795_512_600)].concat()),
        vec![6 << 3, 1],
        delimited(7, &label),
    ]
    .concat()
}

/// A field whose bytes follow their length.
fn delimited(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[(number << 3) | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
