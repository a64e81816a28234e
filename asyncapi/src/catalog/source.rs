//! The files of a catalog, wherever they come from: a folder, or the binary itself.

use super::error::CatalogError;
use crate::limits::{FILE_BYTES, FILES, FOLDER_DEPTH};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// The files of a catalog, read: path within the catalog (with `/`) to text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    name: String,
    files: BTreeMap<String, String>,
}

/// A line of a file of a catalog.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The path of the file, with the catalog's own name in front.
    pub file: String,
    /// The line, from 1. 0: the file as a whole.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

impl Source {
    /// Files that are already in memory; `name` stands in front of their paths in complaints.
    pub fn of<'a>(
        name: impl Into<String>,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let files =
            files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        Source { name: name.into(), files }
    }

    /// Reads a folder: its `.toml`, `.json` and `.proto` files. Others, and those whose name starts with a dot, are
    /// not of the catalog.
    ///
    /// # Errors
    /// A file cannot be read, is no text or too long, or there are too many.
    pub fn folder(path: &Path) -> Result<Self, CatalogError> {
        let mut source = Source { name: path.display().to_string(), files: BTreeMap::new() };
        source.read_folder(path, "", 0)?;
        Ok(source)
    }

    /// Whether a file with this path is one of a catalog, wherever it comes from.
    #[must_use]
    pub fn takes(path: &str) -> bool {
        !path.split('/').any(|step| step.starts_with('.')) && is_of_a_catalog(path)
    }

    /// The files, in the order of their paths.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The text of one file.
    pub(crate) fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// A line of one of the files.
    pub(crate) fn place(&self, path: &str, line: usize) -> Place {
        let file = match (self.name.as_str(), path) {
            ("", path) => path.to_owned(),
            (name, "") => name.to_owned(),
            (name, path) => format!("{name}/{path}"),
        };
        Place { file, line }
    }

    fn read_folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        depth: usize,
    ) -> Result<(), CatalogError> {
        let here = self.place(prefix.trim_end_matches('/'), 0);
        let complain = |message: String| CatalogError::new(here.clone(), message);
        let unreadable =
            |error: std::io::Error| complain(format!("the folder cannot be read: {error}"));
        if depth > FOLDER_DEPTH {
            return Err(complain(format!("more than {FOLDER_DEPTH} folders within each other")));
        }
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{name}");
            // Follows links: a mounted catalog is often made of them.
            let metadata = fs::metadata(entry.path()).map_err(unreadable)?;
            if metadata.is_dir() {
                self.read_folder(&entry.path(), &format!("{path}/"), depth + 1)?;
            } else if is_of_a_catalog(&name) {
                self.read_file(&entry.path(), path, metadata.len())?;
            }
        }
        Ok(())
    }

    fn read_file(&mut self, file: &Path, path: String, bytes: u64) -> Result<(), CatalogError> {
        let place = self.place(&path, 0);
        let complain = |message: String| Err(CatalogError::new(place, message));
        if bytes > FILE_BYTES {
            return complain(format!("a file of a catalog has at most {FILE_BYTES} bytes"));
        }
        if self.files.len() == FILES {
            return complain(format!(
                "a catalog has at most {FILES} files; is this the right folder?"
            ));
        }
        match fs::read_to_string(file) {
            Ok(text) => {
                self.files.insert(path, text);
                Ok(())
            }
            Err(error) => complain(format!("the file cannot be read: {error}")),
        }
    }
}

pub(super) fn is_of_a_catalog(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("toml" | "json" | "proto"))
}
