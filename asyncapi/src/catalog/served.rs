//! A catalog as an AsyncAPI document tells of it: what a hub serves, or what was generated and kept.
//!
//! A document has both views of every schema, who publishes what, and where. It does not have: the numbers of protobuf fields,
//! enforcement, compatibility, and channels that only the internal documents speak of.

use super::address::Address;
use super::catalog::Catalog;
use super::channel::{Audience, ChannelDefinition, Parameter, Transport, Visibility};
use super::error::{CatalogError, CatalogErrors};
use super::event::{EventDefinition, Example, Publisher};
use super::info::{Compatibility, EnforcementDefaults, Info};
use super::revision::Revision;
use super::schema::{PREFIX, Schema};
use super::source::{Place, Source};
use crate::document::{OWN, PUBLISH};
use crate::validate::Text;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

impl Catalog {
    /// Reads what an AsyncAPI document of a hub, JSON or YAML, says of the hub's catalog. `name` is what complaints call it.
    ///
    /// # Errors
    /// It is no document, or not one that Fanline made.
    pub fn of_document(name: &str, text: &str) -> Result<Self, CatalogErrors> {
        let read = Text::read(text).map_err(|finding| {
            let place = Place { file: name.to_owned(), line: finding.line };
            CatalogError::new(place, finding.message)
        })?;
        let reader = Reader { document: &read.value, name, text: &read };
        let catalog = Catalog {
            info: reader.info()?,
            channels: reader.channels()?,
            events: reader.events()?,
            schemas: reader.schemas(),
            enforcement: EnforcementDefaults::default(),
            compatibility: Compatibility::default(),
            descriptors: None,
            revision: Revision::of(&Source::of(name, [("asyncapi", text)])),
        };
        catalog.checked(Vec::new())
    }

    /// What the public documents say of it, and nothing else: so a catalog is compared with a document of another.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.channels.retain(|channel| channel.visibility == Visibility::Public);
        let channels = &self.channels;
        for event in self.events.values_mut() {
            event.channels.retain(|id| channels.iter().any(|channel| channel.id == *id));
        }
        self.events.retain(|_, event| !event.channels.is_empty());
        self
    }
}

struct Reader<'a> {
    document: &'a Value,
    name: &'a str,
    text: &'a Text,
}

impl<'a> Reader<'a> {
    fn place(&self, pointer: &str) -> Place {
        Place { file: self.name.to_owned(), line: self.text.place(pointer).0 }
    }

    fn complain(&self, pointer: &str, message: impl Into<String>) -> CatalogError {
        CatalogError::new(self.place(pointer), message)
    }

    fn info(&self) -> Result<Info, CatalogError> {
        let view = self.document.pointer("/x-fanline/view").and_then(Value::as_str);
        if view != Some("hub") {
            let message = "this is not the AsyncAPI document of a hub (`/asyncapi.json`, or `fanline asyncapi generate`)";
            return Err(self.complain("", message));
        }
        let field = |name| self.document.pointer(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Info {
            title: field("/info/title").unwrap_or_default(),
            version: field("/info/version").unwrap_or_default(),
            description: field("/info/description"),
            owner: None,
        })
    }

    fn map(&self, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.document.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
    }

    /// The channels of the catalog: those that are not the hub's own endpoints.
    fn logical(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.map("/channels").filter(|(id, _)| !id.starts_with(OWN))
    }

    fn channels(&self) -> Result<Vec<ChannelDefinition>, CatalogError> {
        self.logical().map(|(id, value)| self.channel(id, value)).collect()
    }

    fn channel(&self, id: &str, value: &Value) -> Result<ChannelDefinition, CatalogError> {
        let pointer = format!("/channels/{id}");
        let about = value.get("parameters").and_then(Value::as_object);
        let parameters: Vec<_> =
            about.into_iter().flatten().map(|(name, about)| parameter(name, about)).collect();
        let address = text_of(value, "address").unwrap_or_default();
        let address = Address::new(&address, &parameters)
            .map_err(|error| self.complain(&pointer, error.to_string()))?;
        let servers: Vec<String> = strings(value.get("servers"), |server| text_of(server, "$ref"));
        let is_on = |transport: &Transport| {
            servers
                .iter()
                .any(|server| server.strip_prefix("#/servers/") == Some(transport.server()))
        };
        Ok(ChannelDefinition {
            id: id.to_owned(),
            address,
            title: text_of(value, "title").unwrap_or_default(),
            description: text_of(value, "description"),
            parameters,
            transports: Transport::ALL.into_iter().filter(is_on).collect(),
            visibility: Visibility::Public,
            subscribe: word::<Audience>(value, "/x-fanline/subscribe"),
            publish: word::<Audience>(value, "/x-fanline/publish"),
            tags: strings(value.get("tags"), |tag| text_of(tag, "name")),
            place: self.place(&pointer),
        })
    }

    fn events(&self) -> Result<BTreeMap<String, EventDefinition>, CatalogError> {
        let mut events: BTreeMap<String, EventDefinition> = BTreeMap::new();
        for (id, channel) in self.logical() {
            let messages = channel.get("messages").and_then(Value::as_object);
            let names: Vec<&String> = messages.into_iter().flat_map(Map::keys).collect();
            // Each stands there in both views.
            let is_event =
                |name: &&&String| names.iter().any(|other| **other == format!("{name}{PUBLISH}"));
            for name in names.iter().filter(is_event) {
                match events.get_mut(*name) {
                    Some(event) => event.channels.push(id.clone()),
                    None => {
                        events.insert((*name).clone(), self.event(name, id)?);
                    }
                }
            }
        }
        Ok(events)
    }

    fn event(&self, name: &str, channel: &str) -> Result<EventDefinition, CatalogError> {
        let pointer = format!("/components/messages/{name}");
        let message = self.document.pointer(&pointer);
        let message =
            message.ok_or_else(|| self.complain("", format!("there is no message `{name}`")))?;
        let schema = message.pointer("/payload/properties/data/$ref").and_then(Value::as_str);
        let schema = schema.and_then(|target| target.strip_prefix(PREFIX)).ok_or_else(|| {
            self.complain(&pointer, "its payload has no `data` with a schema of its own")
        })?;
        let known = |field| message.get("x-fanline").and_then(|about| text_of(about, field));
        let examples = message.get("examples").and_then(Value::as_array).into_iter().flatten();
        Ok(EventDefinition {
            name: name.to_owned(),
            title: text_of(message, "title").unwrap_or_default(),
            summary: text_of(message, "summary"),
            description: text_of(message, "description"),
            channels: vec![channel.to_owned()],
            publisher: word::<Publisher>(message, "/x-fanline/publisher"),
            owner: known("owner"),
            tags: strings(message.get("tags"), |tag| text_of(tag, "name")),
            since: known("since"),
            deprecated: known("deprecated"),
            enforcement: None,
            examples: examples.filter_map(example).collect(),
            schema: schema.to_owned(),
            message: known("protobuf"),
            place: self.place(&pointer),
        })
    }

    /// A schema of the catalog is one that stands there in both views.
    fn schemas(&self) -> BTreeMap<String, Schema> {
        let all = self.document.pointer("/components/schemas").and_then(Value::as_object);
        let in_both_views = |(name, deliver): (&String, &Value)| {
            let mut publish = all?.get(&format!("{name}{PUBLISH}"))?.clone();
            in_the_catalogs_words(&mut publish);
            let place = self.place(&format!("/components/schemas/{name}"));
            let schema = Schema { name: name.clone(), publish, deliver: deliver.clone(), place };
            Some((name.clone(), schema))
        };
        all.into_iter().flatten().filter_map(in_both_views).collect()
    }
}

/// Takes the mark of the publisher's view from the references.
fn in_the_catalogs_words(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get_mut("$ref")
                && target.starts_with(PREFIX)
                && let Some(bare) = target.strip_suffix(PUBLISH)
            {
                *target = bare.to_owned();
            }
            fields.values_mut().for_each(in_the_catalogs_words);
        }
        Value::Array(items) => items.iter_mut().for_each(in_the_catalogs_words),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn parameter(name: &str, value: &Value) -> Parameter {
    let texts = |field| strings(value.get(field), |item| item.as_str().map(str::to_owned));
    Parameter {
        name: name.to_owned(),
        description: text_of(value, "description"),
        pattern: text_of(value, "x-fanline-pattern"),
        values: texts("enum"),
        examples: texts("examples"),
    }
}

fn example(value: &Value) -> Option<Example> {
    let data = value.pointer("/payload/data")?.clone();
    Some(Example {
        name: text_of(value, "name").unwrap_or_default(),
        summary: text_of(value, "summary"),
        data,
    })
}

fn text_of(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().map(str::to_owned)
}

fn strings(list: Option<&Value>, text: impl Fn(&Value) -> Option<String>) -> Vec<String> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(text).collect()
}

/// One of our own words; of a newer hub's that we do not know, the usual one.
fn word<T: DeserializeOwned + Default>(value: &Value, pointer: &str) -> T {
    let word = value.pointer(pointer).cloned().unwrap_or_default();
    serde_json::from_value(word).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;
    use crate::diff::{Class, Comparison};
    use crate::document::tests::document_of;

    #[test]
    fn a_document_says_of_a_catalog_all_that_a_comparison_asks() {
        let demo = Catalog::load(&demo()).unwrap_or_else(|errors| panic!("{errors}"));
        for text in [document_of(&demo).json(), document_of(&demo).yaml()] {
            let read =
                Catalog::of_document("asyncapi", &text).unwrap_or_else(|errors| panic!("{errors}"));
            assert_eq!(read.events().len(), demo.events().len());
            for (old, new) in [(&demo, &read), (&read, &demo)] {
                let comparison = Comparison::new(old, new);
                assert!(comparison.findings().is_empty(), "{:?}", comparison.findings());
            }
        }
    }

    #[test]
    fn a_change_is_found_from_a_document_too() {
        let demo = Catalog::load(&demo()).unwrap_or_else(|errors| panic!("{errors}"));
        let text = document_of(&demo).json();
        let changed = text
            .replace("\"maxLength\": 4000", "\"maxLength\": 4")
            .replace("\"text\": \"Fine, and you?\"", "\"text\": \"Fine\"")
            .replace("\"text\": \"hello\"", "\"text\": \"hi\"");
        let changed =
            Catalog::of_document("new", &changed).unwrap_or_else(|errors| panic!("{errors}"));
        let comparison = Comparison::new(&demo, &changed);
        assert_eq!(comparison.class(), Class::Breaking);
        assert!(
            comparison
                .findings()
                .iter()
                .any(|found| found.rule == "max-length-lowered" && found.witness.is_some())
        );
    }

    #[test]
    fn a_document_of_somebody_else_is_refused_with_a_word_of_what_is_needed() {
        for text in [
            "asyncapi: 3.0.0\ninfo: {}\n",
            "{}",
            "a: [",
            "asyncapi: 3.0.0\nx-fanline: {view: client}\n",
        ] {
            let errors = Catalog::of_document("file", text).unwrap_err();
            assert!(errors.to_string().starts_with("file:"), "{errors}");
        }
    }
}
