//! Collects what is wrong with values that could be read: all of it, so that one look at the output is enough.

use std::fmt;
use std::path::Path as FilePath;
use std::str::FromStr;

use super::document::Node;
use super::error::{ConfigError, ConfigErrors};
use super::path::Path;
use super::secret::Secret;

/// Takes complaints while the sections are checked.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    tree: &'a Node,
    folder: &'a FilePath,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
}

impl<'a> Checker<'a> {
    /// A checker of what was written in `tree`; file names start at `folder`.
    pub(crate) fn new(tree: &'a Node, folder: &'a FilePath) -> Self {
        Checker { tree, folder, errors: Vec::new(), warnings: Vec::new() }
    }

    /// Where relative file names start.
    pub(crate) fn folder(&self) -> &FilePath {
        self.folder
    }

    /// The value cannot stay: `'window' in [drain]`, then `predicate`.
    pub(crate) fn refuse(&mut self, path: &Path, predicate: impl AsRef<str>) {
        self.errors.push(self.sentence(path, predicate.as_ref()));
    }

    /// The value is odd.
    pub(crate) fn warn(&mut self, path: &Path, predicate: impl AsRef<str>) {
        self.warnings.push(self.sentence(path, predicate.as_ref()));
    }

    /// Refuses unless `holds`.
    pub(crate) fn require(&mut self, holds: bool, path: &Path, predicate: impl AsRef<str>) {
        if !holds {
            self.refuse(path, predicate);
        }
    }

    /// The value of a key that has no default.
    pub(crate) fn needed<T: Clone>(&mut self, value: Option<&T>, path: &Path) -> Option<T> {
        self.require(value.is_some(), path, "is missing");
        value.cloned()
    }

    /// The value that the text stands for.
    pub(crate) fn parse<T: FromStr<Err: fmt::Display>>(
        &mut self,
        text: &str,
        path: &Path,
    ) -> Option<T> {
        text.parse().map_err(|error| self.refuse(path, format!("cannot be used: {error}"))).ok()
    }

    /// The values that the texts of a list stand for, as far as they do.
    pub(crate) fn parse_all<T: FromStr<Err: fmt::Display>>(
        &mut self,
        texts: &[String],
        path: &Path,
    ) -> Vec<T> {
        texts
            .iter()
            .enumerate()
            .filter_map(|(index, text)| self.parse(text, &path.item(index)))
            .collect()
    }

    /// The secret behind the value.
    pub(crate) fn reveal(&mut self, secret: &Secret, path: &Path) -> Option<Vec<u8>> {
        secret.reveal(self.folder).map_err(|error| self.refuse(path, error.to_string())).ok()
    }

    /// Ends the check: the warnings.
    ///
    /// # Errors
    /// All that was refused.
    pub(crate) fn finish(mut self) -> Result<Vec<ConfigError>, ConfigErrors> {
        self.errors.sort();
        if self.errors.is_empty() { Ok(self.warnings) } else { Err(ConfigErrors(self.errors)) }
    }

    fn sentence(&self, path: &Path, predicate: &str) -> ConfigError {
        let origin = self.tree.origin_of(path).cloned();
        ConfigError::new(origin, format!("{} {predicate}", path.value()))
    }
}
