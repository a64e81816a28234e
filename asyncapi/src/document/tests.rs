//! What holds of every document, on the demo catalog. What official tools say of it is asked in the end-to-end tests.

use super::{Document, HubFacts, Perspective, Readers, ReasonFact, Server, Settings, TryIt};
use crate::catalog::Source;
use crate::validate::{Text, validate};
use crate::{Catalog, demo};
use fanline_core::{Limits, Reason};
use serde_json::{Value, json};

fn facts() -> HubFacts {
    HubFacts {
        version: "1.2.3".to_owned(),
        public: Server { host: "hub.example.com".to_owned(), tls: true },
        grpc: Server { host: "localhost:50051".to_owned(), tls: false },
        limits: Limits::default(),
        reasons: Reason::ALL.into_iter().map(reason).collect(),
        closes: Vec::new(),
        lifecycle: Vec::new(),
        services: Vec::new(),
        try_it: TryIt::Off,
        token_path: None,
    }
}

fn reason(reason: Reason) -> ReasonFact {
    ReasonFact {
        name: reason.as_str(),
        about: reason.about(),
        grpc: "INTERNAL".to_owned(),
        http: 500,
        retryable: reason.is_retryable(),
    }
}

fn catalog(source: &Source) -> Catalog {
    Catalog::load(source).unwrap_or_else(|errors| panic!("{errors}"))
}

fn document(catalog: &Catalog, settings: Settings) -> Document {
    Document::new(Some(catalog), &facts(), settings)
}

/// The document of a catalog as hubs serve it.
pub(crate) fn document_of(catalog: &Catalog) -> Document {
    document(catalog, Settings::default())
}

/// A catalog with a channel for everybody, one for insiders, and ids that make the same name of a method.
fn two_sided() -> Catalog {
    let channels = r#"
        [info]
        title = "Two sides"
        [channels.open-room]
        address = "open:{room}"
        [channels.openRoom]
        address = "other:{room}"
        [channels.secret]
        address = "secret:{room}"
        visibility = "internal"
    "#;
    let event = |name: &str, channel: &str| {
        format!(
            r#"{{ "type": "object", "x-fanline": {{ "type": "{name}", "channels": ["{channel}"] }}, "properties": {{ "n": {{ "type": "integer" }} }}, "examples": [{{ "n": 1 }}] }}"#
        )
    };
    let files = [
        ("catalog.toml", channels.to_owned()),
        ("jsonschema/a.json", event("a", "open-room")),
        ("jsonschema/b.json", event("b", "openRoom")),
        ("jsonschema/c.json", event("c", "secret")),
    ];
    catalog(&Source::of("test", files.iter().map(|(path, text)| (*path, text.as_str()))))
}

#[test]
fn yaml_reads_back_as_what_json_says() {
    for catalog in [catalog(&demo()), two_sided()] {
        let document = document(&catalog, Settings::default());
        let read = Text::read(&document.yaml()).unwrap_or_else(|finding| panic!("{finding}"));
        assert_eq!(read.value, *document.value());
    }
}

#[test]
fn our_own_judge_finds_nothing() {
    let demo = catalog(&demo());
    for perspective in Perspective::ALL {
        let document = document(&demo, Settings { perspective, readers: Readers::Internal });
        for text in [document.json(), document.yaml()] {
            let findings = validate(&text);
            assert!(findings.is_empty(), "{findings:#?}");
        }
    }
}

fn each_reference(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref") {
                found(target);
            }
            fields.values().for_each(|value| each_reference(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| each_reference(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for catalog in [catalog(&demo()), two_sided()] {
        let document = document(&catalog, Settings::default());
        let mut count = 0;
        each_reference(document.value(), &mut |target| {
            count += 1;
            let pointer =
                target.strip_prefix('#').unwrap_or_else(|| panic!("{target} leads outside"));
            assert!(document.value().pointer(pointer).is_some(), "{target}");
        });
        assert!(count > 100);
    }
}

#[test]
fn equal_catalogs_give_equal_documents_and_a_change_gives_another_revision() {
    let first = document(&catalog(&demo()), Settings::default());
    assert_eq!(first.json(), document(&catalog(&demo()), Settings::default()).json());
    assert!(first.revision().starts_with(catalog(&demo()).revision().as_str()));

    let mut other = facts();
    other.try_it = TryIt::Full;
    let changed = Document::new(Some(&catalog(&demo())), &other, Settings::default());
    assert_ne!(changed.revision(), first.revision());
    assert_ne!(document(&two_sided(), Settings::default()).revision(), first.revision());
}

#[test]
fn a_client_receives_what_the_hub_sends() {
    let catalog = catalog(&demo());
    let hub = document(&catalog, Settings::default());
    let client =
        document(&catalog, Settings { perspective: Perspective::Client, ..Settings::default() });
    let (hub, client) = (&hub.value()["operations"], &client.value()["operations"]);
    assert_eq!(
        (&hub["deliverRoom"]["action"], &client["deliverRoom"]["action"]),
        (&"send".into(), &"receive".into())
    );
    for (id, operation) in hub.as_object().unwrap() {
        assert_ne!(operation["action"], client[id]["action"], "{id}");
    }
}

#[test]
fn what_is_internal_is_told_to_insiders_only() {
    let catalog = two_sided();
    let public = document(&catalog, Settings::default());
    let internal =
        document(&catalog, Settings { readers: Readers::Internal, ..Settings::default() });
    assert!(!public.json().contains("secret"));
    assert!(internal.value()["channels"].get("secret").is_some());
    assert!(internal.value()["components"]["schemas"].get("c").is_some());
}

#[test]
fn who_comes_and_goes_is_told_to_backends_of_what_they_may_know() {
    let told_in = |names: &[&str], settings| {
        let facts =
            HubFacts { lifecycle: names.iter().map(|&name| name.into()).collect(), ..facts() };
        let document = Document::new(Some(&two_sided()), &facts, settings);
        let channel = &document.value()["channels"]["fanline.lifecycle"];
        channel["parameters"]["namespace"]["examples"].clone()
    };
    let public = Settings::default();
    let internal = Settings { readers: Readers::Internal, ..public };
    let client = Settings { perspective: Perspective::Client, ..public };
    let all = ["open", "secret", "undescribed"];
    assert_eq!(told_in(&all, public), json!(["open", "undescribed"]));
    assert_eq!(told_in(&all, internal), json!(all));
    assert_eq!(told_in(&["secret"], public), Value::Null);
    assert_eq!(told_in(&all, client), Value::Null);
    assert_eq!(told_in(&[], internal), Value::Null);
}

#[test]
fn ids_that_become_the_same_name_keep_their_own_spelling() {
    let document = document(&two_sided(), Settings::default());
    let operations = document.value()["operations"].as_object().unwrap();
    let made: Vec<_> = operations.keys().filter(|id| id.starts_with("deliver")).collect();
    assert_eq!(made, ["deliverOpenRoom", "deliver_openRoom"]);
}

#[test]
fn publishers_see_a_closed_schema_and_subscribers_an_open_one() {
    let document = document(&catalog(&demo()), Settings::default());
    let schemas = &document.value()["components"]["schemas"];
    assert!(schemas["message"].get("additionalProperties").is_none());
    assert_eq!(schemas["message.publish"]["additionalProperties"], false);
}

#[test]
fn a_hub_without_a_catalog_documents_its_transports() {
    let document = Document::new(None, &facts(), Settings::default());
    let channels = document.value()["channels"].as_object().unwrap();
    assert!(channels.contains_key("fanline.websocket"));
    assert!(channels.keys().all(|id| id.starts_with("fanline.")));
}
