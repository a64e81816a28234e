//! What an operator chooses: `[broker]` of the configuration, checked.

use crate::address::Address;
use crate::dial::Dialer;
use crate::login::Login;
use crate::{Durability, RedisError};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use std::fmt;

/// The settings of the broker, as written. [`check`](Self::check) turns them into what it is started with.
#[derive(Clone)]
pub struct RedisSettings {
    /// How the servers stand to each other.
    pub mode: Mode,
    /// The servers, or the sentinels. The user, password, database and scheme in them are those of the servers that
    /// hold data, also when the URL names a sentinel.
    pub urls: Vec<String>,
    /// The login for servers whose URL names none.
    pub login: Option<Login>,
    /// The name under which sentinels watch the primary.
    pub primary: String,
    /// The login of the sentinels themselves, when they have any.
    pub sentinel_login: Option<Login>,
    /// What all keys begin with, so that several hubs may share a Redis.
    pub prefix: String,
    /// What an acknowledged publish can be trusted to survive.
    pub durability: Durability,
    /// The certificate authority of the servers, in PEM; none: those of the machine.
    pub ca: Option<Vec<u8>>,
}

/// How the servers stand to each other.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// One server.
    #[default]
    Standalone,
    /// One primary at a time, found through sentinels.
    Sentinel,
    /// Redis Cluster, with sharded pub/sub: Redis 7 or later.
    Cluster,
    /// Several independent servers; each channel has its home on one of them.
    Shards,
}

/// Settings that make sense.
#[derive(Clone, Debug)]
pub struct CheckedSettings {
    pub(crate) mode: Mode,
    pub(crate) addresses: Vec<Address>,
    /// One for all servers, except with shards, where each URL has its own.
    pub(crate) dialers: Vec<Dialer>,
    pub(crate) sentinels: Option<Sentinels>,
    pub(crate) prefix: Box<str>,
    pub(crate) durability: Durability,
}

/// How to ask the sentinels.
#[derive(Clone, Debug)]
pub(crate) struct Sentinels {
    pub(crate) primary: Box<str>,
    pub(crate) dialer: Dialer,
}

impl RedisSettings {
    /// One server, everything else at its default.
    #[must_use]
    pub fn standalone(url: impl Into<String>) -> Self {
        RedisSettings {
            mode: Mode::Standalone,
            urls: vec![url.into()],
            login: None,
            primary: "mymaster".into(),
            sentinel_login: None,
            prefix: "fanline".into(),
            durability: Durability::Volatile,
            ca: None,
        }
    }

    /// Checks that they make sense. Nothing is connected to.
    ///
    /// # Errors
    /// The first that does not, with the key to look at.
    pub fn check(&self) -> Result<CheckedSettings, RedisError> {
        let prefix_fits = (1..=64).contains(&self.prefix.len())
            && self.prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
        if !prefix_fits {
            return Err(RedisError::Prefix);
        }
        let mut addresses: Vec<Address> = Vec::new();
        let mut dialers: Vec<Dialer> = Vec::new();
        for (at, url) in self.urls.iter().enumerate() {
            let index = at + 1;
            let info =
                url.as_str().into_connection_info().map_err(|_| RedisError::Url { index })?;
            let address = address(&info).ok_or(RedisError::Url { index })?;
            if addresses.contains(&address) {
                return Err(RedisError::Twice { index });
            }
            if self.mode == Mode::Cluster && info.redis_settings().db() != 0 {
                return Err(RedisError::ClusterDatabase { index });
            }
            let dialer = Dialer::new(&info, self.login.as_ref(), self.ca.clone());
            // Which servers a cluster or sentinels will name is not known yet: one login serves them all.
            let one_login = matches!(self.mode, Mode::Cluster | Mode::Sentinel);
            if one_login && dialers.first().is_some_and(|first| !first.logs_in_like(&dialer)) {
                return Err(RedisError::Differs { index });
            }
            addresses.push(address);
            dialers.push(dialer);
        }
        let Some(first) = dialers.first() else {
            return Err(RedisError::NoUrls);
        };
        if self.mode == Mode::Standalone && addresses.len() > 1 {
            return Err(RedisError::OneServer(addresses.len()));
        }
        let sentinels = if self.mode == Mode::Sentinel {
            if self.primary.is_empty() {
                return Err(RedisError::Primary);
            }
            let dialer = first.for_sentinels(self.sentinel_login.as_ref());
            Some(Sentinels { primary: self.primary.as_str().into(), dialer })
        } else {
            None
        };
        Ok(CheckedSettings {
            mode: self.mode,
            addresses,
            dialers,
            sentinels,
            prefix: self.prefix.as_str().into(),
            durability: self.durability,
        })
    }
}

fn address(info: &ConnectionInfo) -> Option<Address> {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Some(Address { host: host.clone(), port: *port })
        }
        // A hub that shares nothing over the network with other hubs needs no Redis.
        ConnectionAddr::Unix(_) | _ => None,
    }
}

impl fmt::Debug for RedisSettings {
    /// Leaves the URLs out: they may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("mode", &self.mode)
            .field("urls", &self.urls.len())
            .field("primary", &self.primary)
            .field("prefix", &self.prefix)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(mode: Mode, urls: &[&str]) -> RedisSettings {
        RedisSettings {
            mode,
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            ..RedisSettings::standalone("")
        }
    }

    fn refusal(settings: &RedisSettings) -> RedisError {
        settings.check().unwrap_err()
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_by_name() {
        let url = "redis://127.0.0.1:7000";
        assert_eq!(refusal(&settings(Mode::Standalone, &[])), RedisError::NoUrls);
        let two = settings(Mode::Standalone, &[url, "redis://127.0.0.1:7001"]);
        assert_eq!(refusal(&two), RedisError::OneServer(2));
        for bad in ["http://127.0.0.1", "127.0.0.1", "unix:///tmp/redis.sock"] {
            assert_eq!(
                refusal(&settings(Mode::Shards, &[url, bad])),
                RedisError::Url { index: 2 },
                "{bad}"
            );
        }
        assert_eq!(refusal(&settings(Mode::Shards, &[url, url])), RedisError::Twice { index: 2 });
        let numbered = settings(Mode::Cluster, &["redis://127.0.0.1:7000/3"]);
        assert_eq!(refusal(&numbered), RedisError::ClusterDatabase { index: 1 });
        for other in ["rediss://127.0.0.1:7001", "redis://ada:x@127.0.0.1:7001"] {
            let differing = settings(Mode::Cluster, &[url, other]);
            assert_eq!(refusal(&differing), RedisError::Differs { index: 2 }, "{other}");
            assert!(settings(Mode::Shards, &[url, other]).check().is_ok());
        }
        for prefix in ["", "a{b", "a b", &"x".repeat(65)] {
            let settings =
                RedisSettings { prefix: prefix.into(), ..RedisSettings::standalone(url) };
            assert_eq!(refusal(&settings), RedisError::Prefix, "{prefix:?}");
        }
        let unnamed = RedisSettings { primary: String::new(), ..settings(Mode::Sentinel, &[url]) };
        assert_eq!(refusal(&unnamed), RedisError::Primary);
    }

    #[test]
    fn passwords_stay_out_of_what_is_printed() {
        let login = Some(Login { user: None, password: "hunter2".into() });
        let settings = RedisSettings {
            sentinel_login: login.clone(),
            login,
            ..RedisSettings::standalone("redis://ada:hunter2@127.0.0.1:7000")
        };
        let printed = format!("{settings:?} {:?}", settings.check().unwrap());
        assert!(!printed.contains("hunter2"), "{printed}");
        let refusal = RedisSettings::standalone("http://ada:hunter2@x").check().unwrap_err();
        assert!(!refusal.to_string().contains("hunter2"));
    }

    #[test]
    fn the_login_is_for_urls_without_one() {
        let login = Some(Login { user: Some("fanline".into()), password: "p@ss/word".into() });
        let urls = ["redis://127.0.0.1:7000", "redis://ada:hunter2@127.0.0.1:7001"];
        let shards = RedisSettings { login, ..settings(Mode::Shards, &urls) };
        let dialers = shards.check().unwrap().dialers;
        let users: Vec<_> = dialers.iter().map(|dialer| format!("{dialer:?}")).collect();
        assert!(users[0].contains("\"fanline\"") && users[1].contains("\"ada\""), "{users:?}");
    }
}
