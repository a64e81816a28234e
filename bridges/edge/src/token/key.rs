//! The keys that tokens are verified with, checked before the first of them.
//!
//! A key decides its algorithm; a token only repeats it. How keys that an issuer publishes are read is in
//! [`jwk`](super::jwk).

use super::header::{SignedToken, TokenHeader};
use crate::limits::{TOKEN_RSA_BITS, TOKEN_RSA_BITS_MAX, TOKEN_SECRET_BYTES};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, VerificationAlgorithm,
};
use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use std::fmt;

pub use jsonwebtoken::Algorithm;

/// A configured key.
#[derive(Clone, Debug)]
pub struct TokenKey {
    /// The name that a token's `kid` has to repeat. Without it the key serves tokens with any `kid`.
    pub kid: Option<String>,
    /// The only algorithm that the key is used with.
    pub algorithm: Algorithm,
    /// What the key consists of.
    pub material: KeyMaterial,
    /// Whose tokens it verifies.
    pub usage: KeyUse,
}

/// What a key consists of.
#[derive(Clone)]
pub enum KeyMaterial {
    /// The shared secret of an HMAC key, as raw bytes.
    Secret(Vec<u8>),
    /// A public key: a PEM block `PUBLIC KEY` or `RSA PUBLIC KEY`.
    PublicKeyPem(Vec<u8>),
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyMaterial::Secret(_) => f.write_str("Secret(hidden)"),
            KeyMaterial::PublicKeyPem(_) => f.write_str("PublicKeyPem(..)"),
        }
    }
}

/// Whose tokens a key verifies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyUse {
    /// Clients on a bridge.
    Client,
    /// Backend services over gRPC.
    Service,
}

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenKeyError {
    /// A secret that could be guessed.
    #[error("the secret has {0} bytes, fewer than {TOKEN_SECRET_BYTES}")]
    ShortSecret(usize),
    /// A public key where a secret belongs.
    #[error("{0:?} needs a secret, not a public key")]
    NeedsSecret(Algorithm),
    /// A secret where a public key belongs.
    #[error("{0:?} needs a public key, not a secret")]
    NeedsPublicKey(Algorithm),
    /// The one half of the pair that must not be here.
    #[error("the file holds a private key; the hub verifies with the public one")]
    PrivateKey,
    /// Not a PEM block, or one of something else.
    #[error("the file holds no PEM block `PUBLIC KEY` or `RSA PUBLIC KEY`")]
    NotPublicKey,
    /// A key of another kind or curve.
    #[error("the public key does not fit {0:?}")]
    Mismatch(Algorithm),
    /// An RSA key that could be factored.
    #[error("the RSA key has {0} bits, fewer than {TOKEN_RSA_BITS}")]
    ShortRsa(usize),
    /// An RSA key that nothing could be verified by.
    #[error("the RSA key has {0} bits, more than {TOKEN_RSA_BITS_MAX}")]
    LongRsa(usize),
}

/// What a public key is made of, as big-endian bytes without leading zeros.
pub(super) enum KeyNumbers {
    /// Modulus and exponent.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// A point of one of the NIST curves, uncompressed: 4, x, y.
    Ec(Vec<u8>),
    /// A point of Ed25519.
    Ed(Vec<u8>),
}

/// A key that was checked and is ready to verify.
#[derive(Debug)]
pub(super) struct VerificationKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerificationKey {
    pub(super) fn prepare(key: &TokenKey) -> Result<Self, TokenKeyError> {
        let algorithm = key.algorithm;
        let decoding = match &key.material {
            KeyMaterial::Secret(secret) => secret_key(secret, algorithm)?,
            KeyMaterial::PublicKeyPem(pem) => public_key(pem, algorithm)?,
        };
        Ok(VerificationKey { kid: key.kid.clone(), algorithm, key: decoding })
    }

    /// The public key of these numbers.
    pub(super) fn published(
        kid: Option<String>,
        algorithm: Algorithm,
        numbers: &KeyNumbers,
    ) -> Result<Self, TokenKeyError> {
        let key = match numbers {
            KeyNumbers::Rsa { modulus, exponent } => {
                check_numbers(modulus, exponent, algorithm)?;
                DecodingKey::from_rsa_raw_components(modulus, exponent)
            }
            KeyNumbers::Ec(point) => {
                check_curve(point, algorithm)?;
                DecodingKey::from_ec_der(point)
            }
            KeyNumbers::Ed(point) => {
                check_curve(point, algorithm)?;
                DecodingKey::from_ed_der(point)
            }
        };
        Ok(VerificationKey { kid, algorithm, key })
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the token claims to be signed by this key: the same algorithm, and no other `kid`.
    pub(super) fn is_named_by(&self, header: &TokenHeader) -> bool {
        let same_kid = match (&self.kid, &header.kid) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => true,
        };
        same_kid && self.algorithm == header.algorithm
    }

    /// Whether the signature is this key's, by this key's own algorithm.
    pub(super) fn signed(&self, token: &SignedToken<'_>) -> bool {
        jsonwebtoken::crypto::verify(
            token.signature,
            token.message.as_bytes(),
            &self.key,
            self.algorithm,
        )
        .unwrap_or(false)
    }
}

fn secret_key(secret: &[u8], algorithm: Algorithm) -> Result<DecodingKey, TokenKeyError> {
    if algorithm.family() != AlgorithmFamily::Hmac {
        return Err(TokenKeyError::NeedsPublicKey(algorithm));
    }
    if secret.len() < TOKEN_SECRET_BYTES {
        return Err(TokenKeyError::ShortSecret(secret.len()));
    }
    Ok(DecodingKey::from_secret(secret))
}

/// Reads a public key and makes sure that it can verify at all: otherwise every token would be refused, with no clue.
fn public_key(pem: &[u8], algorithm: Algorithm) -> Result<DecodingKey, TokenKeyError> {
    let (read, check): (KeyReader, KeyCheck) = match algorithm.family() {
        AlgorithmFamily::Hmac => return Err(TokenKeyError::NeedsSecret(algorithm)),
        AlgorithmFamily::Rsa => (DecodingKey::from_rsa_pem, check_size),
        AlgorithmFamily::Ec => (DecodingKey::from_ec_pem, check_curve),
        AlgorithmFamily::Ed => (DecodingKey::from_ed_pem, check_curve),
    };
    check_label(pem)?;
    let key = read(pem).map_err(|_| TokenKeyError::Mismatch(algorithm))?;
    check(key.try_get_as_bytes().map_err(|_| TokenKeyError::Mismatch(algorithm))?, algorithm)?;
    Ok(key)
}

type KeyReader = fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>;
type KeyCheck = fn(&[u8], Algorithm) -> Result<(), TokenKeyError>;

fn check_size(rsa: &[u8], algorithm: Algorithm) -> Result<(), TokenKeyError> {
    let key =
        aws_lc_rs::rsa::PublicKey::from_der(rsa).map_err(|_| TokenKeyError::Mismatch(algorithm))?;
    let RsaPublicKeyComponents::<Vec<u8>> { n, e } = RsaPublicKeyComponents::from(&key);
    check_numbers(&n, &e, algorithm)
}

fn check_numbers(n: &[u8], e: &[u8], algorithm: Algorithm) -> Result<(), TokenKeyError> {
    let unused = n.first().map_or(0, |first| first.leading_zeros() as usize);
    let bits = n.len() * 8 - unused;
    if bits < TOKEN_RSA_BITS {
        return Err(TokenKeyError::ShortRsa(bits));
    }
    if bits > TOKEN_RSA_BITS_MAX {
        return Err(TokenKeyError::LongRsa(bits));
    }
    RsaPublicKeyComponents { n, e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map(drop)
        .map_err(|_| TokenKeyError::Mismatch(algorithm))
}

fn check_curve(point: &[u8], algorithm: Algorithm) -> Result<(), TokenKeyError> {
    let curve: &'static dyn VerificationAlgorithm = if algorithm == Algorithm::EdDSA {
        &ED25519
    } else if algorithm == Algorithm::ES384 {
        &ECDSA_P384_SHA384_FIXED
    } else {
        &ECDSA_P256_SHA256_FIXED
    };
    ParsedPublicKey::new(curve, point).map(drop).map_err(|_| TokenKeyError::Mismatch(algorithm))
}

/// A certificate would be read as well, but nobody would check its dates and names.
fn check_label(pem: &[u8]) -> Result<(), TokenKeyError> {
    let text = String::from_utf8_lossy(pem);
    if text.contains("PRIVATE KEY-----") {
        return Err(TokenKeyError::PrivateKey);
    }
    let labels = ["-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----"];
    if labels.iter().any(|label| text.contains(label)) {
        Ok(())
    } else {
        Err(TokenKeyError::NotPublicKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::testing::{KeyPair, ec_pair, ed_pair, rsa_pair};

    fn prepared(algorithm: Algorithm, material: KeyMaterial) -> Result<(), TokenKeyError> {
        let key = TokenKey { kid: None, algorithm, material, usage: KeyUse::Client };
        VerificationKey::prepare(&key).map(drop)
    }

    fn secret(bytes: usize) -> KeyMaterial {
        KeyMaterial::Secret(vec![7; bytes])
    }

    fn public(pair: &KeyPair) -> KeyMaterial {
        KeyMaterial::PublicKeyPem(pair.public_pem.clone().into_bytes())
    }

    #[test]
    fn a_secret_has_at_least_32_bytes() {
        assert_eq!(prepared(Algorithm::HS256, secret(31)), Err(TokenKeyError::ShortSecret(31)));
        assert_eq!(prepared(Algorithm::HS512, secret(32)), Ok(()));
    }

    #[test]
    fn the_material_fits_the_algorithm_or_is_refused_at_start() {
        let (rsa, p256, ed) = (rsa_pair(), ec_pair(Algorithm::ES256), ed_pair());
        for algorithm in [Algorithm::RS256, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384] {
            assert_eq!(prepared(algorithm, public(rsa)), Ok(()));
        }
        assert_eq!(prepared(Algorithm::ES256, public(&p256)), Ok(()));
        assert_eq!(prepared(Algorithm::EdDSA, public(&ed)), Ok(()));

        assert_eq!(
            prepared(Algorithm::HS256, public(rsa)),
            Err(TokenKeyError::NeedsSecret(Algorithm::HS256))
        );
        assert_eq!(
            prepared(Algorithm::RS256, secret(64)),
            Err(TokenKeyError::NeedsPublicKey(Algorithm::RS256))
        );
        assert_eq!(
            prepared(Algorithm::ES384, public(&p256)),
            Err(TokenKeyError::Mismatch(Algorithm::ES384))
        );
        assert_eq!(
            prepared(Algorithm::RS256, public(&p256)),
            Err(TokenKeyError::Mismatch(Algorithm::RS256))
        );
        assert_eq!(
            prepared(Algorithm::ES256, public(&ed)),
            Err(TokenKeyError::Mismatch(Algorithm::ES256))
        );
    }

    #[test]
    fn only_a_public_key_in_pem_form_is_read() {
        let pem = |text: &str| KeyMaterial::PublicKeyPem(text.as_bytes().to_vec());
        assert_eq!(
            prepared(Algorithm::RS256, pem(&rsa_pair().private_pem)),
            Err(TokenKeyError::PrivateKey)
        );
        for text in
            ["", "not a key", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            assert_eq!(
                prepared(Algorithm::RS256, pem(text)),
                Err(TokenKeyError::NotPublicKey),
                "{text:?}"
            );
        }
        let broken = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        assert_eq!(
            prepared(Algorithm::RS256, pem(broken)),
            Err(TokenKeyError::Mismatch(Algorithm::RS256))
        );
    }

    #[test]
    fn an_rsa_key_has_at_least_2048_bits() {
        let weak = KeyMaterial::PublicKeyPem(RSA_1024.as_bytes().to_vec());
        assert_eq!(prepared(Algorithm::RS256, weak), Err(TokenKeyError::ShortRsa(1024)));
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let key = TokenKey {
            kid: None,
            algorithm: Algorithm::HS256,
            material: secret(32),
            usage: KeyUse::Client,
        };
        let ready = VerificationKey::prepare(&key).unwrap();
        let printed = format!("{key:?} {ready:?}");
        assert!(!printed.contains("7, 7"), "{printed}");
    }

    /// Made for this test; the library makes none so small.
    const RSA_1024: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC+W31gx0eoCT+l+OD29XlUsr+6
NX4MihdObqDB4NLHl8Eo0QNnXv/4dLvrZ/9Zd/Qw/MBwnhK274VrpPyFk7BLTyof
8AZEx0voJbLVy5+01VOX/l64wtRKm7gGKr0E9L73BVsMOq7eh91E4t3vj24v0W+N
gMwSYY/Iq1THHX8CqQIDAQAB
-----END PUBLIC KEY-----
";
}
