//! The mapping of protobuf messages to JSON Schema, held to a file that people have read.
//!
//! That it describes what protobuf libraries write is tested against Python's own, in `tests/tests/it/proto_json.rs`.

use fanline_asyncapi::Catalog;
use fanline_asyncapi::catalog::Source;
use serde_json::{Map, Value};
use std::path::Path;

#[test]
fn every_kind_of_field_has_the_schema_of_its_json_form() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let source = Source::folder(&folder.join("every_kind")).unwrap();
    let catalog = Catalog::load(&source).unwrap_or_else(|errors| panic!("{errors}"));
    let schemas: Map<String, Value> =
        catalog.schemas().map(|schema| (schema.name.clone(), schema.publish.clone())).collect();
    let made = format!("{:#}\n", Value::Object(schemas));

    let golden = folder.join("every_kind.schema.json");
    // `BLESS=1 cargo test -p fanline-asyncapi` writes the file anew, for a reader of the difference to judge.
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &made).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert!(made == expected, "the mapping has changed; it is now:\n{made}");
}
