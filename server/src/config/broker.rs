//! `[broker]`: what carries events and keeps history.

use std::fmt;

use fanline_redis::{CheckedSettings, Durability, Login, Mode, RedisError, RedisSettings};
use serde::{Deserialize, Serialize};

use super::checker::Checker;
use super::path::Path;
use super::secret::Secret;
use super::section::section;
use super::shape::shape_of_words;
use super::text::{Written, read_and_written};

section! {
    /// What carries events between nodes and keeps history.
    BrokerConfig {
        /// "memory": inside this process, for one node; history does not outlive it. "redis": any number of nodes with the
        /// same Redis are one hub. All other keys here are for Redis: docs/redis.md.
        kind: BrokerKind = BrokerKind::Memory;
        /// "standalone": one server. "sentinel": one primary at a time, found through sentinels. "cluster": Redis Cluster, 7.0
        /// or later. "shards": several independent servers, channels spread over them.
        mode: BrokerMode = BrokerMode::Standalone;
        /// The servers, as redis://host:port/database, or rediss:// for TLS. With "sentinel" the sentinels, with "cluster"
        /// some of its nodes. Each may be env:NAME or file:/path, as it may hold a user and a password.
        urls: Vec<Secret> = Vec::new(), like r#"["redis://127.0.0.1:6379/0"]"#;
        /// Who the hub is to servers whose URL does not say it. Not set: the default user.
        user: Option<String> = None, like r#""fanline""#;
        /// The password of that user.
        password: Option<Secret> = None, like r#""env:REDIS_PASSWORD""#;
        /// Who the hub is to the sentinels themselves.
        sentinel_user: Option<String> = None, like r#""fanline""#;
        /// The password of that user.
        sentinel_password: Option<Secret> = None, like r#""env:SENTINEL_PASSWORD""#;
        /// Certificate authority (PEM) of the servers, for rediss://. Not set: those that the machine trusts.
        ca: Option<Secret> = None, like r#""file:redis-ca.pem""#;
        /// The name under which the sentinels watch the primary.
        primary: String = RedisSettings::standalone("").primary;
        /// What all keys begin with. Nodes of one hub have the same; several hubs may share a Redis with different ones.
        prefix: String = RedisSettings::standalone("").prefix;
        /// What an acknowledged publish survives. "volatile": nothing that Redis does not survive. "aof_always": a restart of
        /// Redis, which must have appendonly yes and appendfsync always. "wait:N": the loss of the primary, as N replicas
        /// have the event, too.
        durability: DurabilityText = DurabilityText(Durability::Volatile);
    }
}

/// The brokers there are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BrokerKind {
    Memory,
    Redis,
}

/// How Redis servers stand to each other.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BrokerMode {
    Standalone,
    Sentinel,
    Cluster,
    Shards,
}

shape_of_words!(BrokerKind, BrokerMode);

/// A durability, as in `"wait:1"`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DurabilityText(Durability);

impl Written for DurabilityText {
    const FORM: &'static str = "\"volatile\", \"aof_always\" or \"wait:N\" for N replicas";
    const PATTERN: &'static str = "^(volatile|aof_always|wait:0*[1-9][0-9]*)$";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().map(DurabilityText)
    }
}

impl fmt::Display for DurabilityText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

read_and_written!(DurabilityText);

/// `[broker]`, checked.
#[derive(Debug)]
pub(crate) enum BrokerSettings {
    Memory,
    Redis(Box<CheckedSettings>),
}

impl BrokerConfig {
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> BrokerSettings {
        let path = Path::of(&["broker"]);
        match self.kind {
            BrokerKind::Memory => {
                // Nodes that are meant to be one hub would otherwise be several, and nobody told.
                checker.require(
                    self.urls.is_empty(),
                    &path.key("urls"),
                    "is for kind = \"redis\", and the kind is \"memory\"",
                );
                BrokerSettings::Memory
            }
            BrokerKind::Redis => match self.redis(&path, checker) {
                Some(settings) => BrokerSettings::Redis(settings.into()),
                None => BrokerSettings::Memory,
            },
        }
    }

    fn redis(&self, path: &Path, checker: &mut Checker<'_>) -> Option<CheckedSettings> {
        let mode = match self.mode {
            BrokerMode::Standalone => Mode::Standalone,
            BrokerMode::Sentinel => Mode::Sentinel,
            BrokerMode::Cluster => Mode::Cluster,
            BrokerMode::Shards => Mode::Shards,
        };
        let sentinels = [
            ("sentinel_user", self.sentinel_user.is_some()),
            ("sentinel_password", self.sentinel_password.is_some()),
        ];
        for (key, _) in sentinels.into_iter().filter(|(_, set)| *set && mode != Mode::Sentinel) {
            checker.refuse(&path.key(key), "is for mode = \"sentinel\"");
        }
        let mut urls = Vec::new();
        for (index, url) in self.urls.iter().enumerate() {
            urls.push(reveal(url, &path.key("urls").item(index), checker)?);
        }
        let ca = match &self.ca {
            Some(ca) => {
                let path = path.key("ca");
                let pem = checker.reveal(ca, &path)?;
                if super::tls::certificates(&pem, &path, checker).is_empty() {
                    return None;
                }
                checker.require(
                    urls.iter().any(|url| url.starts_with("rediss://")),
                    &path,
                    "needs a URL that begins with rediss://: without TLS no certificate is looked at",
                );
                Some(pem)
            }
            None => None,
        };
        let mut login = |user: &Option<String>, password: &Option<Secret>, prefix: &str| {
            let password_path = path.key(&format!("{prefix}password"));
            match (user, password) {
                (user, Some(password)) => {
                    let password = reveal(password, &password_path, checker)?;
                    Some(Some(Login { user: user.clone(), password }))
                }
                (Some(_), None) => {
                    checker.refuse(&password_path, "is missing: a user needs one");
                    None
                }
                (None, None) => Some(None),
            }
        };
        let settings = RedisSettings {
            mode,
            urls,
            login: login(&self.user, &self.password, "")?,
            sentinel_login: login(&self.sentinel_user, &self.sentinel_password, "sentinel_")?,
            primary: self.primary.clone(),
            prefix: self.prefix.clone(),
            durability: self.durability.0,
            ca,
        };
        settings.check().map_err(|error| refuse(&error, path, checker)).ok()
    }
}

/// The secret behind the value, which is text.
fn reveal(secret: &Secret, path: &Path, checker: &mut Checker<'_>) -> Option<String> {
    let text = String::from_utf8(checker.reveal(secret, path)?);
    text.map_err(|_| checker.refuse(path, "is not UTF-8")).ok()
}

fn refuse(error: &RedisError, path: &Path, checker: &mut Checker<'_>) {
    let (key, entry) = error.key();
    let path = path.key(key);
    let path = entry.map_or_else(|| path.clone(), |entry| path.item(entry - 1));
    checker.refuse(&path, error.to_string());
}
