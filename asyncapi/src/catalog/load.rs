//! From files to a catalog: reads all of them, then checks what they say of each other.

use super::catalog::Catalog;
use super::error::{CatalogError, CatalogErrors};
use super::event::EventDefinition;
use super::json_schema;
use super::manifest::Manifest;
use super::proto;
use super::revision::Revision;
use super::schema::View;
use super::source::{Place, Source};
use crate::checker::Checker;
use std::collections::BTreeMap;

impl Catalog {
    /// Reads a catalog from its files.
    ///
    /// # Errors
    /// Everything that is wrong with them. A catalog that is returned is whole: every reference leads somewhere, every
    /// schema compiles, every example is valid in both views.
    pub fn load(source: &Source) -> Result<Self, CatalogErrors> {
        let mut errors = Vec::new();
        let manifest = Manifest::read(source, &mut errors);
        let mut found = json_schema::read(source, &mut errors);
        let proto = proto::read(source, &mut errors);
        found.events.extend(proto.events);
        found.schemas.extend(proto.schemas);
        let schemas = by_name(found.schemas, |schema| (&schema.name, &schema.place), &mut errors);
        let events = by_name(found.events, |event| (&event.name, &event.place), &mut errors);
        let Some(manifest) = manifest else { return Err(sorted(errors)) };
        let catalog = Catalog {
            info: manifest.info,
            channels: manifest.channels,
            events,
            schemas,
            enforcement: manifest.enforcement,
            compatibility: manifest.compatibility,
            descriptors: proto.descriptors,
            revision: Revision::of(source),
        };
        catalog.checked(errors)
    }

    /// The catalog, when it holds together and nothing was wrong with its files before.
    pub(super) fn checked(self, mut errors: Vec<CatalogError>) -> Result<Self, CatalogErrors> {
        self.check_references(&mut errors);
        self.check_channels(&mut errors);
        // Schemas that refer to nothing, or were not read, would only be complained of twice.
        if errors.is_empty() {
            self.check_examples(&mut errors);
        }
        if errors.is_empty() { Ok(self) } else { Err(sorted(errors)) }
    }

    fn check_references(&self, errors: &mut Vec<CatalogError>) {
        for schema in self.schemas.values() {
            for name in schema.references().filter(|name| !self.schemas.contains_key(*name)) {
                let near = near(name, self.schemas.keys());
                let message = format!(
                    "the schema `{}` refers to `{name}`, which is nowhere{near}",
                    schema.name
                );
                errors.push(CatalogError::new(schema.place.clone(), message));
            }
        }
    }

    fn check_channels(&self, errors: &mut Vec<CatalogError>) {
        for event in self.events.values() {
            let mut complain =
                |message| errors.push(CatalogError::new(event.place.clone(), message));
            if event.channels.is_empty() {
                complain(format!(
                    "event type `{}` is in no channel; name one of those in catalog.toml",
                    event.name
                ));
            }
            for id in event.channels.iter().filter(|id| self.channel(id).is_none()) {
                let near = near(id, self.channels.iter().map(|channel| &channel.id));
                complain(format!(
                    "event type `{}` is in a channel `{id}` that catalog.toml does not have{near}",
                    event.name
                ));
            }
        }
    }

    fn check_examples(&self, errors: &mut Vec<CatalogError>) {
        for event in self.events.values() {
            for view in [View::Publish, View::Deliver] {
                match Checker::new(&self.schemas, &event.schema, view) {
                    Ok(checker) => check_examples(event, &checker, errors),
                    Err(fault) => {
                        let place = self
                            .schemas
                            .get(&fault.name)
                            .map_or(&event.place, |schema| &schema.place);
                        let message = format!(
                            "the schema `{}` cannot be used: at {:?}: {}",
                            fault.name, fault.pointer, fault.message
                        );
                        errors.push(CatalogError::new(place.clone(), message));
                    }
                }
            }
        }
        errors.sort();
        errors.dedup();
    }
}

fn check_examples(event: &EventDefinition, checker: &Checker, errors: &mut Vec<CatalogError>) {
    for example in &event.examples {
        for violation in checker.violations(&example.data) {
            let message = format!(
                "example `{}` of event type `{}` breaks its own schema: at {:?}: {} ({})",
                example.name, event.name, violation.pointer, violation.message, violation.rule
            );
            errors.push(CatalogError::new(event.place.clone(), message));
        }
    }
}

/// Things by name; a second one of the same name is a complaint.
fn by_name<T>(
    things: Vec<T>,
    name_of: impl Fn(&T) -> (&String, &Place),
    errors: &mut Vec<CatalogError>,
) -> BTreeMap<String, T> {
    let mut by_name: BTreeMap<String, T> = BTreeMap::new();
    for thing in things {
        let (name, place) = name_of(&thing);
        match by_name.get(name) {
            Some(first) => {
                let message = format!(
                    "`{name}` is the name of something else already, see {}",
                    name_of(first).1
                );
                errors.push(CatalogError::new(place.clone(), message));
            }
            None => {
                by_name.insert(name.clone(), thing);
            }
        }
    }
    by_name
}

/// `; did you mean ...?`, when something is close enough.
fn near<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let nearest = known.min_by_key(|known| strsim::damerau_levenshtein(known, name));
    match nearest.filter(|known| strsim::damerau_levenshtein(known, name) <= 3) {
        Some(known) => format!("; did you mean `{known}`?"),
        None => String::new(),
    }
}

fn sorted(mut errors: Vec<CatalogError>) -> CatalogErrors {
    errors.sort();
    CatalogErrors(errors)
}
