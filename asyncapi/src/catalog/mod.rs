//! The catalog in memory, and how it is read from files.
//!
//! A catalog is a folder: `catalog.toml` names the channels, `proto/` and `jsonschema/` hold event types. Reading checks everything
//! and says all that is wrong at once, each with file, line and remedy. Read [`Catalog`] first, then [`Source`].

// What a catalog says.
mod address;
mod channel;
mod event;
mod info;
mod schema;

// The whole.
#[expect(clippy::module_inception, reason = "the catalog of the module `catalog`")]
mod catalog;
mod revision;
mod standalone;

// From files to a catalog.
mod error;
mod json_schema;
mod keywords;
mod load;
mod manifest;
pub(crate) mod proto;
mod source;
mod views;

// From a document back to a catalog.
mod served;

pub use address::{Address, AddressError};
pub use catalog::Catalog;
pub use channel::{Audience, ChannelDefinition, Parameter, Transport, Visibility};
pub use error::{CatalogError, CatalogErrors};
pub use event::{EventDefinition, Example, Publisher};
pub use info::{Compatibility, Enforcement, EnforcementDefaults, Info};
pub use revision::Revision;
pub(crate) use schema::{PREFIX, class_name};
pub use schema::{Schema, View, reference};
pub use source::{Place, Source};
