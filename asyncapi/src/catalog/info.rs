//! What a catalog says about itself as a whole.

pub use fanline_core::validator::Enforcement;

use serde::{Deserialize, Serialize};

/// The head of the documents.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// The name of the whole: letters, digits and spaces, as generators make class names of it.
    pub title: String,
    /// The version of the catalog.
    #[serde(default = "first_version")]
    pub version: String,
    /// An introduction, in Markdown.
    pub description: Option<String>,
    /// The team to ask, where an event names none.
    pub owner: Option<String>,
}

fn first_version() -> String {
    "0.1.0".to_owned()
}

/// What happens to an event that breaks the rules, where neither its namespace nor its type says otherwise, in
/// namespaces that hold a channel of the catalog.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EnforcementDefaults {
    /// To one whose type is in the catalog. Default: strict.
    pub default: Enforcement,
    /// To one whose type is not. Default: the same.
    pub unknown: Enforcement,
}

impl Default for EnforcementDefaults {
    fn default() -> Self {
        EnforcementDefaults { default: Enforcement::Strict, unknown: Enforcement::Strict }
    }
}

/// Whom a change of the catalog may not break.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compatibility {
    /// Publishers that do not know of the change.
    Backward,
    /// Subscribers that do not know of the change.
    Forward,
    /// Both.
    #[default]
    Full,
    /// Nobody is promised anything.
    None,
}
