//! The whole catalog, checked.

use super::channel::ChannelDefinition;
use super::event::EventDefinition;
use super::info::{Compatibility, EnforcementDefaults, Info};
use super::revision::Revision;
use super::schema::Schema;
use fanline_core::ChannelName;
use prost_reflect::DescriptorPool;
use std::collections::BTreeMap;

/// Which events there are, on which channels, and what their data looks like.
///
/// Built by [`Catalog::load`] and [`Catalog::of_document`] only, and immutable: a change of the files makes a new one.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub(super) info: Info,
    /// In the order of `catalog.toml`.
    pub(super) channels: Vec<ChannelDefinition>,
    pub(super) events: BTreeMap<String, EventDefinition>,
    pub(crate) schemas: BTreeMap<String, Schema>,
    pub(super) enforcement: EnforcementDefaults,
    pub(super) compatibility: Compatibility,
    /// For reading protobuf bodies. None: the catalog has no proto files.
    pub(crate) descriptors: Option<DescriptorPool>,
    pub(super) revision: Revision,
}

impl Catalog {
    /// The head of the documents.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The channels, in the order of `catalog.toml`.
    #[must_use]
    pub fn channels(&self) -> &[ChannelDefinition] {
        &self.channels
    }

    /// The channel with this id.
    #[must_use]
    pub fn channel(&self, id: &str) -> Option<&ChannelDefinition> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    /// The channels whose address a name has. More than one where addresses overlap.
    pub fn channels_of<'a>(
        &'a self,
        name: &'a ChannelName,
    ) -> impl Iterator<Item = &'a ChannelDefinition> {
        self.channels.iter().filter(|channel| channel.address.matches(name))
    }

    /// The event types, by name.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &EventDefinition> {
        self.events.values()
    }

    /// The event type with this name.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&EventDefinition> {
        self.events.get(name)
    }

    /// The event types of the channel with this id, by name.
    pub fn events_of<'a>(&'a self, channel: &'a str) -> impl Iterator<Item = &'a EventDefinition> {
        self.events.values().filter(move |event| event.channels.iter().any(|id| id == channel))
    }

    /// All schemas, by name: those of events and those that they refer to.
    pub fn schemas(&self) -> impl ExactSizeIterator<Item = &Schema> {
        self.schemas.values()
    }

    /// The schema with this name.
    #[must_use]
    pub fn schema(&self, name: &str) -> Option<&Schema> {
        self.schemas.get(name)
    }

    /// What happens to events that break their schema, where nothing more special says.
    #[must_use]
    pub fn enforcement(&self) -> EnforcementDefaults {
        self.enforcement
    }

    /// Whom a change may not break.
    #[must_use]
    pub fn compatibility(&self) -> Compatibility {
        self.compatibility
    }

    /// Changes with every change of the files.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }
}
