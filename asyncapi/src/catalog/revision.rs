//! The revision of a catalog: equal files, equal revision.

use super::source::Source;
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt::{self, Write};

/// The SHA-256 of a catalog's files, as `sha256:<hex>`. It is the ETag of what is made from the catalog.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revision(String);

impl Revision {
    pub(crate) fn of(source: &Source) -> Self {
        let mut context = Context::new(&SHA256);
        for (path, text) in source.files() {
            // The lengths keep `ab` + `c` apart from `a` + `bc`.
            for part in [path, text] {
                context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                context.update(part.as_bytes());
            }
        }
        let mut text = String::from("sha256:");
        for byte in context.finish().as_ref() {
            write!(text, "{byte:02x}").expect("a String takes all");
        }
        Revision(text)
    }

    /// `sha256:<hex>`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
