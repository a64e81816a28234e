//! The documents as they are served: made when they are first asked for, kept until what they describe changes.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use fanline_asyncapi::document::{Document, HubFacts, Perspective, Readers, Settings};
use fanline_asyncapi::{Catalog, LiveCatalog};
use fanline_core::Hub;
use fanline_core::catalog::DocumentFormat;

/// The documents of a running hub. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Documents(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    catalog: LiveCatalog,
    hub: Hub,
    facts: HubFacts,
    made: Mutex<Arc<Made>>,
}

/// The documents of one catalog and one set of namespaces, each made when it is first asked for.
#[derive(Debug, Default)]
struct Made {
    of: Option<Arc<Catalog>>,
    lifecycle: Vec<String>,
    hub: Variant,
    client: Variant,
    internal: Variant,
}

/// One document in both formats.
#[derive(Debug, Default)]
struct Variant {
    json: OnceLock<Rendered>,
    yaml: OnceLock<Rendered>,
}

/// A document as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) text: Bytes,
    pub(crate) revision: Arc<str>,
}

impl Documents {
    /// Of a hub whose catalog and namespaces may be replaced.
    pub(crate) fn new(catalog: LiveCatalog, hub: Hub, facts: HubFacts) -> Self {
        let made = Mutex::new(Arc::new(Made::default()));
        Documents(Arc::new(Shared { catalog, hub, facts, made }))
    }

    /// The document of the catalog that is in force now.
    pub(crate) fn document_of(&self, settings: Settings, format: DocumentFormat) -> Rendered {
        let made = self.made();
        let variant = match (settings.readers, settings.perspective) {
            (Readers::Public, Perspective::Hub) => &made.hub,
            (Readers::Public, Perspective::Client) => &made.client,
            (Readers::Internal, _) => &made.internal,
        };
        let render = |write: fn(&Document) -> String| {
            let facts = HubFacts { lifecycle: made.lifecycle.clone(), ..self.0.facts.clone() };
            let document = Document::new(made.of.as_deref(), &facts, settings);
            Rendered { text: write(&document).into(), revision: document.revision().into() }
        };
        match format {
            DocumentFormat::Json => variant.json.get_or_init(|| render(Document::json)).clone(),
            DocumentFormat::Yaml => variant.yaml.get_or_init(|| render(Document::yaml)).clone(),
        }
    }

    /// The catalog that is in force now.
    pub(crate) fn catalog(&self) -> Option<Arc<Catalog>> {
        self.0.catalog.current()
    }

    /// What was made of it. A newer catalog starts anew, and so do other namespaces.
    fn made(&self) -> Arc<Made> {
        let current = self.0.catalog.current();
        let lifecycle = self.0.hub.lifecycle_namespaces();
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !same(made.of.as_ref(), current.as_ref()) || made.lifecycle != lifecycle {
            *made = Arc::new(Made { of: current, lifecycle, ..Made::default() });
        }
        Arc::clone(&made)
    }
}

fn same(left: Option<&Arc<Catalog>>, right: Option<&Arc<Catalog>>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => Arc::ptr_eq(left, right),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
