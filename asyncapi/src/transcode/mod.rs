//! From a protobuf body to the canonical JSON of proto3, which is what clients read.
//!
//! Descriptors are compiled once into flat plans. A body is then read in two walks: the first takes the bytes apart, the
//! second writes what was found as a JSON value, which can be checked without being read again. Left out: groups and
//! extensions, which proto3 does not have. Read [`Transcoder`] first.

mod canonical;
mod fault;
mod plan;
#[cfg(test)]
mod tests;
mod transcoder;
mod well_known;
mod wire;

pub(crate) use plan::Plans;
pub(crate) use transcoder::{Transcoder, is_protobuf};
