//! Limits of the catalog.

/// Bytes of one file of a catalog: a schema longer than this is not read by people.
pub const FILE_BYTES: u64 = 1024 * 1024;

/// Files of one catalog. A folder with more of them is most likely not a catalog.
pub const FILES: usize = 5_000;

/// Folders within folders of a catalog.
pub const FOLDER_DEPTH: usize = 16;

/// Levels of arrays and objects in JSON. Well under the 100 of protobuf, and enough for any event that people read.
pub const JSON_DEPTH: usize = 64;
