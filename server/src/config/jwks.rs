//! `[tokens.jwks]`: the keys that an issuer publishes (JWKS, RFC 7517), and how they are had.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fanline_edge::token::{Algorithm, KeySetPolicy};
use http::Uri;
use http::uri::Authority;
use rustls::ClientConfig;

use super::checker::Checker;
use super::path::Path;
use super::secret::Secret;
use super::section::section;
use super::text::DurationText;
use super::tls::{Certificate, trusted};
use super::tokens::KeyUse;
use crate::http_client;

/// Shortest time between two fetches as a rule: an issuer is not ours to load.
const REFRESH_MIN: Duration = Duration::from_secs(1);

section! {
    /// Keys that the issuer publishes as a JWKS, beside those above; where a `kid` is in both, only the one above counts.
    /// They are fetched at the start, after each `refresh`, at SIGHUP, and when a token names one that is not known, at
    /// most once in 30s for that reason. While they cannot be fetched, those of before go on counting.
    JwksConfig {
        /// Where they are, as https://. Redirects are not followed.
        url: Option<String> = None, like r#""https://issuer.example/jwks.json""#;
        /// The only algorithms that they are used with: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA.
        /// What a token or a key says of itself adds none.
        algorithms: Vec<Algorithm> = Vec::new(), like r#"["RS256"]"#;
        /// How long they count before they are fetched again.
        refresh: DurationText = DurationText::seconds(3600);
        /// "client": for those who connect to bridges. "service": for backends, over gRPC.
        r#use: KeyUse = KeyUse::Client;
        /// Certificate authority (PEM) of the host. Not set: those that the machine trusts.
        ca: Option<Secret> = None, like r#""file:issuer-ca.pem""#;
        /// Whether url may be http:// to another machine. Whoever is in between can then let anybody in.
        allow_http: bool = false;
    }
}

/// Published keys and how they are had.
#[derive(Clone, Debug)]
pub(crate) struct JwksSettings {
    pub(crate) url: Uri,
    /// How the host is known. None: plain text.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) refresh: Duration,
    /// What the keys are taken for.
    pub(crate) policy: KeySetPolicy,
}

impl JwksSettings {
    /// Whether keys that were had by the one would be had by the other too.
    pub(crate) fn is_the_same_source(&self, other: &JwksSettings) -> bool {
        self.url == other.url && self.policy.algorithms == other.policy.algorithms
    }
}

impl JwksConfig {
    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> Option<JwksSettings> {
        let path = Path::of(&["tokens", "jwks"]);
        checker.require(
            self.refresh.0 >= REFRESH_MIN,
            &path.key("refresh"),
            "must be at least \"1s\"",
        );
        self.check_algorithms(&path.key("algorithms"), checker);
        let url = checker.needed(self.url.as_ref(), &path.key("url"))?;
        let url = self.check_url(&url, &path.key("url"), checker)?;
        let is_tls = url.scheme_str() == Some("https");
        checker.require(
            is_tls || self.ca.is_none(),
            &path.key("ca"),
            "is for https:// only, which 'url' is not",
        );
        Some(JwksSettings {
            tls: if is_tls { Some(self.tls(&path, checker)?) } else { None },
            url,
            refresh: self.refresh.0,
            policy: KeySetPolicy { algorithms: self.algorithms.clone(), usage: self.r#use.into() },
        })
    }

    fn check_algorithms(&self, path: &Path, checker: &mut Checker<'_>) {
        checker.require(
            !self.algorithms.is_empty(),
            path,
            "is missing: name those that the issuer signs with, such as [\"RS256\"]",
        );
        for (index, algorithm) in self.algorithms.iter().enumerate() {
            let path = path.item(index);
            let is_secret =
                matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
            checker.require(
                !is_secret,
                &path,
                "is an algorithm of shared secrets, which no issuer can publish; such a key is for [[tokens.keys]]",
            );
        }
    }

    fn check_url(&self, text: &str, path: &Path, checker: &mut Checker<'_>) -> Option<Uri> {
        let url = text.parse::<Uri>().ok().filter(|url| {
            let has_host = url.authority().is_some_and(|authority| !authority.host().is_empty());
            matches!(url.scheme_str(), Some("http" | "https")) && has_host
        });
        let Some(url) = url else {
            checker.refuse(path, "must be a URL such as \"https://issuer.example/jwks.json\"");
            return None;
        };
        let authority = url.authority()?;
        checker.require(
            !authority.as_str().contains('@'),
            path,
            "cannot hold a name and a password: a key set is public",
        );
        checker.require(
            url.scheme_str() == Some("https") || is_this_machine(authority) || self.allow_http,
            path,
            "must be https://, as whoever can change the keys on their way can let anybody in; for a network that you \
             trust set allow_http = true",
        );
        Some(url)
    }

    fn tls(&self, path: &Path, checker: &mut Checker<'_>) -> Option<Arc<ClientConfig>> {
        let trusted = trusted(self.ca.as_ref(), &path.key("ca"), &path.key("url"), checker)?;
        Certificate::client(None, trusted, http_client::ALPN)
            .map_err(|error| checker.refuse(&path.key("ca"), format!("cannot be used: {error}")))
            .ok()
    }
}

fn is_this_machine(authority: &Authority) -> bool {
    let host = authority.host().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::path::Path as FilePath;

    use super::*;
    use crate::config::{Loaded, Settings};

    /// What goes before `[tokens.jwks]` so that nothing else is wrong.
    const REST: &str = "api_keys = [{ name = \"a\", hash = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\", scopes = [\"publish\"], channels = [\"*\"] }]\n[namespaces.default]\n";

    fn settings(jwks: &str) -> Result<Settings, String> {
        let text = format!("{REST}[tokens.jwks]\n{jwks}");
        let loaded = Loaded::from_text(&text, "f", FilePath::new("/nonexistent"), []);
        loaded.map_err(|error| error.to_string())?.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_had_over_tls_or_from_this_machine_unless_told_otherwise() {
        let at = |url: &str, more: &str| {
            settings(&format!("url = \"{url}\"\nalgorithms = [\"RS256\"]\n{more}"))
        };
        for url in ["http://127.0.0.1:8000/jwks.json", "http://[::1]/a?b=c", "http://localhost"] {
            let jwks = at(url, "").unwrap().jwks.unwrap();
            assert!(jwks.tls.is_none(), "{url}");
            assert_eq!(jwks.refresh, Duration::from_secs(3600));
        }
        let jwks = at("http://issuer.internal/jwks", "allow_http = true\nrefresh = \"5m\"\n");
        assert_eq!(jwks.unwrap().jwks.unwrap().refresh, Duration::from_secs(300));
        for url in
            ["http://issuer.internal/jwks", "http://127.0.0.1.evil.example", "http://10.0.0.1"]
        {
            let told = at(url, "").unwrap_err();
            assert!(told.starts_with("f:4: 'url' in [tokens.jwks] must be https://"), "{told}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_by_its_key() {
        let url = "url = \"http://127.0.0.1/\"\n";
        let table = [
            ("algorithms = [\"RS256\"]\n".to_owned(), "f:3: 'url' in [tokens.jwks] is missing"),
            (
                "url = \"issuer.example\"\nalgorithms = [\"RS256\"]\n".to_owned(),
                "f:4: 'url' in [tokens.jwks] must be a URL such as \"https://issuer.example/jwks.json\"",
            ),
            (
                "url = \"http://me:hunter2@127.0.0.1/\"\nalgorithms = [\"RS256\"]\n".to_owned(),
                "f:4: 'url' in [tokens.jwks] cannot hold a name and a password: a key set is public",
            ),
            (
                url.to_owned(),
                "f:3: 'algorithms' in [tokens.jwks] is missing: name those that the issuer signs with, such as [\"RS256\"]",
            ),
            (
                format!("{url}algorithms = [\"RS256\", \"HS256\"]\n"),
                "f:5: item 2 of 'algorithms' in [tokens.jwks] is an algorithm of shared secrets, which no issuer can publish; such a key is for [[tokens.keys]]",
            ),
            (
                format!("{url}algorithms = [\"RS256\"]\nrefresh = \"10ms\"\n"),
                "f:6: 'refresh' in [tokens.jwks] must be at least \"1s\"",
            ),
            (
                format!("{url}algorithms = [\"RS256\"]\nca = \"file:ca.pem\"\n"),
                "f:6: 'ca' in [tokens.jwks] is for https:// only, which 'url' is not",
            ),
            (
                format!("{url}algorithm = \"RS256\"\n"),
                "f:5: unknown key 'algorithm' in [tokens.jwks]; did you mean 'algorithms'?",
            ),
        ];
        for (jwks, expected) in table {
            assert_eq!(settings(&jwks).unwrap_err(), expected);
        }
    }

    #[test]
    fn an_issuer_whose_name_is_not_checked_is_a_warning() {
        let told = settings("url = \"http://127.0.0.1/\"\nalgorithms = [\"RS256\"]\n").unwrap();
        let told: Vec<_> = told.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("'issuer' in [tokens] is not set"), "{told:?}");
    }
}
