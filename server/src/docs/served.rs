//! The documents as they are served: made when the catalog has changed, kept until it changes again.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use fanline_asyncapi::document::{Document, HubFacts, Perspective, Readers, Settings};
use fanline_asyncapi::{Catalog, LiveCatalog};

/// The documents of a running hub. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Documents(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    catalog: LiveCatalog,
    facts: HubFacts,
    made: Mutex<Option<Made>>,
}

/// The documents of one catalog.
#[derive(Clone, Debug)]
struct Made {
    of: Option<Arc<Catalog>>,
    hub: Rendered,
    client: Rendered,
    internal: Rendered,
}

/// A document in both formats.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) json: Bytes,
    pub(crate) yaml: Bytes,
    pub(crate) revision: Arc<str>,
}

impl Documents {
    pub(crate) fn new(catalog: LiveCatalog, facts: HubFacts) -> Self {
        Documents(Arc::new(Shared { catalog, facts, made: Mutex::new(None) }))
    }

    /// The document for everybody, of the catalog that is in force now.
    pub(crate) fn public(&self, perspective: Perspective) -> Rendered {
        let made = self.made();
        match perspective {
            Perspective::Hub => made.hub,
            Perspective::Client => made.client,
        }
    }

    /// The document for insiders.
    pub(crate) fn internal(&self) -> Rendered {
        self.made().internal
    }

    /// The catalog that is in force now.
    pub(crate) fn catalog(&self) -> Option<Arc<Catalog>> {
        self.0.catalog.current()
    }

    fn made(&self) -> Made {
        let current = self.0.catalog.current();
        let kept = self.0.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(made) = kept
            && same(made.of.as_ref(), current.as_ref())
        {
            return made;
        }
        // Made without the lock: two requests that come at once make it twice, and neither waits for the other.
        let made = self.make(current);
        *self.0.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
        made
    }

    fn make(&self, catalog: Option<Arc<Catalog>>) -> Made {
        let render = |perspective, readers| {
            let settings = Settings { perspective, readers };
            let document = Document::new(catalog.as_deref(), &self.0.facts, settings);
            Rendered {
                json: document.json().into(),
                yaml: document.yaml().into(),
                revision: document.revision().into(),
            }
        };
        Made {
            hub: render(Perspective::Hub, Readers::Public),
            client: render(Perspective::Client, Readers::Public),
            internal: render(Perspective::Hub, Readers::Internal),
            of: catalog,
        }
    }
}

fn same(left: Option<&Arc<Catalog>>, right: Option<&Arc<Catalog>>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => Arc::ptr_eq(left, right),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
