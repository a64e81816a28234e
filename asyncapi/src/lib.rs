//! The event catalog: which events there are, on which channels, and what their data looks like; and what is made of it.
//!
//! One [`Catalog`] drives everything that speaks about events, so that what is enforced and what is documented cannot
//! differ. It opens no socket and knows no web framework: the binary serves what is made here. Read [`catalog`] first,
//! then [`document`].

pub mod catalog;
mod checker;
mod demo;
pub mod diff;
mod enforcement;
mod json;
pub mod limits;
mod live;
mod transcode;

// What is made of it.
pub mod document;
pub mod site;
mod typescript;

// What others made.
pub mod validate;

pub use catalog::Catalog;
pub use demo::demo;
pub use enforcement::CatalogValidator;
pub use live::LiveCatalog;
pub use typescript::typescript;
