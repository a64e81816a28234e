//! Whether an event is what its type says: the trait by which the hub asks the event catalog.

use crate::catalog::{DocumentFormat, EventCatalog, EventTypeDetails, EventTypeInfo};
use crate::channel::ChannelName;
use crate::event::{EventType, Payload};
use crate::publish::Origin;
use crate::refusal::Refusal;
use bytes::Bytes;

/// What happens to an event that breaks the rules of its type.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Enforcement {
    /// It is not looked at.
    Off,
    /// It is published, and counted and logged as one that broke them.
    Warn,
    /// It is refused.
    Strict,
}

/// Checks events before they are published, from clients and backends alike.
///
/// What an implementation promises is the suite `conformance::validator` (feature `conformance`). It is asked on the way of every publish, so it neither waits nor takes a lock that somebody may hold for long.
pub trait EventValidator: Send + Sync {
    /// Looks at an event.
    fn validate(&self, candidate: &Candidate<'_>) -> Verdict;
}

/// An event that somebody wants to publish.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The channel.
    pub channel: &'a ChannelName,
    /// The type.
    pub event_type: &'a EventType,
    /// The data.
    pub payload: &'a Payload,
    /// Who publishes.
    pub origin: &'a Origin,
    /// What the namespace says. None: whatever the catalog says.
    pub enforcement: Option<Enforcement>,
}

/// What becomes of an event.
#[derive(Debug)]
pub enum Verdict {
    /// It is published as it is.
    Accepted,
    /// It is published with this data, which says the same in the form that clients read.
    Rewritten(Payload),
    /// It breaks the rules, and is published as it is all the same.
    Tolerated(Refusal),
    /// It breaks the rules, and is not published.
    Refused(Refusal),
}

/// A hub without a catalog: every event will do.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCatalog;

impl EventCatalog for NoCatalog {
    fn revision(&self) -> Option<String> {
        None
    }

    fn event_types(&self, _after: &str, _limit: usize) -> Vec<EventTypeInfo> {
        Vec::new()
    }

    fn event_type(&self, _name: &str) -> Option<EventTypeDetails> {
        None
    }

    fn document(&self, _format: DocumentFormat) -> (Bytes, String) {
        (Bytes::new(), String::new())
    }
}

impl EventValidator for NoCatalog {
    fn validate(&self, _candidate: &Candidate<'_>) -> Verdict {
        Verdict::Accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;
    use crate::conformance::validator::{self, Sample};
    use crate::event::ContentType;
    use crate::publish::Draft;
    use crate::refusal::Violation;
    use crate::testing::TestHub;
    use bytes::Bytes;
    use std::sync::Arc;

    fn json(text: &'static str) -> Payload {
        Payload::new(ContentType::default(), Bytes::from_static(text.as_bytes())).unwrap()
    }

    fn sample(payload: Payload, refused: Option<Reason>) -> Sample {
        Sample {
            channel: "a:b".parse().unwrap(),
            event_type: EventType::message(),
            payload,
            origin: Origin::Backend,
            refused,
        }
    }

    #[test]
    fn a_hub_without_a_catalog_conforms() {
        validator::run(&NoCatalog, &[sample(json("1"), None), sample(json("{}"), None)]);
    }

    /// Takes numbers, and texts as what they say.
    struct Numbers;

    impl EventValidator for Numbers {
        fn validate(&self, candidate: &Candidate<'_>) -> Verdict {
            let enforcement = candidate.enforcement.unwrap_or(Enforcement::Strict);
            if enforcement == Enforcement::Off {
                return Verdict::Accepted;
            }
            let data = candidate.payload.data();
            let number = data.strip_prefix(b"\"").and_then(|data| data.strip_suffix(b"\""));
            match number {
                Some(number) => Verdict::Rewritten(
                    Payload::new(ContentType::default(), Bytes::copy_from_slice(number)).unwrap(),
                ),
                None if data.iter().all(u8::is_ascii_digit) => Verdict::Accepted,
                None => {
                    let violation = Violation {
                        pointer: String::new(),
                        rule: "type".into(),
                        message: "not a number".to_owned(),
                    };
                    let refusal = Refusal::new(Reason::SchemaViolation, "not a number")
                        .with_field("data")
                        .with_violations(vec![violation]);
                    match enforcement {
                        Enforcement::Strict => Verdict::Refused(refusal),
                        Enforcement::Warn | Enforcement::Off => Verdict::Tolerated(refusal),
                    }
                }
            }
        }
    }

    fn draft(payload: Payload) -> Draft {
        Draft {
            channel: "a:b".parse().unwrap(),
            event_type: EventType::message(),
            payload,
            headers: Vec::new(),
            origin: Origin::Backend,
            idempotency_key: None,
            exclude: Vec::new(),
            ttl: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_hub_does_what_its_validator_says_and_counts_it() {
        use crate::metrics::{OutcomeLabel, SchemaOutcome};
        validator::run(
            &Numbers,
            &[
                sample(json("1"), None),
                sample(json("\"2\""), None),
                sample(json("{}"), Some(Reason::SchemaViolation)),
            ],
        );
        let hub = TestHub::start();
        hub.publish(draft(json("{}"))).await.unwrap();
        hub.replace_validator(Arc::new(Numbers));
        let refusal = hub.publish(draft(json("{}"))).await.unwrap_err();
        assert_eq!(refusal.violations().len(), 1);
        hub.publish(draft(json("\"2\""))).await.unwrap();

        let top = hub.state(&"a:b".parse().unwrap()).await.unwrap().top;
        assert_eq!(top.offset.get(), 2, "what is refused is not published");
        let page = (*hub).clone().page_after("a:b".parse().unwrap(), crate::Offset::ZERO).await;
        assert_eq!(page.events[1].body.payload.data(), "2", "and clients read what was rewritten");
        let count = |outcome| {
            hub.metrics().schema_violations.get_or_create(&OutcomeLabel { outcome }).get()
        };
        assert_eq!((count(SchemaOutcome::Refused), count(SchemaOutcome::Tolerated)), (1, 0));
        assert_eq!(hub.metrics().transcoded.get(), 1);
    }
}
