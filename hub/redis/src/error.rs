//! Why the broker cannot start: settings that make no sense.
//!
//! A Redis that is away is no such reason: the broker starts, is not ready, and keeps trying.

/// What is wrong with the settings; the words are those of the configuration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RedisError {
    /// `urls` is empty.
    #[error("'urls' is empty: name at least one server, such as \"redis://127.0.0.1:6379/0\"")]
    NoUrls,
    /// One of `urls` cannot be read. The URL itself is left out: it may hold a password.
    #[error(
        "entry {index} of 'urls' is no Redis URL: write \"redis://[user:password@]host:port/database\", or \"rediss://\" for TLS"
    )]
    Url {
        /// Counted from 1.
        index: usize,
    },
    /// More than one URL in `standalone`.
    #[error("mode \"standalone\" has one server: 'urls' names {0}")]
    OneServer(usize),
    /// A server is named twice.
    #[error("entry {index} of 'urls' names a server that stands there already")]
    Twice {
        /// Counted from 1.
        index: usize,
    },
    /// A cluster has no numbered databases.
    #[error("a cluster has the database 0 only")]
    ClusterDatabase,
    /// `prefix` would break the keys.
    #[error("'prefix' is 1 to 64 letters, digits, or any of `._:-`")]
    Prefix,
    /// `primary` is missing.
    #[error(
        "mode \"sentinel\" needs 'primary': the name under which the sentinels watch the server"
    )]
    Primary,
    /// `mode` is none of the modes.
    #[error("'mode' is \"standalone\", \"sentinel\", \"cluster\" or \"shards\"")]
    Mode,
    /// `durability` is none of the policies.
    #[error("'durability' is \"volatile\", \"aof_always\" or \"wait:N\" with N replicas")]
    Durability,
}
