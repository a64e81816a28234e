//! The names of methods.

use crate::Refusal;
use crate::limits::METHOD_NAME_BYTES;
use crate::pattern::Pattern;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What the methods begin with that the hub itself calls.
pub const RESERVED_PREFIX: &str = "fanline.";

/// The name of a method: 1 to 128 bytes of printable ASCII without space, `"`, `\` and `*`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MethodName(Arc<str>);

/// What the hub itself asks backends to decide.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reserved {
    /// Whether a connection may be opened, and whose it is.
    Connect,
    /// Whether a channel may be joined.
    Join,
    /// Whether an event may be published, and what it is to be.
    Publish,
    /// Whether the members of a channel may be asked for.
    Presence,
    /// Whether the history of a channel may be read.
    History,
}

impl Reserved {
    /// The name of the method.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Reserved::Connect => "fanline.connect",
            Reserved::Join => "fanline.join",
            Reserved::Publish => "fanline.publish",
            Reserved::Presence => "fanline.presence",
            Reserved::History => "fanline.history",
        }
    }
}

impl From<Reserved> for MethodName {
    fn from(reserved: Reserved) -> Self {
        MethodName(reserved.as_str().into())
    }
}

impl MethodName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only the hub itself calls it.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(RESERVED_PREFIX)
    }

    /// Whether a backend that registered a pattern answers the method. A catch-all is no offer to decide for the hub:
    /// reserved methods are matched only by a pattern that names their prefix.
    #[must_use]
    pub fn is_matched_by(&self, pattern: &Pattern) -> bool {
        let meant = !self.is_reserved() || pattern.as_str().starts_with(RESERVED_PREFIX);
        meant && pattern.matches(&self.0)
    }
}

impl FromStr for MethodName {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Self, Refusal> {
        let printable =
            name.bytes().all(|b| matches!(b, 0x21..=0x7e) && !matches!(b, b'"' | b'\\' | b'*'));
        if name.is_empty() || name.len() > METHOD_NAME_BYTES || !printable {
            let message = format!(
                "a method is 1 to {METHOD_NAME_BYTES} bytes of printable ASCII without space, `\"`, `\\` and `*`"
            );
            return Err(Refusal::invalid("method", message));
        }
        Ok(MethodName(name.into()))
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_method_is_matched_only_by_a_pattern_that_means_it() {
        let table = [
            ("chat.rename", "*", true),
            ("chat.rename", "chat.*", true),
            ("chat.rename", "news.*", false),
            ("fanline.join", "*", false),
            ("fanline.join", "f*", false),
            ("fanline.join", "fanline.*", true),
            ("fanline.join", "fanline.join", true),
        ];
        for (method, pattern, expected) in table {
            let (method, pattern): (MethodName, Pattern) =
                (method.parse().unwrap(), pattern.parse().unwrap());
            assert_eq!(method.is_matched_by(&pattern), expected, "{method} by {pattern}");
        }
    }

    #[test]
    fn what_the_hub_asks_is_reserved() {
        for reserved in [
            Reserved::Connect,
            Reserved::Join,
            Reserved::Publish,
            Reserved::Presence,
            Reserved::History,
        ] {
            let method = MethodName::from(reserved);
            assert!(method.is_reserved() && method.as_str().parse() == Ok(method), "{reserved:?}");
        }
    }

    #[test]
    fn a_name_outside_the_rules_is_refused() {
        for name in ["", "a b", "a\n", "chat.*", "a\"", "ä", &"a".repeat(METHOD_NAME_BYTES + 1)] {
            let refusal = name.parse::<MethodName>().unwrap_err();
            assert_eq!(refusal.field(), Some("method"), "{name:?}");
        }
        assert!("a".repeat(METHOD_NAME_BYTES).parse::<MethodName>().is_ok());
    }
}
