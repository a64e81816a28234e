//! A document in which schemas stand here and there and refer to one another by pointers into the document.

use super::compiled::{Checker, options};
use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{Draft, Registry};
use serde_json::{Value, json};

/// How the document is called among the schemas; nothing is ever fetched.
const NAME: &str = "document:///";

/// The schemas of one document.
pub(crate) struct SchemaLibrary(Registry<'static>);

impl SchemaLibrary {
    /// Takes a document as it is. None where its references cannot even be read.
    pub(crate) fn new(document: &Value) -> Option<Self> {
        let registry = Registry::new().draft(Draft::Draft7).add(NAME, document.clone()).ok()?;
        registry.prepare().ok().map(SchemaLibrary)
    }

    /// Compiles the schema that stands at a pointer. None where it, or one that it needs, stands in another document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn at(&self, pointer: &str) -> Option<Result<Checker, String>> {
        let reference = json!({ "$ref": format!("{NAME}#{}", fragment(pointer)) });
        match options().should_ignore_unknown_formats(true).with_registry(&self.0).build(&reference)
        {
            Ok(validator) => Some(Ok(Checker::compiled(validator))),
            Err(error) if matches!(error.kind(), Kind::Referencing(_)) => None,
            Err(error) => Some(Err(error.to_string())),
        }
    }
}

/// A pointer as it stands in a URI (RFC 6901, section 6).
fn fragment(pointer: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
    let written =
        |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    pointer.bytes().map(written).collect()
}
