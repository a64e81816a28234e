//! The event catalog: which events there are, on which channels, and what their data looks like.
//!
//! One [`Catalog`] drives everything that speaks about events, so that what is enforced and what is documented cannot
//! differ. It knows no transport. Read [`catalog`] first.

pub mod catalog;
mod checker;
mod demo;
mod json;
pub mod limits;

pub use catalog::Catalog;
pub use demo::demo;
