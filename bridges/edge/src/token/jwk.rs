//! One published key (JWK, RFC 7517), from JSON to what verifies.
//!
//! Read here and not by the library's own type, which does not look at `d`, lets members stand twice, and leaves it to
//! the caller that curve and algorithm agree. Whatever is odd about a key makes it unusable, and the others of its set
//! stay good (RFC 7517, section 5).

use super::key::{KeyNumbers, VerificationKey};
use super::{Algorithm, TokenKeyError};
use crate::object::Object;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Bytes of a coordinate of P-256 (RFC 7518, section 6.2.1.2).
const P256_BYTES: usize = 32;
/// Bytes of a coordinate of P-384.
const P384_BYTES: usize = 48;

/// Why a published key is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnusableKey {
    /// It could not be read.
    #[error("it is not an object with the members of a key, each once")]
    Malformed,
    /// A shared secret: whoever can fetch it could sign.
    #[error("it is a secret (`kty` is `oct`), which cannot be published")]
    Secret,
    /// The half of the pair that must not be here: whoever can fetch it can sign.
    #[error("its private half (`d`) is published too: it is no longer anybody's own")]
    Private,
    /// A kind or a curve that no algorithm here uses.
    #[error("its `kty` or `crv` is of no algorithm that is supported")]
    Kind,
    /// A key for encryption, say.
    #[error("it is not for verifying signatures (`use` or `key_ops`)")]
    Use,
    /// A key for other algorithms than the listed ones.
    #[error("it is for none of the accepted algorithms")]
    Algorithm,
    /// A key that no token could name.
    #[error("it has no `kid`, and it is not the only key")]
    Nameless,
    /// What it consists of is no key, or a weak one.
    #[error(transparent)]
    Unfit(#[from] TokenKeyError),
}

/// A key on the wire. Certificates of it (`x5c` and its like) are not even read.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
    #[serde(default)]
    d: Option<IgnoredAny>,
}

/// The keys that a JWK is to the hub: one for each of the `accepted` algorithms that it may be used with.
///
/// # Errors
/// Why there is none.
pub(super) fn read(
    json: &str,
    accepted: &[Algorithm],
) -> Result<Vec<VerificationKey>, UnusableKey> {
    let Object::<Jwk>(jwk) = serde_json::from_str(json).map_err(|_| UnusableKey::Malformed)?;
    if jwk.kty == "oct" {
        return Err(UnusableKey::Secret);
    }
    if jwk.d.is_some() {
        return Err(UnusableKey::Private);
    }
    if !jwk.is_for_signatures() {
        return Err(UnusableKey::Use);
    }
    let fitting = jwk.algorithms().ok_or(UnusableKey::Kind)?;
    let named = |algorithm: &Algorithm| {
        jwk.alg
            .as_ref()
            .is_none_or(|alg| alg.parse::<Algorithm>().is_ok_and(|alg| alg == *algorithm))
    };
    let algorithms: Vec<_> = accepted
        .iter()
        .filter(|algorithm| fitting.contains(algorithm) && named(algorithm))
        .collect();
    if algorithms.is_empty() {
        return Err(UnusableKey::Algorithm);
    }
    let numbers = jwk.numbers().ok_or(UnusableKey::Malformed)?;
    let key = |&&algorithm: &&Algorithm| {
        Ok(VerificationKey::published(jwk.kid.clone(), algorithm, &numbers)?)
    };
    algorithms.iter().map(key).collect()
}

impl Jwk {
    /// RFC 7517, sections 4.2 and 4.3: neither has to be there.
    fn is_for_signatures(&self) -> bool {
        self.usage.as_ref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"))
    }

    /// The algorithms that the kind of the key allows. None: it is of no known kind.
    fn algorithms(&self) -> Option<&'static [Algorithm]> {
        match (&*self.kty, self.crv.as_deref()) {
            ("RSA", _) => Some(&[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ]),
            ("EC", Some("P-256")) => Some(&[Algorithm::ES256]),
            ("EC", Some("P-384")) => Some(&[Algorithm::ES384]),
            ("OKP", Some("Ed25519")) => Some(&[Algorithm::EdDSA]),
            _ => None,
        }
    }

    /// What the key consists of. None: something is missing, or is no number of its kind.
    fn numbers(&self) -> Option<KeyNumbers> {
        match (&*self.kty, self.crv.as_deref()) {
            ("RSA", _) => Some(KeyNumbers::Rsa {
                modulus: without_leading_zeros(decode(self.n.as_ref())?),
                exponent: without_leading_zeros(decode(self.e.as_ref())?),
            }),
            ("EC", curve) => {
                let bytes = if curve == Some("P-384") { P384_BYTES } else { P256_BYTES };
                let (x, y) = (decode(self.x.as_ref())?, decode(self.y.as_ref())?);
                // Each by itself: the bytes of one must not fill up the other.
                (x.len() == bytes && y.len() == bytes)
                    .then(|| KeyNumbers::Ec([&[4], &*x, &*y].concat()))
            }
            _ => decode(self.x.as_ref()).map(KeyNumbers::Ed),
        }
    }
}

fn decode(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

/// RFC 7518, section 6.3.1.1 forbids them, and some issuers write one all the same.
fn without_leading_zeros(number: Vec<u8>) -> Vec<u8> {
    number.into_iter().skip_while(|&byte| byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::testing::{ec_pair, ed_pair, rsa_pair};
    use serde_json::{Value, json};

    const ALL: [Algorithm; 5] =
        [Algorithm::RS256, Algorithm::PS384, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];

    fn algorithms(jwk: &Value) -> Result<Vec<Algorithm>, UnusableKey> {
        algorithms_of(jwk, &ALL)
    }

    fn algorithms_of(jwk: &Value, accepted: &[Algorithm]) -> Result<Vec<Algorithm>, UnusableKey> {
        let keys = read(&jwk.to_string(), accepted)?;
        Ok(keys.iter().map(VerificationKey::algorithm).collect())
    }

    fn with(jwk: &Value, member: &str, value: Value) -> Value {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        jwk
    }

    #[test]
    fn the_kind_of_a_key_says_which_of_the_accepted_algorithms_it_is_for() {
        let (p256, p384) = (ec_pair(Algorithm::ES256).jwk, ec_pair(Algorithm::ES384).jwk);
        let (rsa, ed) = (&rsa_pair().jwk, ed_pair().jwk);
        assert_eq!(algorithms(rsa), Ok(vec![Algorithm::RS256, Algorithm::PS384]));
        assert_eq!(algorithms(&p256), Ok(vec![Algorithm::ES256]));
        assert_eq!(algorithms(&p384), Ok(vec![Algorithm::ES384]));
        assert_eq!(algorithms(&ed), Ok(vec![Algorithm::EdDSA]));
        assert_eq!(algorithms_of(&p256, &[Algorithm::RS256]), Err(UnusableKey::Algorithm));
        assert_eq!(algorithms_of(rsa, &[]), Err(UnusableKey::Algorithm));
    }

    #[test]
    fn what_a_key_says_of_its_algorithm_and_use_is_held_to() {
        let rsa = &rsa_pair().jwk;
        assert_eq!(algorithms(&with(rsa, "alg", json!("PS384"))), Ok(vec![Algorithm::PS384]));
        for alg in ["RS512", "ES256", "RSA-OAEP", "none", "HS256", "rs256"] {
            let jwk = with(rsa, "alg", json!(alg));
            assert_eq!(algorithms(&jwk), Err(UnusableKey::Algorithm), "{alg}");
        }
        assert!(algorithms(&with(rsa, "use", json!("sig"))).is_ok());
        assert_eq!(algorithms(&with(rsa, "use", json!("enc"))), Err(UnusableKey::Use));
        assert!(algorithms(&with(rsa, "key_ops", json!(["verify"]))).is_ok());
        assert_eq!(algorithms(&with(rsa, "key_ops", json!(["encrypt"]))), Err(UnusableKey::Use));
    }

    #[test]
    fn what_must_not_be_public_is_not_used() {
        let oct = json!({"kty": "oct", "kid": "a", "k": URL_SAFE_NO_PAD.encode([7; 64])});
        assert_eq!(algorithms_of(&oct, &[Algorithm::HS256]), Err(UnusableKey::Secret));
        let private = with(&ed_pair().jwk, "d", json!(URL_SAFE_NO_PAD.encode([7; 32])));
        assert_eq!(algorithms(&private), Err(UnusableKey::Private));
    }

    #[test]
    fn a_key_that_is_none_or_a_weak_one_is_not_used() {
        let p256 = ec_pair(Algorithm::ES256).jwk;
        let p384 = ec_pair(Algorithm::ES384).jwk;
        for kind in
            [json!({"kty": "EC", "crv": "secp256k1"}), json!({"kty": "OKP", "crv": "X25519"})]
        {
            assert_eq!(algorithms(&kind), Err(UnusableKey::Kind), "{kind}");
        }
        for jwk in [
            json!([]),
            json!({}),
            json!({"kty": "RSA"}),
            json!({"kty": "EC", "crv": "P-256", "x": p256["x"]}),
            with(&p256, "x", p384["x"].clone()),
            with(&p256, "y", json!("not base64!")),
            with(&p256, "kid", json!(7)),
        ] {
            assert_eq!(algorithms(&jwk), Err(UnusableKey::Malformed), "{jwk}");
        }
        let doubled = r#"{"kty":"RSA","kty":"oct"}"#;
        assert_eq!(read(doubled, &ALL).unwrap_err(), UnusableKey::Malformed);
        // Two good numbers that are no point of the curve.
        let off = with(&p256, "y", p256["x"].clone());
        let mismatch = UnusableKey::Unfit(TokenKeyError::Mismatch(Algorithm::ES256));
        assert_eq!(algorithms(&off), Err(mismatch));
        let of_size = |bytes: usize| {
            let modulus = [&[0][..], &[0x7f], &vec![0xff; bytes - 1]].concat();
            algorithms(&with(&rsa_pair().jwk, "n", json!(URL_SAFE_NO_PAD.encode(modulus))))
        };
        let unfit = |error| Err(UnusableKey::Unfit(error));
        assert_eq!(of_size(256), unfit(TokenKeyError::ShortRsa(2047)));
        assert_eq!(of_size(1025), unfit(TokenKeyError::LongRsa(8199)));
    }
}
