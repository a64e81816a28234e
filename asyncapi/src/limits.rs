//! Limits of the catalog.

/// Bytes of one file of a catalog: a schema longer than this is not read by people.
pub const FILE_BYTES: u64 = 1024 * 1024;

/// Files of one catalog. A folder with more of them is most likely not a catalog.
pub const FILES: usize = 5_000;

/// Folders within folders of a catalog.
pub const FOLDER_DEPTH: usize = 16;

/// Levels of arrays and objects in JSON. Well under the 100 of protobuf, and enough for any event that people read.
pub const JSON_DEPTH: usize = 64;

/// Messages within messages of a protobuf body, as protobuf libraries have it: deeper ones are not even read to the end.
pub const PROTOBUF_DEPTH: usize = 100;

/// Bytes of an AsyncAPI document that is judged: that of a catalog as large as catalogs get, with room to spare.
pub const DOCUMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Schemas that look at one value, counting each as often as it is asked: some hundredths of a second.
pub const SCHEMA_LOOKS: usize = 100_000;

/// Findings about one document: with more, the first ones are the reason for the rest.
pub const FINDINGS: usize = 200;
