//! The data of an event, as JSON and as protobuf: what passes the catalog is JSON that passes it again.

use bytes::Bytes;
use fanline_asyncapi::catalog::{Parameter, Publisher};
use fanline_asyncapi::{Catalog, CatalogValidator, demo};
use fanline_core::event::{ContentType, EventType, Payload};
use fanline_core::publish::Origin;
use fanline_core::validator::{Candidate, Enforcement, EventValidator, Verdict};
use fanline_core::{ChannelName, Reason};
use std::sync::LazyLock;

struct Demo {
    validator: CatalogValidator,
    events: Vec<(ChannelName, EventType, Origin)>,
}

static DEMO: LazyLock<Demo> = LazyLock::new(|| {
    let catalog = Catalog::load(&demo()).expect("a good catalog");
    let events = catalog.events().map(|event| {
        let channel = catalog.channel(&event.channels[0]).expect("a channel of the catalog");
        let sample = |name: &str| {
            let parameter = channel.parameters.iter().find(|parameter| parameter.name == name);
            parameter.and_then(Parameter::sample)
        };
        let origin = match event.publisher {
            Publisher::Client => Origin::Client(None),
            Publisher::Backend | Publisher::Any => Origin::Backend,
        };
        let channel = channel.address.fill(sample).expect("its parameters have samples");
        (channel, event.name.parse().expect("a name"), origin)
    });
    Demo { validator: CatalogValidator::new(&catalog), events: events.collect() }
});

/// The first line is the event type and the content type, the rest its data.
pub(crate) fn run(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (line, data) = (&bytes[..end], &bytes[end + 1..]);
    let Some((name, content_type)) =
        str::from_utf8(line).ok().and_then(|line| line.split_once(' '))
    else {
        return;
    };
    let Ok(content_type) = content_type.parse::<ContentType>() else { return };
    let named = DEMO.events.iter().find(|(_, event_type, _)| event_type.as_str() == name);
    let Some((channel, event_type, origin)) = named else { return };
    let validate = |payload: &Payload| {
        DEMO.validator.validate(&Candidate {
            channel,
            event_type,
            payload,
            origin,
            enforcement: Some(Enforcement::Strict),
        })
    };
    let Ok(payload) = Payload::new(content_type, Bytes::copy_from_slice(data)) else { return };
    match validate(&payload) {
        Verdict::Accepted => {
            assert!(payload.content_type().is_json(), "{event_type}: clients read JSON");
            serde_json::from_slice::<serde_json::Value>(data).expect("what is accepted is JSON");
        }
        Verdict::Rewritten(rewritten) => {
            assert!(rewritten.content_type().is_json(), "{event_type}: clients read JSON");
            let again = validate(&rewritten);
            let text = String::from_utf8_lossy(rewritten.data());
            assert!(matches!(again, Verdict::Accepted), "{event_type}: {text}: {again:?}");
        }
        Verdict::Refused(refusal) if refusal.reason() == Reason::SchemaViolation => {
            assert!(!refusal.violations().is_empty(), "{event_type}: what is wrong is said");
        }
        Verdict::Refused(_) => {}
        Verdict::Tolerated(_) => panic!("{event_type}: strict is strict"),
    }
}
