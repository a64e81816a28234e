//! API keys as a backend holds them and as the hub's configuration knows them.

use aws_lc_rs::digest;

/// An API key with what it may do.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The whole key string, sent as `authorization: Bearer`.
    pub secret: String,
    name: String,
    scopes: Vec<String>,
    channels: Vec<String>,
    methods: Vec<String>,
}

impl ApiKey {
    /// A key that may do everything in every channel.
    pub fn all() -> Self {
        let scopes =
            ["publish", "subscribe", "presence", "history", "connections", "commands", "catalog"];
        Self::new("all").scopes(&scopes).channels(&["*"])
    }

    /// A key that may do nothing yet.
    pub fn new(name: &str) -> Self {
        Self {
            secret: format!("fanline-test-key-{name}-7d41c0a9b35e"),
            name: name.to_owned(),
            scopes: Vec::new(),
            channels: Vec::new(),
            methods: Vec::new(),
        }
    }

    /// Allows operations.
    #[must_use]
    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(ToString::to_string).collect();
        self
    }

    /// Allows channels, by patterns.
    #[must_use]
    pub fn channels(mut self, patterns: &[&str]) -> Self {
        self.channels = patterns.iter().map(ToString::to_string).collect();
        self
    }

    /// Allows to answer methods, by patterns. Without this: any.
    #[must_use]
    pub fn methods(mut self, patterns: &[&str]) -> Self {
        self.methods = patterns.iter().map(ToString::to_string).collect();
        self
    }

    /// What the configuration holds in place of a key.
    pub fn hash_of(secret: &str) -> String {
        let digest = digest::digest(&digest::SHA256, secret.as_bytes());
        let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
        format!("sha256:{}", hex.collect::<String>())
    }

    /// The entry of `[[api_keys]]`.
    pub(crate) fn entry(&self) -> toml::Table {
        let mut entry = toml::Table::new();
        entry.insert("name".to_owned(), self.name.clone().into());
        entry.insert("hash".to_owned(), Self::hash_of(&self.secret).into());
        entry.insert("scopes".to_owned(), self.scopes.clone().into());
        entry.insert("channels".to_owned(), self.channels.clone().into());
        entry.insert("methods".to_owned(), self.methods.clone().into());
        entry
    }
}
