//! What it costs to validate an event of 300 bytes: one thread, printed in microseconds per event.

use fanline_asyncapi::{Catalog, CatalogValidator, demo};
use fanline_core::event::{ContentType, Payload};
use fanline_core::publish::Origin;
use fanline_core::validator::{Candidate, EventValidator, Verdict};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Events of one round, and rounds: the fastest round is the one that was disturbed least.
const EVENTS: u32 = 20_000;
const ROUNDS: usize = 10;
/// Bytes of the event, and of its envelope of JSON.
const BYTES: usize = 300;

fn main() {
    let catalog = Catalog::load(&demo()).expect("the demo catalog is good");
    let validator = CatalogValidator::new(&catalog);
    let head =
        r#"{"reply_to":"0198f2b7-0000-7000-8000-000000000001","mentions":["u42","u43"],"text":""#;
    let text = "x".repeat(BYTES - head.len() - 2);
    let body = format!("{head}{text}\"}}");
    assert_eq!(body.len(), BYTES);
    let payload = Payload::new(ContentType::default(), body.into()).expect("it is JSON");
    let candidate = Candidate {
        channel: &"chat:lobby".parse().expect("a name"),
        event_type: &"message".parse().expect("a type"),
        payload: &payload,
        origin: &Origin::Backend,
        enforcement: None,
    };
    let mut fastest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..EVENTS {
            let verdict = validator.validate(black_box(&candidate));
            assert!(matches!(verdict, Verdict::Accepted), "{verdict:?}");
        }
        fastest = fastest.min(start.elapsed());
    }
    let each = fastest.as_secs_f64() * 1e6 / f64::from(EVENTS);
    println!("a valid JSON event of {BYTES} bytes: {each:.2} us");
}
