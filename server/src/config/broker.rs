//! `[broker]`: what carries events and keeps history.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::section::section;

section! {
    /// What carries events and keeps history.
    BrokerConfig {
        /// "memory": inside this process, for one node; history does not outlive it.
        kind: BrokerKind = BrokerKind::Memory;
    }
}

/// The brokers there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BrokerKind {
    Memory,
}

impl<'de> Deserialize<'de> for BrokerKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(BrokerKindVisitor)
    }
}

struct BrokerKindVisitor;

impl Visitor<'_> for BrokerKindVisitor {
    type Value = BrokerKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"memory\"")
    }

    fn visit_str<E: de::Error>(self, kind: &str) -> Result<BrokerKind, E> {
        match kind {
            "memory" => Ok(BrokerKind::Memory),
            // People will try it: the generic sentence would read as if they had misspelt it.
            "redis" => Err(E::custom(
                "cannot be \"redis\" yet: this version has the broker \"memory\" only, for one node",
            )),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }
}
