//! What is wrong with a catalog: each complaint with its file, its line and the remedy.

use super::source::Place;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CatalogError {
    /// Where.
    pub place: Place,
    /// What, and the remedy.
    pub message: String,
}

impl CatalogError {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        CatalogError { place, message: message.into() }
    }
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong, in the order of files and lines. Never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CatalogErrors(pub Vec<CatalogError>);

impl From<CatalogError> for CatalogErrors {
    fn from(error: CatalogError) -> Self {
        CatalogErrors(vec![error])
    }
}

impl fmt::Display for CatalogErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CatalogErrors {}
