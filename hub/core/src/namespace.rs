//! Namespaces: the options of the channels that share a prefix.

use crate::channel::{ChannelName, DEFAULT_NAMESPACE};
use crate::validator::Enforcement;
use crate::{Reason, Refusal};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Whom a namespace lets do something, beside those whose token grants it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Audience {
    /// Everybody, also without a user.
    Anyone,
    /// Everybody with a user.
    Authenticated,
    /// Those whose token grants it.
    #[default]
    Token,
    /// Those whom a backend lets, whatever their token says. It is asked each time.
    Handler,
    /// Nobody on a bridge, whatever the token says.
    Nobody,
}

/// What a member gets that lagged beyond history.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LagPolicy {
    /// A gap, then all that history still holds.
    #[default]
    Gap,
    /// A gap up to the newest event, then that event: for tickers, where only the last value counts.
    Latest,
}

/// What a channel keeps, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// Newest events kept. 0: the channel keeps no history.
    pub size: usize,
    /// Age at which an event leaves history.
    pub ttl: Duration,
    /// Time without publish and members after which the channel forgets its epoch.
    pub epoch_ttl: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            size: 100,
            ttl: Duration::from_secs(5 * 60),
            epoch_ttl: Duration::from_secs(24 * 3600),
        }
    }
}

/// The options of one namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NamespaceOptions {
    /// Who may subscribe.
    pub subscribe: Audience,
    /// Who may publish.
    pub publish: Audience,
    /// Whether members are told of each other, and may be asked for.
    pub presence: bool,
    /// Who may ask for the members.
    pub presence_audience: Audience,
    /// Who may read history pages.
    pub history_audience: Audience,
    /// What is kept.
    pub retention: Retention,
    /// What a member gets that lagged beyond history.
    pub lag: LagPolicy,
    /// What becomes of events that break the schema of their type. None: what the catalog says.
    pub schema: Option<Enforcement>,
}

/// All declared namespaces.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    declared: HashMap<String, Arc<NamespaceOptions>>,
    open: bool,
}

impl Namespaces {
    /// The declared namespaces. With `open`, the one named `default` also serves all undeclared ones.
    #[must_use]
    pub fn new(declared: impl IntoIterator<Item = (String, NamespaceOptions)>, open: bool) -> Self {
        let declared =
            declared.into_iter().map(|(name, options)| (name, Arc::new(options))).collect();
        Namespaces { declared, open }
    }

    /// The options that rule `channel`.
    ///
    /// # Errors
    /// [`Reason::UnknownNamespace`] when no section names it and none is open for all.
    pub fn options(&self, channel: &ChannelName) -> Result<&Arc<NamespaceOptions>, Refusal> {
        let name = channel.namespace();
        let open = || self.declared.get(DEFAULT_NAMESPACE).filter(|_| self.open);
        self.declared.get(name).or_else(open).ok_or_else(|| {
            let message =
                format!("namespace `{name}` is not configured; add a section [namespaces.{name}]");
            Refusal::new(Reason::UnknownNamespace, message).with_field("channel")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespaces(names: &[&str], open: bool) -> Namespaces {
        Namespaces::new(
            names.iter().map(|name| ((*name).to_owned(), NamespaceOptions::default())),
            open,
        )
    }

    fn knows(namespaces: &Namespaces, channel: &str) -> bool {
        namespaces.options(&channel.parse().unwrap()).is_ok()
    }

    #[test]
    fn an_undeclared_namespace_is_refused_unless_default_is_open() {
        let closed = namespaces(&["chat"], false);
        assert!(knows(&closed, "chat:a") && !knows(&closed, "news") && !knows(&closed, "other:a"));
        let with_default = namespaces(&["default"], false);
        assert!(knows(&with_default, "news") && !knows(&with_default, "other:a"));
        assert!(knows(&namespaces(&["default"], true), "other:a"));
    }
}
