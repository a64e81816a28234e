//! A user of Redis and its password.

use redis::RedisConnectionInfo;
use std::fmt;

/// Who the hub is to Redis.
#[derive(Clone, Eq, PartialEq)]
pub struct Login {
    /// The user of an access control list. None: the default user, whose password is that of `requirepass`.
    pub user: Option<String>,
    /// Its password.
    pub password: String,
}

impl Login {
    pub(crate) fn apply(&self, info: RedisConnectionInfo) -> RedisConnectionInfo {
        let info = match &self.user {
            Some(user) => info.set_username(user),
            None => info,
        };
        info.set_password(&self.password)
    }
}

impl fmt::Debug for Login {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}
