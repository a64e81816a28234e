//! `[tokens]` and `[[tokens.keys]]`: which tokens of clients and services are good. Keys that an issuer publishes are in
//! `jwks.rs`.

use std::error::Error;
use std::sync::Arc;

use fanline_core::clock::SystemClock;
use fanline_edge::limits::TOKEN_LEEWAY;
use fanline_edge::token::{self, Algorithm, KeyMaterial, TokenKey, TokenRules, TokenVerifier};
use serde::{Deserialize, Serialize};

use super::checker::Checker;
use super::jwks::JwksConfig;
use super::path::Path;
use super::secret::Secret;
use super::section::section;
use super::shape::shape_of_words;
use super::text::DurationText;

section! {
    /// Which tokens (JWT) are good.
    TokensConfig {
        /// What the claim `iss` must be. Not set: it is not looked at.
        issuer: Option<String> = None, like r#""https://issuer.example""#;
        /// What the claim `aud` must be or contain. Not set: tokens that name an audience are refused.
        audience: Option<String> = None, like r#""fanline""#;
        /// How far the clocks of issuer and hub may differ. At most 30s.
        leeway: DurationText = DurationText::seconds(5);
        /// How far ahead the claim `exp` may lie. A token that is good for longer is refused.
        max_lifetime: DurationText = DurationText::seconds(24 * 3600);
        /// The keys, in sections of their own: see `[[tokens.keys]]`.
        keys: Vec<TokenKeyConfig> = Vec::new();
        /// The keys that the issuer publishes, in a section of their own: see `[tokens.jwks]`.
        jwks: Option<JwksConfig> = None;
    }
}

section! {
    /// A key that signs tokens. There may be several, so that keys can be changed without a stop.
    TokenKeyConfig {
        /// What the header `kid` of its tokens says. Needed when there are several keys.
        kid: Option<String> = None, like r#""k1""#;
        /// HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA. Tokens signed otherwise are
        /// refused, whatever their header says.
        algorithm: Option<Algorithm> = None, like r#""HS256""#;
        /// The shared secret of an HS algorithm, at least 32 bytes.
        secret: Option<Secret> = None, like r#""env:TOKEN_SECRET""#;
        /// The public key (PEM) of any other algorithm.
        public_key: Option<Secret> = None, like r#""file:key.pub.pem""#;
        /// "client": for those who connect to bridges. "service": for backends, over gRPC.
        r#use: KeyUse = KeyUse::Client;
    }
}

/// Whose tokens a key signs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyUse {
    #[default]
    Client,
    Service,
}

shape_of_words!(Algorithm, KeyUse);

impl From<KeyUse> for token::KeyUse {
    fn from(usage: KeyUse) -> Self {
        match usage {
            KeyUse::Client => token::KeyUse::Client,
            KeyUse::Service => token::KeyUse::Service,
        }
    }
}

/// A key that signs tokens of clients, and what these must say.
#[derive(Debug)]
pub(crate) struct ClientKey {
    pub(crate) secret: Secret,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
}

impl TokensConfig {
    /// The first key of clients that can sign: one with a secret.
    pub(crate) fn client_key(&self) -> Option<ClientKey> {
        self.keys.iter().filter(|key| key.r#use == KeyUse::Client).find_map(|key| {
            Some(ClientKey {
                secret: key.secret.clone()?,
                algorithm: key.algorithm?,
                kid: key.kid.clone(),
                issuer: self.issuer.clone(),
                audience: self.audience.clone(),
            })
        })
    }

    pub(crate) fn check(&self, checker: &mut Checker<'_>) -> TokenRules {
        let path = Path::of(&["tokens"]);
        checker.require(
            self.leeway.0 <= TOKEN_LEEWAY,
            &path.key("leeway"),
            "must be at most \"30s\"",
        );
        checker.require(
            !self.max_lifetime.0.is_zero(),
            &path.key("max_lifetime"),
            "must be more than zero",
        );
        if self.jwks.is_some() && self.issuer.is_none() {
            checker.warn(
                &path.key("issuer"),
                "is not set: whoever else signs with the keys of [tokens.jwks] can let clients in",
            );
        }
        let published = self.jwks.iter().map(|jwks| jwks.r#use);
        if self.keys.iter().map(|key| key.r#use).chain(published).all(|of| of == KeyUse::Service) {
            checker.warn(
                &path,
                "has no key for clients: only what namespaces open to \"anyone\" can be reached",
            );
        }
        let mut keys = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            let path = path.key("keys").item(index);
            checker.require(
                self.keys.len() == 1 || key.kid.is_some(),
                &path.key("kid"),
                "is missing: with several keys each needs one",
            );
            let doubled =
                self.keys[..index].iter().any(|other| key.kid.is_some() && other.kid == key.kid);
            checker.require(!doubled, &path.key("kid"), "is the name of another key too");
            keys.extend(key.check(&path, checker));
        }
        TokenRules {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            leeway: self.leeway.0,
            max_lifetime: self.max_lifetime.0,
            keys,
        }
    }
}

impl TokenKeyConfig {
    fn check(&self, path: &Path, checker: &mut Checker<'_>) -> Option<TokenKey> {
        let algorithm = checker.needed(self.algorithm.as_ref(), &path.key("algorithm"))?;
        let (material_path, material) = match (&self.secret, &self.public_key) {
            (Some(secret), None) => {
                let path = path.key("secret");
                let material = KeyMaterial::Secret(checker.reveal(secret, &path)?);
                (path, material)
            }
            (None, Some(public_key)) => {
                let path = path.key("public_key");
                let material = KeyMaterial::PublicKeyPem(checker.reveal(public_key, &path)?);
                (path, material)
            }
            (None, None) => {
                checker.refuse(&path.key("secret"), "is missing; an algorithm other than HS256, HS384 and HS512 needs 'public_key' instead");
                return None;
            }
            (Some(_), Some(_)) => {
                checker.refuse(
                    &path.key("public_key"),
                    "cannot stand beside 'secret': a key is one or the other",
                );
                return None;
            }
        };
        let usage = self.r#use.into();
        let key = TokenKey { kid: self.kid.clone(), algorithm, material, usage };
        let name = self.kid.as_ref().map(|kid| format!(" for '{kid}'")).unwrap_or_default();
        if let Some(fault) = fault(&key) {
            checker.refuse(&material_path, format!("cannot be used{name}: {fault}"));
        }
        Some(key)
    }
}

/// What is wrong with a key, as the verifier itself sees it.
fn fault(key: &TokenKey) -> Option<String> {
    let rules = TokenRules { keys: vec![key.clone()], ..TokenRules::default() };
    let error = TokenVerifier::new(rules, Arc::new(SystemClock::start())).err()?;
    Some(error.source().map_or_else(|| error.to_string(), ToString::to_string))
}
