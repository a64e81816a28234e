//! Where a server is to be found. Looked up anew for each connection, as a failover may have moved it.

use crate::Durability;
use crate::address::Address;
use crate::advice;
use crate::dial::{CONNECT, Dialer};
use crate::session::Session;
use crate::settings::Sentinels;
use redis::{ErrorKind, RedisError, RedisResult, Value, cmd};
use std::fmt;
use std::sync::Arc;

/// A server, whatever its address is at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) dialer: Dialer,
    pub(crate) finder: Finder,
    pub(crate) durability: Durability,
    /// It belongs to a cluster.
    pub(crate) clustered: bool,
}

/// How its address is found.
#[derive(Clone, Debug)]
pub(crate) enum Finder {
    /// It is known.
    Fixed(Address),
    /// By asking the sentinels, in turn.
    Sentinels(Arc<[Address]>, Sentinels),
}

impl Place {
    /// Opens a connection for calls.
    pub(crate) async fn open(&self) -> RedisResult<Session> {
        let address = self.find().await?;
        let opening = Session::open(&self.dialer, &address, self.durability, self.clustered);
        tokio::time::timeout(2 * CONNECT, opening)
            .await
            .unwrap_or_else(|_| Err((ErrorKind::Io, "the server does not answer").into()))
    }

    /// The address, if it never changes.
    pub(crate) fn fixed(&self) -> Option<&Address> {
        match &self.finder {
            Finder::Fixed(address) => Some(address),
            Finder::Sentinels(..) => None,
        }
    }

    /// The address at this moment.
    pub(crate) async fn find(&self) -> RedisResult<Address> {
        let (addresses, sentinels) = match &self.finder {
            Finder::Fixed(address) => return Ok(address.clone()),
            Finder::Sentinels(addresses, sentinels) => (addresses, sentinels),
        };
        let mut failure = RedisError::from((ErrorKind::EmptySentinelList, "no sentinel is named"));
        for address in addresses.iter() {
            match sentinels.ask(address).await {
                Ok(primary) => return Ok(primary),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl Sentinels {
    async fn ask(&self, address: &Address) -> RedisResult<Address> {
        let mut connection = self.dialer.dial(address, |_| {}).await?;
        let mut question = cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&*self.primary);
        let answer = tokio::time::timeout(CONNECT, connection.send_packed_command(&question))
            .await
            .unwrap_or_else(|_| Err((ErrorKind::Io, "the sentinel does not answer").into()))?;
        if answer == Value::Nil {
            let kind = ErrorKind::MasterNameNotFoundBySentinel;
            return Err(RedisError::from((kind, advice::UNWATCHED)));
        }
        let (host, port) = redis::from_redis_value(answer)?;
        Ok(Address { host, port })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.finder {
            Finder::Fixed(address) => address.fmt(f),
            Finder::Sentinels(_, sentinels) => f.write_str(&sentinels.primary),
        }
    }
}
