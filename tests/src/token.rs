//! JSON Web Tokens, good ones and forged ones.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use serde_json::{Value, json};

/// `tokens.audience` of the test configuration.
pub const AUDIENCE: &str = "fanline";
/// `tokens.issuer` of the test configuration.
pub const ISSUER: &str = "https://issuer.test";

pub(crate) const CLIENT_SECRET: &str = "client-secret-of-the-tests-0123456789";
pub(crate) const SERVICE_SECRET: &str = "service-secret-of-the-tests-987654321";
pub(crate) const RS256_PUBLIC_KEY_PATH: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rs256.pub.pem");

const RS256_PUBLIC_KEY: &str = include_str!("../fixtures/rs256.pub.pem");
pub(crate) const RS256_PRIVATE_KEY: &str = include_str!("../fixtures/rs256.key.pem");

/// Who signs a token, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signer {
    /// The HS256 client key of the configuration.
    Hs256,
    /// HS256 with another secret, under the same key id.
    Secret(&'static str),
    /// The RS256 client key of the configuration.
    Rs256,
    /// The HS256 service key of the configuration.
    Service,
    /// Somebody who knows the key's id and not its secret.
    Stranger,
    /// A key id that the hub does not know.
    UnknownKey,
    /// Nobody: `alg: none` with an empty signature.
    Nobody,
    /// HS256 with the RS256 key's public PEM as the secret, under the RS256 key's id.
    KeyConfusion,
}

/// Builds a token. Good for an hour unless told otherwise.
#[derive(Clone, Debug)]
pub struct Token {
    claims: Value,
    signer: Signer,
}

impl Token {
    /// A token of a user who may do nothing yet.
    pub fn user(sub: &str) -> Self {
        Self::anonymous().claim("sub", sub)
    }

    /// A token without `sub`.
    pub fn anonymous() -> Self {
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "channels": {}});
        let signer = Signer::Hs256;
        Self { claims, signer }.expires_in(3600)
    }

    /// A backend's token.
    pub fn service(scopes: &[&str], channels: &[&str]) -> Self {
        Self::user("backend")
            .claim("scopes", scopes)
            .claim("channels", channels)
            .signed_by(Signer::Service)
    }

    /// Everything a client may be granted in the channels that match.
    #[must_use]
    pub fn everything_in(self, patterns: &[&str]) -> Self {
        self.grant("subscribe", patterns)
            .grant("publish", patterns)
            .grant("presence", patterns)
            .grant("history", patterns)
    }

    /// One kind of grant: `subscribe`, `publish`, `presence`, `history` or `join`.
    #[must_use]
    pub fn grant(mut self, kind: &str, patterns: &[&str]) -> Self {
        self.claims["channels"][kind] = json!(patterns);
        self
    }

    /// Sets any claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().expect("claims are an object").remove(name);
        self
    }

    /// `exp`, in seconds from now; negative is the past.
    #[must_use]
    pub fn expires_in(self, seconds: i64) -> Self {
        self.claim("exp", from_now(seconds))
    }

    /// `nbf`, in seconds from now.
    #[must_use]
    pub fn valid_in(self, seconds: i64) -> Self {
        self.claim("nbf", from_now(seconds))
    }

    /// Who signs it.
    #[must_use]
    pub fn signed_by(mut self, signer: Signer) -> Self {
        self.signer = signer;
        self
    }

    /// The compact form.
    pub fn sign(&self) -> String {
        let hs256 = |kid: &str, secret: &[u8]| {
            self.encode(Algorithm::HS256, kid, &EncodingKey::from_secret(secret))
        };
        match self.signer {
            Signer::Hs256 => hs256("client", CLIENT_SECRET.as_bytes()),
            Signer::Service => hs256("service", SERVICE_SECRET.as_bytes()),
            Signer::Secret(secret) => hs256("client", secret.as_bytes()),
            Signer::Stranger => hs256("client", b"a-guess-that-is-as-long-as-the-secret"),
            Signer::UnknownKey => hs256("nobodys-key", CLIENT_SECRET.as_bytes()),
            Signer::Rs256 => {
                let key = EncodingKey::from_rsa_pem(RS256_PRIVATE_KEY.as_bytes())
                    .expect("the fixture is a private key");
                self.encode(Algorithm::RS256, "rsa", &key)
            }
            // These two are spelled out, because a decent library refuses to make them.
            Signer::Nobody => format!("{}.", self.unsigned("none", "client")),
            Signer::KeyConfusion => {
                let unsigned = self.unsigned("HS256", "rsa");
                let key = hmac::Key::new(hmac::HMAC_SHA256, RS256_PUBLIC_KEY.as_bytes());
                let signature = hmac::sign(&key, unsigned.as_bytes());
                format!("{unsigned}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
            }
        }
    }

    fn encode(&self, algorithm: Algorithm, kid: &str, key: &EncodingKey) -> String {
        let mut header = Header::new(algorithm);
        header.kid = Some(kid.to_owned());
        self.encode_under(&header, key)
    }

    /// The compact form under any header, signed by any key.
    pub(crate) fn encode_under(&self, header: &Header, key: &EncodingKey) -> String {
        jsonwebtoken::encode(header, &self.claims, key).expect("claims are JSON")
    }

    fn unsigned(&self, algorithm: &str, kid: &str) -> String {
        let header = json!({"typ": "JWT", "alg": algorithm, "kid": kid}).to_string();
        let claims = self.claims.to_string();
        format!(
            "{}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(header),
            BASE64_URL_SAFE_NO_PAD.encode(claims)
        )
    }
}

fn from_now(seconds: i64) -> i64 {
    get_current_timestamp().saturating_add_signed(seconds).cast_signed()
}

#[cfg(test)]
mod tests {
    //! A forgery that no careless hub would take shows nothing about a careful one.

    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    #[test]
    fn a_confused_verifier_takes_the_confused_token() {
        let token = Token::user("ada").signed_by(Signer::KeyConfusion).sign();
        let confused = DecodingKey::from_secret(RS256_PUBLIC_KEY.as_bytes());
        decode::<Value>(&token, &confused, &rules(Algorithm::HS256)).expect("well signed");
    }

    #[test]
    fn a_good_token_verifies_with_either_key() {
        let token = Token::user("ada").sign();
        let secret = DecodingKey::from_secret(CLIENT_SECRET.as_bytes());
        decode::<Value>(&token, &secret, &rules(Algorithm::HS256)).expect("well signed");

        let token = Token::user("ada").signed_by(Signer::Rs256).sign();
        let public = DecodingKey::from_rsa_pem(RS256_PUBLIC_KEY.as_bytes())
            .expect("the fixture is a public key");
        decode::<Value>(&token, &public, &rules(Algorithm::RS256)).expect("well signed");
    }

    #[test]
    fn alg_none_has_the_claims_and_no_signature() {
        let token = Token::user("ada").signed_by(Signer::Nobody).sign();
        let parts: Vec<&str> = token.split('.').collect();
        let header = BASE64_URL_SAFE_NO_PAD.decode(parts[0]).expect("base64");
        assert!(String::from_utf8_lossy(&header).contains(r#""alg":"none""#));
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[2], "");
    }

    fn rules(algorithm: Algorithm) -> Validation {
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        rules
    }
}
