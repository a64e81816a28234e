//! The files of a catalog: they load or are refused, and what loads can be documented, typed and compared with itself.

use fanline_asyncapi::catalog::Source;
use fanline_asyncapi::diff::Comparison;
use fanline_asyncapi::document::Readers;
use fanline_asyncapi::{Catalog, CatalogValidator, typescript};

/// Between two files of one input.
const NEXT_FILE: &str = "\n=====\n";

/// Up to three files: the manifest, a proto file, a JSON Schema.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let paths = ["catalog.toml", "proto/a.proto", "jsonschema/a.json"];
    match Catalog::load(&Source::of("fuzz", paths.into_iter().zip(text.split(NEXT_FILE)))) {
        Ok(catalog) => {
            let _ = CatalogValidator::new(&catalog);
            let _ = typescript(&catalog, Readers::Internal);
            let comparison = Comparison::new(&catalog, &catalog);
            assert!(comparison.findings().is_empty(), "nothing changed: {comparison:?}");
        }
        Err(errors) => assert!(!errors.0.is_empty(), "what is wrong is said"),
    }
}
