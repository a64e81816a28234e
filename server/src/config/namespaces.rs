//! `[namespaces.<name>]`: the channels that share a prefix.

use std::collections::BTreeMap;
use std::fmt;

use fanline_core::ChannelName;
use fanline_core::channel::DEFAULT_NAMESPACE;
use fanline_core::namespace::{Audience, LagPolicy, NamespaceOptions, Namespaces, Retention};
use fanline_core::validator::Enforcement;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::checker::Checker;
use super::path::Path;
use super::section::section;
use super::shape::{Object, Shape, object, shape_of_words, words};
use super::text::DurationText;

section! {
    /// Options of the channels `chat:...`. A channel whose namespace has no section is refused. The section
    /// `[namespaces.default]` serves channels without a colon.
    NamespaceConfig {
        /// Who may subscribe: "anyone", "authenticated" (has a user), "token" (whose token grants it), "nobody",
        /// or "handler": a backend decides each time, as fanline.join (docs/handlers.md).
        subscribe: Who = Who::Token;
        /// Who may publish. With "handler" a backend decides, as fanline.publish, and may change the event.
        publish: Who = Who::Token;
        /// Who may read history pages.
        history: Who = Who::Token;
        /// Whether members are told of each other: false, true (who may ask is up to the token), or who may ask.
        presence: PresenceOption = PresenceOption::Off;
        /// Newest events kept per channel. Not set: as in `[history]`.
        history_size: Option<usize> = None, like "1000";
        /// Age at which an event leaves history. Not set: as in `[history]`.
        history_ttl: Option<DurationText> = None, like r#""1h""#;
        /// What a member gets that lagged beyond history: "gap" and then all that is held, or the "latest" event only.
        lag: Lag = Lag::Gap;
        /// What becomes of an event that breaks the catalog: "strict": it is refused; "warn": it is published, counted and
        /// logged; "off": it is not looked at. Not set: as the catalog says, on the channels that are in it.
        schema: Option<Schema> = None, like r#""strict""#;
        /// Whether `$lifecycle:<namespace>` tells who comes and goes: joined, left, occupied, vacated for its channels, and
        /// connected, disconnected. It costs some calls to the broker for each of them.
        lifecycle: bool = false;
        /// In `[namespaces.default]` only: serve all undeclared namespaces too.
        open: bool = false;
    }
}

/// Who may do something.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    Anyone,
    Authenticated,
    Token,
    Handler,
    Nobody,
}

/// What a member gets that lagged beyond history.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lag {
    Gap,
    Latest,
}

/// What becomes of an event that breaks the catalog.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Schema {
    Strict,
    Warn,
    Off,
}

shape_of_words!(Who, Lag, Schema);

/// Whether there is presence, and who may ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PresenceOption {
    Off,
    On(Who),
}

impl<'de> Deserialize<'de> for PresenceOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PresenceVisitor)
    }
}

struct PresenceVisitor;

impl Visitor<'_> for PresenceVisitor {
    type Value = PresenceOption;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "true, false, \"anyone\", \"authenticated\", \"token\", \"handler\" or \"nobody\"",
        )
    }

    fn visit_bool<E: de::Error>(self, on: bool) -> Result<PresenceOption, E> {
        Ok(if on { PresenceOption::On(Who::Token) } else { PresenceOption::Off })
    }

    fn visit_str<E: de::Error>(self, who: &str) -> Result<PresenceOption, E> {
        Who::deserialize(de::value::StrDeserializer::new(who)).map(PresenceOption::On)
    }
}

impl Serialize for PresenceOption {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            PresenceOption::Off => serializer.serialize_bool(false),
            PresenceOption::On(who) => who.serialize(serializer),
        }
    }
}

impl Shape for PresenceOption {
    fn shape() -> Object {
        let who = words::<Who>().iter().map(|who| json!(who));
        object([("enum", [json!(true), json!(false)].into_iter().chain(who).collect())])
    }
}

/// All namespaces, checked. `retention` is what `[history]` says, `has_catalog` whether there is something to hold events to.
pub(crate) fn check(
    namespaces: &BTreeMap<String, NamespaceConfig>,
    retention: Retention,
    has_catalog: bool,
    checker: &mut Checker<'_>,
) -> Namespaces {
    let path = Path::of(&["namespaces"]);
    if namespaces.is_empty() {
        checker.warn(
            &path,
            "is empty: every channel will be refused; add a section such as [namespaces.default]",
        );
    }
    for (name, namespace) in namespaces {
        let path = path.key(name);
        // A name that no channel can have before its first colon would never be used.
        let is_a_name = !name.contains([':', '#']) && name.parse::<ChannelName>().is_ok();
        checker.require(
            is_a_name,
            &path,
            "cannot be a namespace: use letters, digits, '_', '-' and '.'",
        );
        checker.require(
            !namespace.open || name == DEFAULT_NAMESPACE,
            &path.key("open"),
            "is for [namespaces.default] only",
        );
    }
    for (name, namespace) in namespaces {
        let path = path.key(name).key("schema");
        checker.require(
            has_catalog || matches!(namespace.schema, None | Some(Schema::Off)),
            &path,
            "needs a catalog: set 'path' in [catalog]",
        );
    }
    let options = namespaces.iter().map(|(name, namespace)| {
        let path = path.key(name);
        (name.clone(), namespace.check(&path, retention, checker))
    });
    let open = namespaces.get(DEFAULT_NAMESPACE).is_some_and(|namespace| namespace.open);
    Namespaces::new(options.collect::<Vec<_>>(), open)
}

impl NamespaceConfig {
    fn check(
        &self,
        path: &Path,
        retention: Retention,
        checker: &mut Checker<'_>,
    ) -> NamespaceOptions {
        let ttl = self.history_ttl.map_or(retention.ttl, |ttl| ttl.0);
        checker.require(
            !ttl.is_zero(),
            &path.key("history_ttl"),
            "must be more than zero; for no history set history_size = 0",
        );
        let (presence, presence_audience) = match self.presence {
            PresenceOption::Off => (false, Audience::default()),
            PresenceOption::On(who) => (true, who.into()),
        };
        NamespaceOptions {
            subscribe: self.subscribe.into(),
            publish: self.publish.into(),
            presence,
            presence_audience,
            history_audience: self.history.into(),
            retention: Retention {
                size: self.history_size.unwrap_or(retention.size),
                ttl,
                // The count of offsets must outlive what is kept.
                epoch_ttl: retention.epoch_ttl.max(ttl),
            },
            lag: match self.lag {
                Lag::Gap => LagPolicy::Gap,
                Lag::Latest => LagPolicy::Latest,
            },
            schema: self.schema.map(Into::into),
            lifecycle: self.lifecycle,
        }
    }
}

impl From<Schema> for Enforcement {
    fn from(schema: Schema) -> Self {
        match schema {
            Schema::Strict => Enforcement::Strict,
            Schema::Warn => Enforcement::Warn,
            Schema::Off => Enforcement::Off,
        }
    }
}

impl From<Who> for Audience {
    fn from(who: Who) -> Self {
        match who {
            Who::Anyone => Audience::Anyone,
            Who::Authenticated => Audience::Authenticated,
            Who::Token => Audience::Token,
            Who::Handler => Audience::Handler,
            Who::Nobody => Audience::Nobody,
        }
    }
}
