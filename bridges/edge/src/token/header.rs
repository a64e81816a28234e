//! The form of a token: three parts, and a header that names a key.
//!
//! Nothing here is trusted: what the header says only selects among configured keys (RFC 8725, sections 3.1 and 3.10).

use super::{Algorithm, unauthenticated};
use crate::object::Object;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanline_core::Refusal;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A token in its three parts (RFC 7515, section 3.1), still encoded.
pub(super) struct SignedToken<'a> {
    /// Header and payload with the dot between them: what is signed.
    pub(super) message: &'a str,
    pub(super) signature: &'a str,
    header: &'a str,
    payload: &'a str,
}

impl<'a> SignedToken<'a> {
    pub(super) fn split(token: &'a str) -> Result<Self, Refusal> {
        let malformed = || unauthenticated("the token is not three parts with dots between them");
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = message.split_once('.').ok_or_else(malformed)?;
        if payload.contains('.') {
            return Err(malformed());
        }
        Ok(SignedToken { message, signature, header, payload })
    }

    pub(super) fn header(&self) -> Result<TokenHeader, Refusal> {
        let json = decode(self.header)?;
        let Object::<HeaderFields>(header) = serde_json::from_slice(&json).map_err(|_| {
            unauthenticated("the token's header is not an object with `alg`, each field once")
        })?;
        header.check()
    }

    /// The claims as JSON bytes. To be called only once the signature is known to be good.
    pub(super) fn payload(&self) -> Result<Vec<u8>, Refusal> {
        decode(self.payload)
    }
}

/// What a header says that matters here.
pub(super) struct TokenHeader {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
}

/// The header on the wire. Key material and addresses in it (`jwk`, `jku`, `x5c`, `x5u`) are not even read.
#[derive(Deserialize)]
struct HeaderFields {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

impl HeaderFields {
    fn check(self) -> Result<TokenHeader, Refusal> {
        // RFC 7515, section 4.1.11: who does not know an extension listed here must refuse. We know none.
        if self.crit.is_some() {
            return Err(unauthenticated(
                "the token needs an extension (`crit`) that is not supported",
            ));
        }
        if self.typ.as_deref().is_some_and(|typ| !is_token_type(typ)) {
            return Err(unauthenticated("the token's `typ` is neither `JWT` nor `at+jwt`"));
        }
        let algorithm = self
            .alg
            .parse()
            .map_err(|_| unauthenticated("the token's algorithm is not one that is supported"))?;
        Ok(TokenHeader { algorithm, kid: self.kid })
    }
}

/// RFC 8725, section 3.11: a token made for something else (a logout, a proof of possession) says so in `typ`.
/// RFC 7515, section 4.1.9: `application/` may be left out, and case does not matter.
fn is_token_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| unauthenticated("the token is not base64url without padding"))
}
