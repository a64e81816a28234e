//! `[docs]`: the documents on the public listener.

use fanline_asyncapi::document::{Server, TryIt};
use http::Uri;
use serde::{Deserialize, Serialize};

use super::checker::Checker;
use super::path::Path;
use super::section::section;
use super::shape::shape_of_words;

section! {
    /// The documents on the public listener: /docs, /asyncapi.json and /asyncapi.yaml. They need no token.
    DocsConfig {
        /// Whether they are served.
        enabled: bool = true;
        /// What a reader with a token may try on the page: "off", "subscribe" (watch live events) or "full" (also publish).
        /// The page may then connect to the hub as if its origin were among allowed_origins.
        try_it: TryItMode = TryItMode::Off;
        /// Where clients reach the hub, as the documents say it. Without it: where it listens.
        public_url: Option<String> = None, like r#""https://hub.example.com""#;
        /// Where backends reach the hub, as the documents say it. Without it: where it listens.
        grpc_url: Option<String> = None, like r#""https://grpc.hub.example.com""#;
    }
}

/// What a reader may try.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TryItMode {
    Off,
    Subscribe,
    Full,
}

shape_of_words!(TryItMode);

/// `[docs]`, checked.
#[derive(Clone, Debug)]
pub(crate) struct DocsSettings {
    pub(crate) enabled: bool,
    pub(crate) try_it: TryIt,
    pub(crate) public: Option<Server>,
    pub(crate) grpc: Option<Server>,
}

impl DocsSettings {
    /// Whether a page of the hub's own connects to it.
    pub(crate) fn has_live_page(&self) -> bool {
        self.enabled && self.try_it != TryIt::Off
    }
}

impl DocsConfig {
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> DocsSettings {
        let path = Path::of(&["docs"]);
        let mut read = |key: &str, url: Option<&String>| {
            let server = url.map(|url| server(url));
            if let Some(None) = server {
                checker.refuse(
                    &path.key(key),
                    "must be http:// or https:// with a host, without a path",
                );
            }
            server.flatten()
        };
        DocsSettings {
            enabled: self.enabled,
            try_it: match self.try_it {
                TryItMode::Off => TryIt::Off,
                TryItMode::Subscribe => TryIt::Subscribe,
                TryItMode::Full => TryIt::Full,
            },
            public: read("public_url", self.public_url.as_ref()),
            grpc: read("grpc_url", self.grpc_url.as_ref()),
        }
    }
}

/// A listener by its URL.
pub(crate) fn server(url: &str) -> Option<Server> {
    let uri: Uri = url.parse().ok()?;
    let tls = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return None;
    }
    Some(Server { host: uri.authority()?.to_string(), tls })
}
