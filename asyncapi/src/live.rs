//! The catalog of a running hub, which may be replaced by a newer one at any time.

use crate::Catalog;
use std::sync::{Arc, PoisonError, RwLock};

/// The catalog that is in force. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct LiveCatalog(Arc<RwLock<Option<Arc<Catalog>>>>);

impl LiveCatalog {
    /// The catalog in force. None: the hub has none.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Catalog>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another one in force, for whoever asks from now on.
    pub fn replace(&self, catalog: Option<Arc<Catalog>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = catalog;
    }
}
