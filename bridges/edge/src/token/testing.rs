//! Keys and signed tokens for the tests of this module: any header, any claims.

use super::{Algorithm, Identity};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fanline_core::clock::Timestamp;
use fanline_core::ids::UserId;
use fanline_core::permission::Grants;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// What a verified token of this user says, which grants nothing and never ends.
pub(crate) fn identity(user: &str) -> Identity {
    Identity {
        user: UserId::new(user),
        token_id: None,
        issued_at: None,
        info: None,
        grants: Grants::default(),
        join: Vec::new(),
        methods: None,
        claims: Arc::default(),
        expires_at: Timestamp::from_millis(u64::MAX),
    }
}

/// A key pair in the forms that operators and issuers have it in.
pub(crate) struct KeyPair {
    pub(crate) private_pem: String,
    pub(crate) public_pem: String,
    /// The public half as a JWK without a name.
    pub(crate) jwk: Value,
}

/// A JWK under this `kid`.
pub(crate) fn named(jwk: &Value, kid: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk["kid"] = kid.into();
    jwk
}

/// One RSA key pair for all tests: making one takes a while.
pub(crate) fn rsa_pair() -> &'static KeyPair {
    static PAIR: OnceLock<KeyPair> = OnceLock::new();
    PAIR.get_or_init(|| {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let RsaPublicKeyComponents::<Vec<u8>> { n, e } = pair.public_key().into();
        let jwk = json!({"kty": "RSA", "n": base64url(&n), "e": base64url(&e)});
        key_pair(private.as_ref(), public.as_ref(), jwk)
    })
}

pub(crate) fn ec_pair(algorithm: Algorithm) -> KeyPair {
    let (signing, curve) = if algorithm == Algorithm::ES384 {
        (&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    } else {
        (&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    };
    let pair = EcdsaKeyPair::generate(signing).unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
    let jwk = json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)});
    key_pair(pair.to_pkcs8v1().unwrap().as_ref(), public.as_ref(), jwk)
}

pub(crate) fn ed_pair() -> KeyPair {
    let pair = Ed25519KeyPair::generate().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let x = base64url(pair.public_key().as_ref());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
    key_pair(pair.to_pkcs8v1().unwrap().as_ref(), public.as_ref(), jwk)
}

/// A token of exactly this header and these claims, signed by `algorithm` whatever the header says.
pub(crate) fn sign(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = unsigned(header, claims);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// The first two parts of a token.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn key_pair(private: &[u8], public: &[u8], jwk: Value) -> KeyPair {
    KeyPair { private_pem: pem("PRIVATE KEY", private), public_pem: pem("PUBLIC KEY", public), jwk }
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<String> = STANDARD
        .encode(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
