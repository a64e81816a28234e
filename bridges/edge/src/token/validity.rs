//! The claims that limit a token, whoever it is of: from whom, for whom, and for how long.

use super::claims::present;
use fanline_core::clock::Timestamp;
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// These claims, unchecked.
#[derive(Deserialize)]
pub(super) struct Validity {
    #[serde(default, deserialize_with = "present")]
    pub(super) exp: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    pub(super) nbf: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    pub(super) iss: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) aud: Option<AudienceClaim>,
}

/// Seconds since 1970, with or without a fraction (RFC 7519, section 2).
#[derive(Clone, Copy)]
pub(super) struct NumericDate(pub(super) Timestamp);

/// The last second of the year 9999: beyond it a date is an error, and sums with it could overflow.
const LATEST_SECOND: u64 = 253_402_300_799;

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seconds;

        impl Visitor<'_> for Seconds {
            type Value = NumericDate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since 1970, up to the year 9999")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<NumericDate, E> {
                if seconds > LATEST_SECOND {
                    return Err(E::invalid_value(Unexpected::Unsigned(seconds), &self));
                }
                Ok(NumericDate(Timestamp::from_millis(seconds * 1000)))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<NumericDate, E> {
                if !(0.0..=LATEST_SECOND as f64).contains(&seconds) {
                    return Err(E::invalid_value(Unexpected::Float(seconds), &self));
                }
                Ok(NumericDate(Timestamp::from_millis((seconds * 1000.0) as u64)))
            }
        }

        deserializer.deserialize_any(Seconds)
    }
}

/// The claim `aud`: one name or several (RFC 7519, section 4.1.3).
pub(super) struct AudienceClaim(Vec<String>);

impl AudienceClaim {
    pub(super) fn names(&self, audience: &str) -> bool {
        self.0.iter().any(|name| name == audience)
    }
}

impl<'de> Deserialize<'de> for AudienceClaim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = AudienceClaim;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<AudienceClaim, E> {
                Ok(AudienceClaim(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AudienceClaim, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(AudienceClaim(names))
            }
        }

        deserializer.deserialize_any(Names)
    }
}
