//! Namespaces: the options of the channels that share a prefix.

use crate::channel::{ChannelName, DEFAULT_NAMESPACE};
use crate::lifecycle;
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
    /// Whether it is told in `$lifecycle:<namespace>` who comes and goes.
    pub lifecycle: bool,
}

/// All declared namespaces.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    declared: HashMap<String, Arc<NamespaceOptions>>,
    open: bool,
    /// The options of the channels in which it is told who comes and goes.
    told: Arc<NamespaceOptions>,
}

impl Namespaces {
    /// The declared namespaces. With `open`, the one named `default` also serves all undeclared ones.
    #[must_use]
    pub fn new(declared: impl IntoIterator<Item = (String, NamespaceOptions)>, open: bool) -> Self {
        let declared =
            declared.into_iter().map(|(name, options)| (name, Arc::new(options))).collect();
        Namespaces { declared, open, told: Arc::new(lifecycle::options()) }
    }

    /// The options that rule `channel`.
    ///
    /// # Errors
    /// [`Reason::UnknownNamespace`] when no section names it and none is open for all.
    pub fn options(&self, channel: &ChannelName) -> Result<&Arc<NamespaceOptions>, Refusal> {
        let unknown =
            |message| Refusal::new(Reason::UnknownNamespace, message).with_field("channel");
        if channel.is_own() {
            let told_of = channel.as_str().strip_prefix(lifecycle::PREFIX);
            let asks = told_of.and_then(|name| self.named(name)).is_some_and(|own| own.lifecycle);
            return asks.then_some(&self.told).ok_or_else(|| {
                unknown("channels that begin with `$` are the hub's own, and this is none".into())
            });
        }
        let name = channel.namespace();
        self.named(name).ok_or_else(|| unknown(not_configured(name)))
    }

    /// The declared namespaces of which it is told who comes and goes.
    pub(crate) fn with_lifecycle(&self) -> impl Iterator<Item = &String> {
        self.declared.iter().filter(|(_, options)| options.lifecycle).map(|(name, _)| name)
    }

    fn named(&self, name: &str) -> Option<&Arc<NamespaceOptions>> {
        let open = || self.declared.get(DEFAULT_NAMESPACE).filter(|_| self.open);
        self.declared.get(name).or_else(open)
    }
}

/// The remedy as it stands in a TOML file, where a name that has more than letters, digits, `_` and `-` is quoted.
fn not_configured(name: &str) -> String {
    if name.is_empty() {
        return "no namespace stands before the colon".to_owned();
    }
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let quote = if name.bytes().all(bare) { "" } else { "\"" };
    format!("namespace `{name}` is not configured; add a section [namespaces.{quote}{name}{quote}]")
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

    #[test]
    fn the_section_that_is_missing_is_named_as_a_file_has_it() {
        let told = |channel: &str| {
            let none = namespaces(&[], false);
            none.options(&channel.parse().unwrap()).unwrap_err().message().to_owned()
        };
        assert!(told("my-chat:a").ends_with("[namespaces.my-chat]"));
        assert!(told("v1.chat:a").ends_with("[namespaces.\"v1.chat\"]"));
        assert!(!told(":a").contains('['));
    }

    #[test]
    fn the_hubs_own_channels_are_those_of_namespaces_that_ask_for_them() {
        let told = NamespaceOptions { lifecycle: true, ..NamespaceOptions::default() };
        let declared = [("chat", told), ("default", NamespaceOptions::default())];
        let namespaces =
            Namespaces::new(declared.map(|(name, options)| (name.to_owned(), options)), true);
        assert!(knows(&namespaces, "$lifecycle:chat"));
        for other in ["$lifecycle:default", "$lifecycle:x", "$lifecycle", "$hub", "$node:1"] {
            assert!(!knows(&namespaces, other), "{other}");
        }
        assert_eq!(namespaces.with_lifecycle().collect::<Vec<_>>(), ["chat"]);
    }
}
