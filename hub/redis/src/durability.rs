//! What an acknowledged publish can be trusted to survive.

use crate::RedisError;
use std::fmt;
use std::str::FromStr;

/// What the operator promises about Redis, and what the hub asks of it: `volatile`, `aof_always` or `wait:N`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// A restart of Redis may lose acknowledged events. After one, every channel starts a new epoch.
    #[default]
    Volatile,
    /// Redis writes each command to disk before it answers (`appendfsync always`), so that a restart loses nothing and
    /// epochs go on. Checked when connecting: a server that is set up otherwise is treated as volatile.
    AofAlways,
    /// A publish is acknowledged only when this many replicas have it, too.
    Wait(u8),
}

impl FromStr for Durability {
    type Err = RedisError;

    fn from_str(text: &str) -> Result<Self, RedisError> {
        match text {
            "volatile" => Ok(Durability::Volatile),
            "aof_always" => Ok(Durability::AofAlways),
            _ => text
                .strip_prefix("wait:")
                .and_then(|replicas| replicas.parse().ok())
                .filter(|replicas| *replicas > 0)
                .map(Durability::Wait)
                .ok_or(RedisError::Durability),
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Durability::Volatile => f.write_str("volatile"),
            Durability::AofAlways => f.write_str("aof_always"),
            Durability::Wait(replicas) => write!(f, "wait:{replicas}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_reads_as_it_is_written_and_others_are_refused() {
        for text in ["volatile", "aof_always", "wait:1", "wait:2"] {
            assert_eq!(text.parse::<Durability>().unwrap().to_string(), text);
        }
        for text in ["", "always", "wait", "wait:", "wait:0", "wait:-1", "wait:300"] {
            assert!(text.parse::<Durability>().is_err(), "{text:?}");
        }
    }
}
