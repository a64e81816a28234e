//! Why the broker cannot start: settings that make no sense.
//!
//! A Redis that is away is no such reason: the broker starts, is not ready, and keeps trying.

/// What is wrong with the settings: a sentence whose subject is the [`key`](Self::key) of the configuration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RedisError {
    /// `urls` is empty.
    #[error("is empty: name at least one server, such as \"redis://127.0.0.1:6379/0\"")]
    NoUrls,
    /// One of `urls` cannot be read. The URL itself is left out: it may hold a password.
    #[error(
        "is no Redis URL: write \"redis://[user:password@]host:port/database\", or \"rediss://\" for TLS"
    )]
    Url {
        /// Counted from 1.
        index: usize,
    },
    /// More than one URL in `standalone`.
    #[error("names {0} servers: mode \"standalone\" has one")]
    OneServer(usize),
    /// A server is named twice.
    #[error("names a server that stands there already")]
    Twice {
        /// Counted from 1.
        index: usize,
    },
    /// The servers behind sentinels or in a cluster have one login.
    #[error(
        "differs from the first in user, password, database or TLS: in this mode they are the same for all servers"
    )]
    Differs {
        /// Counted from 1.
        index: usize,
    },
    /// A cluster has no numbered databases.
    #[error("names a database: a cluster has number 0 only")]
    ClusterDatabase {
        /// Counted from 1.
        index: usize,
    },
    /// `prefix` would break the keys.
    #[error("must be 1 to 64 letters, digits, or any of `._:-`")]
    Prefix,
    /// `primary` is missing.
    #[error(
        "is empty: mode \"sentinel\" needs the name under which the sentinels watch the primary"
    )]
    Primary,
    /// `durability` is none of the policies.
    #[error("must be \"volatile\", \"aof_always\" or \"wait:N\" with N replicas")]
    Durability,
}

impl RedisError {
    /// The key of the configuration that it is about, and which of its entries, counted from 1.
    #[must_use]
    pub fn key(&self) -> (&'static str, Option<usize>) {
        match self {
            RedisError::NoUrls | RedisError::OneServer(_) => ("urls", None),
            RedisError::Url { index }
            | RedisError::Twice { index }
            | RedisError::Differs { index }
            | RedisError::ClusterDatabase { index } => ("urls", Some(*index)),
            RedisError::Prefix => ("prefix", None),
            RedisError::Primary => ("primary", None),
            RedisError::Durability => ("durability", None),
        }
    }
}
