//! Keys and signed tokens for the tests of this module: any header, any claims.

use super::{Algorithm, Identity};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fanline_core::clock::Timestamp;
use fanline_core::ids::UserId;
use fanline_core::permission::Grants;
use jsonwebtoken::EncodingKey;
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

/// A key pair in the form that operators have it in.
pub(crate) struct KeyPair {
    pub(crate) private_pem: String,
    pub(crate) public_pem: String,
}

/// One RSA key pair for all tests: making one takes a while.
pub(crate) fn rsa_pair() -> &'static KeyPair {
    static PAIR: OnceLock<KeyPair> = OnceLock::new();
    PAIR.get_or_init(|| {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        pem_pair(private.as_ref(), public.as_ref())
    })
}

pub(crate) fn ec_pair(algorithm: Algorithm) -> KeyPair {
    let signing = if algorithm == Algorithm::ES384 {
        &ECDSA_P384_SHA384_FIXED_SIGNING
    } else {
        &ECDSA_P256_SHA256_FIXED_SIGNING
    };
    let pair = EcdsaKeyPair::generate(signing).unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    pem_pair(pair.to_pkcs8v1().unwrap().as_ref(), public.as_ref())
}

pub(crate) fn ed_pair() -> KeyPair {
    let pair = Ed25519KeyPair::generate().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    pem_pair(pair.to_pkcs8v1().unwrap().as_ref(), public.as_ref())
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

fn pem_pair(private: &[u8], public: &[u8]) -> KeyPair {
    KeyPair { private_pem: pem("PRIVATE KEY", private), public_pem: pem("PUBLIC KEY", public) }
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
