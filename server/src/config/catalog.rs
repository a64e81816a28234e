//! `[catalog]`: which events there are.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use fanline_asyncapi::Catalog;
use fanline_asyncapi::catalog::Source;

use super::checker::Checker;
use super::path::Path;
use super::section::section;

/// In place of a path: the catalog that is in the binary.
const DEMO: &str = "builtin:demo";

section! {
    /// The event catalog: which events there are, on which channels, and what their data looks like. Events that break
    /// it are refused, see 'schema' of the namespaces.
    CatalogConfig {
        /// Its folder, with catalog.toml in it (docs/catalog.md); "builtin:demo" is the one of `fanline dev`. Not set: no event
        /// is checked.
        path: Option<String> = None, like r#""catalog""#;
    }
}

impl CatalogConfig {
    pub(crate) fn is_set(&self) -> bool {
        self.path.is_some()
    }

    /// Its folder, if it has one; a relative path starts at `base`.
    pub(crate) fn folder(&self, base: &FilePath) -> Option<PathBuf> {
        self.path.as_deref().filter(|path| *path != DEMO).map(|path| base.join(path))
    }

    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> Option<Arc<Catalog>> {
        if !self.is_set() {
            return None;
        }
        let path = Path::of(&["catalog", "path"]);
        let loaded = match self.folder(checker.folder()) {
            None => Catalog::load(&fanline_asyncapi::demo()),
            Some(folder) => Source::folder(&folder)
                .map_err(Into::into)
                .and_then(|source| Catalog::load(&source)),
        };
        match loaded {
            Ok(catalog) => Some(Arc::new(catalog)),
            Err(errors) => {
                for error in &errors.0 {
                    checker.refuse(&path, format!("leads to a catalog with a fault: {error}"));
                }
                None
            }
        }
    }
}
