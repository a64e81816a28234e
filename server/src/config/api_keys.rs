//! `[[api_keys]]`: the backends that may call over gRPC.

use fanline_grpc::keys::{ApiKey, ApiKeys};

use super::checker::Checker;
use super::path::Path;
use super::section::section;

section! {
    /// An API key of a backend. `fanline key` makes one and prints this section for it.
    ApiKeyConfig {
        /// Name of the backend, for logs.
        name: Option<String> = None, like r#""orders""#;
        /// SHA-256 of the whole key: the key itself is not kept here.
        hash: Option<String> = None, like r#""sha256:0000000000000000000000000000000000000000000000000000000000000000""#;
        /// What it may do: publish, subscribe, presence, history, connections, commands, catalog.
        scopes: Vec<String> = Vec::new(), like r#"["publish", "subscribe"]"#;
        /// Channels in which it may, by patterns; * stands for any run of characters.
        channels: Vec<String> = Vec::new(), like r#"["orders:*"]"#;
        /// Methods that it may answer with the scope commands, by patterns. Not set: any.
        methods: Vec<String> = Vec::new(), like r#"["orders.*"]"#;
    }
}

/// All keys, checked. Without any, nobody could publish: that is no hub.
pub(crate) fn check(keys: &[ApiKeyConfig], checker: &mut Checker<'_>) -> ApiKeys {
    let path = Path::of(&["api_keys"]);
    checker.require(
        !keys.is_empty(),
        &path,
        "is missing: no backend could call; `fanline key` makes the first",
    );
    for (index, key) in keys.iter().enumerate() {
        let doubled =
            keys[..index].iter().any(|other| key.hash.is_some() && other.hash == key.hash);
        checker.require(!doubled, &path.item(index).key("hash"), "is that of another key too");
    }
    let checked =
        keys.iter().enumerate().filter_map(|(index, key)| key.check(&path.item(index), checker));
    ApiKeys::new(checked.collect())
}

impl ApiKeyConfig {
    fn check(&self, path: &Path, checker: &mut Checker<'_>) -> Option<ApiKey> {
        for (key, list) in [("scopes", &self.scopes), ("channels", &self.channels)] {
            checker.require(
                !list.is_empty(),
                &path.key(key),
                "is missing: the key could do nothing",
            );
        }
        let name = checker.needed(self.name.as_ref(), &path.key("name"));
        let hash = checker.needed(self.hash.as_ref(), &path.key("hash"));
        Some(ApiKey {
            scopes: checker.parse_all(&self.scopes, &path.key("scopes")),
            channels: checker.parse_all(&self.channels, &path.key("channels")),
            methods: checker.parse_all(&self.methods, &path.key("methods")),
            hash: checker.parse(&hash?, &path.key("hash"))?,
            name: name?,
        })
    }
}
