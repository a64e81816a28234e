//! Where a configuration value was written, so that every complaint can say it.

use std::fmt;
use std::sync::Arc;

/// Where somebody has to look to change a value.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Origin {
    /// The configuration file: what is missing stands nowhere in it.
    Missing { name: Arc<str> },
    /// A line of the configuration file, counted from 1.
    File { name: Arc<str>, line: usize },
    /// An environment variable.
    Environment { variable: Arc<str> },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Missing { name } => f.write_str(name),
            Origin::File { name, line } => write!(f, "{name}:{line}"),
            Origin::Environment { variable } => f.write_str(variable),
        }
    }
}
