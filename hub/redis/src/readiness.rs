//! Whether the broker can be relied on: not whether a connection is open, but whether calls are answered and messages
//! arrive.

use crate::servers::Servers;
use std::sync::Arc;

/// Answers whether the broker is ready. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RedisReadiness(Arc<Servers>);

impl RedisReadiness {
    pub(crate) fn new(servers: Arc<Servers>) -> Self {
        RedisReadiness(servers)
    }

    /// What is wrong, if anything.
    #[must_use]
    pub fn complaint(&self) -> Option<&'static str> {
        let map = self.0.map();
        if map.servers.is_empty() {
            return Some(self.0.unknown());
        }
        map.servers.iter().find_map(|server| server.complaint())
    }
}
