//! The settings by which a broker finds the servers of a test.

use fanline_redis::{Mode, RedisSettings};
use fanline_test_redis::{ClusterSetup, RedisServer, SentinelSetup};

/// Servers that a broker can be told of.
pub(crate) trait Servers {
    /// The settings, everything else at its default.
    fn settings(&self) -> RedisSettings;
}

impl Servers for RedisServer {
    fn settings(&self) -> RedisSettings {
        RedisSettings::standalone(self.url())
    }
}

impl Servers for SentinelSetup {
    fn settings(&self) -> RedisSettings {
        RedisSettings {
            mode: Mode::Sentinel,
            urls: self.urls(),
            primary: SentinelSetup::NAME.into(),
            ..RedisSettings::standalone("")
        }
    }
}

impl Servers for ClusterSetup {
    fn settings(&self) -> RedisSettings {
        RedisSettings { mode: Mode::Cluster, urls: self.urls(), ..RedisSettings::standalone("") }
    }
}

impl Servers for [RedisServer] {
    fn settings(&self) -> RedisSettings {
        RedisSettings {
            mode: Mode::Shards,
            urls: self.iter().map(RedisServer::url).collect(),
            ..RedisSettings::standalone("")
        }
    }
}
