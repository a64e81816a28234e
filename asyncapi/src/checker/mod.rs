//! Checking values against JSON Schema. The one place that knows the `jsonschema` crate.
//!
//! Read [`Checker`] first; [`SchemaLibrary`] is for documents whose schemas are scattered over them.

mod compiled;
mod effort;
mod explain;
mod library;

pub(crate) use compiled::{Checker, check_schema, covers};
pub(crate) use effort::Effort;
pub(crate) use library::SchemaLibrary;
