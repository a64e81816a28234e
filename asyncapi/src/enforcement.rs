//! Enforcing the catalog: what the hub asks before it publishes.
//!
//! Everything is compiled once. A valid event costs one parse and one walk over its value; only an invalid one is looked
//! at again, to say what is wrong with it. Read [`CatalogValidator`] first.

use crate::Catalog;
use crate::catalog::{Address, Enforcement, EnforcementDefaults, EventDefinition, Publisher, View};
use crate::checker::Checker;
use crate::json;
use crate::transcode::{Plans, Transcoder, is_protobuf};
use fanline_core::event::{EventType, Payload};
use fanline_core::publish::Origin;
use fanline_core::refusal::Violation;
use fanline_core::validator::{Candidate, EventValidator, Verdict};
use fanline_core::{ChannelName, Reason, Refusal};
use serde_json::Value;
use serde_json::value::to_raw_value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Event types that a refusal names as those that were perhaps meant.
const NAMED_MAX: usize = 5;

/// Checks events against a catalog.
#[derive(Debug)]
pub struct CatalogValidator {
    rules: HashMap<String, Rule>,
    /// The namespaces that hold a channel of the catalog.
    namespaces: HashSet<String>,
    defaults: EnforcementDefaults,
}

/// What holds for the events of one type.
#[derive(Debug)]
struct Rule {
    addresses: Vec<Address>,
    publisher: Publisher,
    enforcement: Option<Enforcement>,
    checker: Checker,
    /// What a protobuf body is. None: bodies are JSON only.
    transcoder: Option<Transcoder>,
}

impl CatalogValidator {
    /// Compiles a catalog.
    #[must_use]
    pub fn new(catalog: &Catalog) -> Self {
        let plans = catalog.descriptors.as_ref().map(Plans::new);
        let rule = |event: &EventDefinition| {
            (event.name.clone(), Rule::new(catalog, event, plans.as_ref()))
        };
        let rules = catalog.events().map(rule).collect();
        let namespaces =
            catalog.channels().iter().map(|channel| channel.address.namespace().to_owned());
        CatalogValidator {
            rules,
            namespaces: namespaces.collect(),
            defaults: catalog.enforcement(),
        }
    }

    /// What becomes of an event that breaks the rules. The namespace speaks for whoever runs the hub, the type for
    /// whoever owns it: the milder of both counts, so that either can let events through while publishers catch up.
    fn enforcement(&self, candidate: &Candidate<'_>, rule: Option<&Rule>) -> Enforcement {
        let of_namespace = candidate.enforcement;
        if of_namespace.is_none() && !self.namespaces.contains(candidate.channel.namespace()) {
            return Enforcement::Off;
        }
        let Some(rule) = rule else {
            return of_namespace.unwrap_or(self.defaults.unknown);
        };
        match (of_namespace, rule.enforcement) {
            (Some(namespace), Some(event)) => namespace.min(event),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => self.defaults.default,
        }
    }

    /// The data that is published instead, if any.
    fn check(
        &self,
        candidate: &Candidate<'_>,
        rule: Option<&Rule>,
    ) -> Result<Option<Payload>, Refusal> {
        let Some(rule) = rule else {
            return Err(self.unknown(candidate.event_type, candidate.channel));
        };
        if !rule.is_for(candidate.channel) {
            return Err(self.unknown(candidate.event_type, candidate.channel));
        }
        rule.check_publisher(candidate)?;
        rule.check_payload(candidate)
    }

    fn unknown(&self, event_type: &EventType, channel: &ChannelName) -> Refusal {
        let mut known: Vec<&str> = self
            .rules
            .iter()
            .filter(|(_, rule)| rule.is_for(channel))
            .map(|(name, _)| name.as_str())
            .collect();
        known.sort_by_key(|name| (strsim::damerau_levenshtein(name, event_type.as_str()), *name));
        known.truncate(NAMED_MAX);
        let message = if known.is_empty() {
            format!(
                "the catalog has no channel with the address of `{channel}`, and so no event type for it"
            )
        } else {
            let known = known.join("`, `");
            format!(
                "the catalog has no event type `{event_type}` for `{channel}`; it has `{known}`"
            )
        };
        Refusal::new(Reason::UnknownEventType, message).with_field("type")
    }
}

impl EventValidator for CatalogValidator {
    fn validate(&self, candidate: &Candidate<'_>) -> Verdict {
        let rule = self.rules.get(candidate.event_type.as_str());
        let enforcement = self.enforcement(candidate, rule);
        if enforcement == Enforcement::Off {
            return Verdict::Accepted;
        }
        match (self.check(candidate, rule), enforcement) {
            (Ok(None), _) => Verdict::Accepted,
            (Ok(Some(payload)), _) => Verdict::Rewritten(payload),
            (Err(refusal), Enforcement::Strict) => Verdict::Refused(refusal),
            (Err(refusal), Enforcement::Warn | Enforcement::Off) => Verdict::Tolerated(refusal),
        }
    }
}

impl Rule {
    fn new(catalog: &Catalog, event: &EventDefinition, plans: Option<&Arc<Plans>>) -> Self {
        let channels = event.channels.iter().filter_map(|id| catalog.channel(id));
        Rule {
            addresses: channels.map(|channel| channel.address.clone()).collect(),
            publisher: event.publisher,
            enforcement: event.enforcement,
            checker: Checker::of(catalog, &event.schema, View::Publish),
            transcoder: event
                .message
                .as_deref()
                .and_then(|message| Transcoder::new(plans?, message)),
        }
    }

    fn is_for(&self, channel: &ChannelName) -> bool {
        self.addresses.iter().any(|address| address.matches(channel))
    }

    fn check_publisher(&self, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let who = match (self.publisher, candidate.origin) {
            (Publisher::Backend, Origin::Client(_)) => "backends",
            (Publisher::Client, Origin::Backend) => "clients",
            (Publisher::Any, _)
            | (Publisher::Backend, Origin::Backend)
            | (Publisher::Client, Origin::Client(_)) => return Ok(()),
        };
        let message =
            format!("the catalog says that `{}` is published by {who} only", candidate.event_type);
        Err(Refusal::new(Reason::PermissionDenied, message).with_field("type"))
    }

    fn check_payload(&self, candidate: &Candidate<'_>) -> Result<Option<Payload>, Refusal> {
        let violations = match self.read(candidate.payload) {
            Ok(payload) => return Ok(payload),
            Err(violations) => violations,
        };
        let Some(first) = violations.first() else { return Ok(None) };
        let place = match first.pointer.as_str() {
            "" => String::new(),
            pointer => format!("{pointer}: "),
        };
        let message = format!(
            "the data is not that of a `{}`: {place}{} ({})",
            candidate.event_type, first.message, first.rule
        );
        let refusal = Refusal::new(Reason::SchemaViolation, message).with_field("data");
        Err(refusal.with_violations(violations))
    }

    /// The data that is published instead, if any, or what is wrong with it.
    fn read(&self, payload: &Payload) -> Result<Option<Payload>, Vec<Violation>> {
        let content_type = payload.content_type();
        if content_type.is_json() {
            return self.check_json(payload.data()).map(|()| None);
        }
        match &self.transcoder {
            Some(transcoder) if is_protobuf(content_type.as_str()) => {
                let value =
                    transcoder.to_json(payload.data()).map_err(|violation| vec![violation])?;
                self.check_value(&value)?;
                let text = to_raw_value(&value).expect("a value has a text");
                Ok(Some(Payload::json(&text)))
            }
            Some(_) | None => {
                let or = if self.transcoder.is_some() { " or application/protobuf" } else { "" };
                let message = format!(
                    "the content type is {}; events of this type are application/json{or}",
                    content_type.as_str()
                );
                let rule = "contentType".into();
                Err(vec![Violation { pointer: String::new(), rule, message }])
            }
        }
    }

    fn check_json(&self, text: &[u8]) -> Result<(), Vec<Violation>> {
        match json::parse(text) {
            Ok(value) => self.check_value(&value),
            Err(fault) => Err(vec![fault.into_violation()]),
        }
    }

    fn check_value(&self, value: &Value) -> Result<(), Vec<Violation>> {
        if self.checker.is_valid(value) {
            return Ok(());
        }
        Err(self.checker.violations(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Source;
    use bytes::Bytes;
    use fanline_core::conformance::validator::{self, Sample};
    use fanline_core::event::ContentType;
    use serde_json::json;

    /// A catalog with one event type in `chat:{room}`.
    fn validator(event: serde_json::Value) -> CatalogValidator {
        validator_with("", event)
    }

    fn validator_with(enforcement: &str, event: serde_json::Value) -> CatalogValidator {
        let manifest = format!(
            "[info]\ntitle = 'T'\n[channels.room]\naddress = 'chat:{{room}}'\n[enforcement]\n{enforcement}"
        );
        let said = json!({
            "x-fanline": event,
            "type": "object",
            "required": ["text"],
            "properties": { "text": { "type": "string", "maxLength": 5 } },
        });
        let files =
            [("catalog.toml", manifest.as_str()), ("jsonschema/said.json", &said.to_string())];
        let catalog = Catalog::load(&Source::of("c", files)).unwrap();
        CatalogValidator::new(&catalog)
    }

    fn said() -> CatalogValidator {
        validator(json!({ "type": "said", "channels": ["room"] }))
    }

    fn sample(channel: &str, event_type: &str, data: &str, refused: Option<Reason>) -> Sample {
        Sample {
            channel: channel.parse().unwrap(),
            event_type: event_type.parse().unwrap(),
            payload: Payload::new(ContentType::default(), Bytes::from(data.to_owned())).unwrap(),
            origin: Origin::Backend,
            refused,
        }
    }

    fn ask(validator: &CatalogValidator, sample: &Sample, said: Option<Enforcement>) -> Verdict {
        validator.validate(&Candidate {
            channel: &sample.channel,
            event_type: &sample.event_type,
            payload: &sample.payload,
            origin: &sample.origin,
            enforcement: said,
        })
    }

    #[test]
    fn it_conforms() {
        let text = Sample {
            payload: Payload::new("text/plain".parse().unwrap(), Bytes::from_static(b"x")).unwrap(),
            ..sample("chat:a", "said", "{}", Some(Reason::SchemaViolation))
        };
        validator::run(
            &said(),
            &[
                sample("chat:a", "said", r#"{"text":"hello"}"#, None),
                sample("chat:a", "said", r#"{"text":"hello!"}"#, Some(Reason::SchemaViolation)),
                sample("chat:a", "sayd", r#"{"text":"hello"}"#, Some(Reason::UnknownEventType)),
                sample("chat:a:b", "said", r#"{"text":"hello"}"#, Some(Reason::UnknownEventType)),
                sample("news:a", "said", r#"{"text":"hello"}"#, Some(Reason::UnknownEventType)),
                text,
            ],
        );
    }

    #[test]
    fn a_violation_names_the_value_and_the_rule() {
        let table = [
            (r#"{}"#, "/text", "required"),
            (r#"{"text":1}"#, "/text", "type"),
            (r#"{"text":"hello!"}"#, "/text", "maxLength"),
            (r#"{"text":"","a/b":1}"#, "/a~1b", "additionalProperties"),
            (r#"{"text":"a","text":"b"}"#, "/text", "uniqueNames"),
            (r#"{"text":"","x":1e400}"#, "/x", "json"),
            ("[]", "", "type"),
        ];
        let said = said();
        for (data, pointer, rule) in table {
            let sample = sample("chat:a", "said", data, None);
            let Verdict::Refused(refusal) = ask(&said, &sample, None) else { panic!("{data}") };
            let [violation] = refusal.violations() else { panic!("{data}: {refusal:?}") };
            assert_eq!((violation.pointer.as_str(), &*violation.rule), (pointer, rule), "{data}");
            assert!(!violation.message.contains("hello!"), "the sender's text stays out of it");
            assert_eq!(refusal.field(), Some("data"));
        }
    }

    #[test]
    fn without_a_word_of_the_namespace_only_namespaces_of_the_catalog_are_looked_at() {
        let wrong = |channel| sample(channel, "nothing", "1", None);
        assert!(matches!(ask(&said(), &wrong("chat:a"), None), Verdict::Refused(_)));
        assert!(matches!(ask(&said(), &wrong("news:a"), None), Verdict::Accepted));
        let strict = Some(Enforcement::Strict);
        assert!(matches!(ask(&said(), &wrong("news:a"), strict), Verdict::Refused(_)));
    }

    #[test]
    fn of_namespace_and_type_the_milder_counts() {
        let mild =
            validator(json!({ "type": "said", "channels": ["room"], "enforcement": "warn" }));
        let wrong = sample("chat:a", "said", "1", None);
        for said in [None, Some(Enforcement::Strict), Some(Enforcement::Warn)] {
            assert!(matches!(ask(&mild, &wrong, said), Verdict::Tolerated(_)), "{said:?}");
        }
        assert!(matches!(ask(&mild, &wrong, Some(Enforcement::Off)), Verdict::Accepted));
    }

    #[test]
    fn a_catalog_can_let_types_pass_that_it_does_not_know() {
        let lenient =
            validator_with("unknown = 'warn'", json!({ "type": "said", "channels": ["room"] }));
        let unknown = sample("chat:a", "other", "1", None);
        assert!(matches!(ask(&lenient, &unknown, None), Verdict::Tolerated(_)));
        let known = sample("chat:a", "said", "1", None);
        assert!(matches!(ask(&lenient, &known, None), Verdict::Refused(_)));
        let strict = Some(Enforcement::Strict);
        assert!(matches!(ask(&lenient, &unknown, strict), Verdict::Refused(_)));
    }

    #[test]
    fn an_event_type_of_backends_is_not_published_by_clients() {
        let backends =
            validator(json!({ "type": "said", "channels": ["room"], "publisher": "backend" }));
        let good = sample("chat:a", "said", r#"{"text":"x"}"#, None);
        let from_client = Sample { origin: Origin::Client(None), ..good };
        let Verdict::Refused(refusal) = ask(&backends, &from_client, None) else { panic!() };
        assert_eq!(refusal.reason(), Reason::PermissionDenied);
    }

    #[test]
    fn an_unknown_type_is_refused_with_those_that_there_are() {
        let sample = sample("chat:a", "sayd", "1", None);
        let Verdict::Refused(refusal) = ask(&said(), &sample, None) else { panic!() };
        assert!(refusal.message().contains("it has `said`"), "{refusal}");
    }
}
