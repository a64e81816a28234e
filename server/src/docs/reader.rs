//! The catalog as the gRPC front reads it.

use bytes::Bytes;
use fanline_asyncapi::Catalog;
use fanline_asyncapi::catalog::{EventDefinition, View};
use fanline_asyncapi::document::{Readers, Settings};
use fanline_core::catalog::{DocumentFormat, EventCatalog, EventTypeDetails, EventTypeInfo};

use super::served::{Documents, Rendered};

impl EventCatalog for Documents {
    fn revision(&self) -> Option<String> {
        self.catalog().map(|catalog| catalog.revision().to_string())
    }

    fn event_types(&self, after: &str, limit: usize) -> Vec<EventTypeInfo> {
        let Some(catalog) = self.catalog() else { return Vec::new() };
        let later = catalog.events().filter(|event| event.name.as_str() > after);
        later.take(limit).map(|event| info(&catalog, event)).collect()
    }

    fn event_type(&self, name: &str) -> Option<EventTypeDetails> {
        let catalog = self.catalog()?;
        let event = catalog.event(name)?;
        let schema = |view| catalog.standalone_schema(&event.schema, view).to_string().into();
        Some(EventTypeDetails {
            info: info(&catalog, event),
            publish_schema: schema(View::Publish),
            deliver_schema: schema(View::Deliver),
            examples: event.examples.iter().map(|one| one.data.to_string().into()).collect(),
            revision: catalog.revision().to_string(),
        })
    }

    fn document(&self, format: DocumentFormat) -> (Bytes, String) {
        let settings = Settings { readers: Readers::Internal, ..Settings::default() };
        let Rendered { text, revision } = self.document_of(settings, format);
        (text, revision.to_string())
    }
}

fn info(catalog: &Catalog, event: &EventDefinition) -> EventTypeInfo {
    let channels = event.channels.iter().filter_map(|id| catalog.channel(id));
    EventTypeInfo {
        name: event.name.clone(),
        title: event.title.clone(),
        summary: event.summary.clone(),
        addresses: channels.map(|channel| channel.address.to_string()).collect(),
        publisher: event.publisher.as_str(),
        owner: event.owner.clone(),
        tags: event.tags.clone(),
        since: event.since.clone(),
        deprecated: event.deprecated.clone(),
        message: event.message.clone(),
    }
}
