//! What is wrong with a configuration, for the person who wrote it.

use super::origin::Origin;
use std::fmt;

/// A complaint: where, what, and what to do. They sort in the order in which a file is read.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ConfigError {
    origin: Option<Origin>,
    sentence: String,
}

impl ConfigError {
    pub(crate) fn new(origin: Option<Origin>, sentence: impl Into<String>) -> Self {
        ConfigError { origin, sentence: sentence.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{origin}: {}", self.sentence),
            None => f.write_str(&self.sentence),
        }
    }
}

impl std::error::Error for ConfigError {}

/// All complaints about one configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ConfigErrors(pub(crate) Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [error] => error.fmt(f),
            errors => {
                write!(f, "{} things are wrong with the configuration:", errors.len())?;
                errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
            }
        }
    }
}

impl std::error::Error for ConfigErrors {}
