//! What to do about a server that cannot be used: a sentence for the log and for `/readyz`, which names the key of the
//! configuration to look at.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// What we find out ourselves, and say in the error, too.
pub(crate) const CLUSTERED: &str =
    "the Redis server is part of a cluster: set `mode = \"cluster\"` in [broker]";
pub(crate) const SENTINEL: &str =
    "the Redis server is a sentinel: set `mode = \"sentinel\"` in [broker]";
pub(crate) const REPLICA: &str = "the Redis server is a replica: name its primary in `urls` of [broker], or set `mode = \"sentinel\"`";
pub(crate) const UNWATCHED: &str =
    "the sentinels watch no server of that name: see `primary` in [broker]";

const LOGIN: &str =
    "Redis refuses the login: see `user` and `password` in [broker], or the URL in `urls`";
const RIGHTS: &str =
    "Redis does not let the hub's user do what it has to: give it the rights in docs/redis.md";
const NO_CLUSTER: &str = "the Redis servers are no cluster: see `mode` in [broker]";
const NO_SENTINELS: &str = "the servers are no sentinels: see `mode` and `urls` in [broker]";
const LOADING: &str = "a Redis server is still loading its data: it is waited for";
const TOO_OLD: &str = "a Redis server does not know a command: the hub needs Redis 7.0 or later";
const UNREACHABLE: &str =
    "a Redis server cannot be reached: see `urls` in [broker], and whether it runs";
const UNKNOWN: &str = "a Redis server is away: the log says why";

/// The advice for an error of a connection that is being made.
#[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list is open")]
pub(crate) fn on(error: &RedisError) -> &'static str {
    let text = error.to_string();
    let own = [CLUSTERED, SENTINEL, REPLICA, UNWATCHED];
    if let Some(own) = own.into_iter().find(|own| text.contains(own)) {
        return own;
    }
    match error.code() {
        Some("WRONGPASS" | "NOAUTH") => return LOGIN,
        Some("NOPERM") => return RIGHTS,
        Some(_) | None => {}
    }
    let lower = text.to_ascii_lowercase();
    match error.kind() {
        ErrorKind::AuthenticationFailed => LOGIN,
        ErrorKind::Server(ServerErrorKind::NoPerm) => RIGHTS,
        ErrorKind::Server(ServerErrorKind::BusyLoading) => LOADING,
        _ if lower.contains("cluster support disabled") => NO_CLUSTER,
        _ if lower.contains("unknown command") && lower.contains("sentinel") => NO_SENTINELS,
        _ if lower.contains("unknown command") => TOO_OLD,
        ErrorKind::Io => UNREACHABLE,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_words_come_back_and_strangers_have_an_answer() {
        for own in [CLUSTERED, SENTINEL, REPLICA, UNWATCHED] {
            assert_eq!(on(&RedisError::from((ErrorKind::InvalidClientConfig, own))), own);
        }
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(on(&RedisError::from(refused)), UNREACHABLE);
        assert_eq!(on(&RedisError::from((ErrorKind::Parse, "?"))), UNKNOWN);
    }
}
