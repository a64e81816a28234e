//! Minting tokens: for `fanline token`, and for the one that `fanline dev` prints.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fanline_core::clock::Clock;
use fanline_edge::limits::TOKEN_SECRET_BYTES;
use jsonwebtoken::{AlgorithmFamily, EncodingKey, Header};
use serde_json::{Map, Value, json};

use crate::config::ClientKey;

/// Signs tokens.
pub(crate) struct Mint {
    key: EncodingKey,
    header: Header,
    issuer: Option<String>,
    audience: Option<String>,
}

impl Mint {
    /// A mint with this key, whose secret may also be a private key in PEM form. A relative file name starts at `folder`.
    ///
    /// # Errors
    /// The key cannot be had, or is not one for the algorithm.
    pub(crate) fn new(key: ClientKey, folder: &Path) -> Result<Self> {
        let ClientKey { secret, algorithm, kid, issuer, audience } = key;
        let bytes = secret.reveal(folder).map_err(|error| anyhow::anyhow!("the key {error}"))?;
        if algorithm.family() == AlgorithmFamily::Hmac && bytes.len() < TOKEN_SECRET_BYTES {
            let length = bytes.len();
            bail!(
                "the key has {length} bytes; no hub takes a secret of fewer than {TOKEN_SECRET_BYTES}"
            );
        }
        let key = match algorithm.family() {
            AlgorithmFamily::Hmac => Ok(EncodingKey::from_secret(&bytes)),
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(&bytes),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(&bytes),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(&bytes),
        };
        let key = key.with_context(|| {
            format!("the key is not a private key in PEM form for {algorithm:?}")
        })?;
        let mut header = Header::new(algorithm);
        header.kid = kid;
        Ok(Mint { key, header, issuer, audience })
    }

    /// A token with these claims, good from now for `ttl`.
    ///
    /// # Errors
    /// The key does not sign with its algorithm.
    pub(crate) fn sign(
        &self,
        mut claims: Map<String, Value>,
        ttl: Duration,
        clock: &dyn Clock,
    ) -> Result<String> {
        let now = clock.wall().seconds();
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), now.saturating_add(ttl.as_secs()).into());
        let named = [("iss", &self.issuer), ("aud", &self.audience)];
        for (name, value) in named {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.clone().into());
            }
        }
        jsonwebtoken::encode(&self.header, &claims, &self.key).context("the key does not sign")
    }
}

/// The claim `channels`: patterns per action, those without any left out.
pub(crate) fn grants(actions: &[(&str, &[String])]) -> Value {
    let granted = actions.iter().filter(|(_, patterns)| !patterns.is_empty());
    granted
        .map(|(action, patterns)| ((*action).to_owned(), json!(patterns)))
        .collect::<Map<_, _>>()
        .into()
}
