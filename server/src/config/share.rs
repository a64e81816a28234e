//! A part of a whole, as a number from 0 to 1.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::shape::{Object, Shape, object};

/// What is said of a number that is none.
const RANGE: &str = "must be a number from 0 to 1";

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Share(f64);

impl Share {
    /// The whole.
    pub(crate) const ALL: Share = Share(1.0);

    pub(crate) fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(ShareVisitor)
    }
}

struct ShareVisitor;

impl Visitor<'_> for ShareVisitor {
    type Value = Share;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0 to 1")
    }

    fn visit_f64<E: de::Error>(self, share: f64) -> Result<Share, E> {
        match (0.0..=1.0).contains(&share) {
            true => Ok(Share(share)),
            false => Err(E::custom(RANGE)),
        }
    }

    fn visit_i64<E: de::Error>(self, share: i64) -> Result<Share, E> {
        match share {
            0 => Ok(Share(0.0)),
            1 => Ok(Share::ALL),
            _ => Err(E::custom(RANGE)),
        }
    }

    fn visit_u64<E: de::Error>(self, share: u64) -> Result<Share, E> {
        self.visit_i64(i64::try_from(share).unwrap_or(i64::MAX))
    }
}

impl Shape for Share {
    fn shape() -> Object {
        object([("type", json!("number")), ("minimum", json!(0)), ("maximum", json!(1))])
    }
}
