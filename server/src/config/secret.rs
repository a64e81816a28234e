//! Secrets: where they come from, and that they are never shown.

use std::fmt;
use std::path::Path;
use std::{env, fs, io};

use serde::{Deserialize, Serialize, Serializer};

/// Something that is not to be shown: as it stands, `env:NAME` or `file:/path`.
#[derive(Clone, Deserialize, Eq, PartialEq)]
pub(crate) struct Secret(String);

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("names the environment variable {0}, which is not set")]
    Unset(String),
    #[error("names the environment variable {0}, which is not UTF-8")]
    NotUtf8(String),
    #[error("names the file {path}, which cannot be read: {source}")]
    Unreadable { path: String, source: io::Error },
    #[error("is empty")]
    Empty,
}

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// Whether the secret itself is written here, instead of where it is to be found.
    pub(crate) fn is_plain(&self) -> bool {
        !self.0.starts_with("env:") && !self.0.starts_with("file:")
    }

    /// The secret itself, without the line end that editors and shells leave behind it. A relative file name starts at `folder`.
    ///
    /// # Errors
    /// The variable is not set, the file cannot be read, or there is nothing in it.
    pub(crate) fn reveal(&self, folder: &Path) -> Result<Vec<u8>, SecretError> {
        let bytes = if let Some(name) = self.0.strip_prefix("env:") {
            match env::var(name) {
                Ok(value) => value.trim_ascii_end().as_bytes().to_vec(),
                Err(env::VarError::NotPresent) => return Err(SecretError::Unset(name.to_owned())),
                Err(env::VarError::NotUnicode(_)) => {
                    return Err(SecretError::NotUtf8(name.to_owned()));
                }
            }
        } else if let Some(path) = self.0.strip_prefix("file:") {
            let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
            fs::read(folder.join(path)).map_err(unreadable)?.trim_ascii_end().to_vec()
        } else {
            self.0.clone().into_bytes()
        };
        if bytes.is_empty() { Err(SecretError::Empty) } else { Ok(bytes) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_plain() { "(hidden)" } else { &self.0 })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_secret_is_never_shown_and_a_place_is() {
        let plain = Secret::new("hunter2");
        assert_eq!(format!("{plain} {plain:?}"), "(hidden) (hidden)");
        assert_eq!(Secret::new("env:TOKEN_SECRET").to_string(), "env:TOKEN_SECRET");
    }

    #[test]
    fn a_file_is_read_from_the_folder_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), "s3cret\n").unwrap();
        assert_eq!(Secret::new("file:key").reveal(folder.path()).unwrap(), b"s3cret");
        let missing = Secret::new("file:nothing").reveal(folder.path()).unwrap_err().to_string();
        assert!(missing.starts_with("names the file nothing, which cannot be read"), "{missing}");
    }

    #[test]
    fn an_unset_variable_is_named() {
        let error = Secret::new("env:FANLINE_TEST_NOT_SET").reveal(Path::new("")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "names the environment variable FANLINE_TEST_NOT_SET, which is not set"
        );
    }
}
