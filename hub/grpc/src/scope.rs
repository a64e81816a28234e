//! What a backend may do, apart from where.

use std::fmt;
use std::str::FromStr;

/// A right of a caller. It holds in the channels that the caller covers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Publish events.
    Publish,
    /// Follow channels.
    Subscribe,
    /// See who is in channels, and list them.
    Presence,
    /// Read pages of history.
    History,
    /// See, move and end connections.
    Connections,
    /// Answer clients' commands.
    Commands,
    /// Read the event catalog.
    Catalog,
}

/// A word that is no scope.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no scope; the scopes are {names}", names = names())]
pub struct ScopeError(String);

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 7] = [
        Scope::Publish,
        Scope::Subscribe,
        Scope::Presence,
        Scope::History,
        Scope::Connections,
        Scope::Commands,
        Scope::Catalog,
    ];

    /// The word for it in the configuration and in tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Publish => "publish",
            Scope::Subscribe => "subscribe",
            Scope::Presence => "presence",
            Scope::History => "history",
            Scope::Connections => "connections",
            Scope::Commands => "commands",
            Scope::Catalog => "catalog",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(word: &str) -> Result<Self, ScopeError> {
        Scope::ALL
            .into_iter()
            .find(|scope| scope.as_str() == word)
            .ok_or_else(|| ScopeError(word.to_owned()))
    }
}

fn names() -> String {
    Scope::ALL.map(Scope::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_read_back_from_its_word() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
    }

    #[test]
    fn another_word_is_answered_with_the_choice() {
        let error = "Publish".parse::<Scope>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`Publish` is no scope; the scopes are publish, subscribe, presence, history, connections, commands, catalog"
        );
    }
}
