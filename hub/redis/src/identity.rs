//! Which history of Redis a connection writes: what the fence in each channel's meta is compared with.
//!
//! Two histories that share a past must not share a fence: a replica that lagged and was promoted counts offsets again
//! that were given away before. A restart may have lost writes, too, unless the operator promised otherwise.

use crate::Durability;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, Pipeline, RedisResult, ServerErrorKind, cmd};

/// What a server says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    run: String,
    replication: String,
    /// Its history is the continuation of another server's.
    promoted: bool,
    primary: bool,
    kind: ServerKind,
    /// Loses nothing in a restart.
    lasting: bool,
}

/// What a server is, which has to fit the mode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ServerKind {
    Single,
    Clustered,
    Sentinel,
}

impl Identity {
    /// Asks a server.
    ///
    /// # Errors
    /// Those of the connection, and that the server still loads its data: until then it calls its log switched off.
    pub(crate) async fn ask(
        connection: &mut MultiplexedConnection,
        durability: Durability,
    ) -> RedisResult<Self> {
        let mut info = Pipeline::new();
        // First whether it still loads its data: what follows holds when it does not.
        for section in ["persistence", "server", "replication"] {
            info.add_command(cmd("INFO").arg(section).take());
        }
        let sections: Vec<String> = info.query_async(connection).await?;
        let identity = Identity::read(&sections.concat())?;
        Ok(match durability {
            Durability::AofAlways if identity.lasting => {
                Identity { lasting: fsyncs_always(connection).await, ..identity }
            }
            Durability::AofAlways | Durability::Volatile | Durability::Wait(_) => {
                Identity { lasting: false, ..identity }
            }
        })
    }

    fn read(info: &str) -> RedisResult<Self> {
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        if field("loading") == "1" {
            let kind = ErrorKind::Server(ServerErrorKind::BusyLoading);
            return Err((kind, "the server is loading its data").into());
        }
        Ok(Identity {
            run: field("run_id"),
            replication: field("master_replid"),
            promoted: field("master_replid2").bytes().any(|b| b != b'0'),
            primary: field("role") == "master",
            kind: match field("redis_mode").as_str() {
                "cluster" => ServerKind::Clustered,
                "sentinel" => ServerKind::Sentinel,
                _ => ServerKind::Single,
            },
            lasting: field("aof_enabled") == "1",
        })
    }

    pub(crate) fn kind(&self) -> ServerKind {
        self.kind
    }

    /// Whether it takes writes.
    pub(crate) fn is_primary(&self) -> bool {
        self.primary
    }

    /// Whether a restart of it loses nothing.
    pub(crate) fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// What distinguishes its history from all others.
    pub(crate) fn fence(&self) -> String {
        if self.promoted {
            format!("P{}", self.replication)
        } else if self.lasting {
            "T".to_owned()
        } else {
            self.run.clone()
        }
    }
}

/// Whether the server writes to disk before it answers. One that does not let us ask is not trusted.
async fn fsyncs_always(connection: &mut MultiplexedConnection) -> bool {
    let asked: RedisResult<Vec<(String, String)>> =
        cmd("CONFIG").arg("GET").arg("appendfsync").query_async(connection).await;
    asked.is_ok_and(|settings| settings.iter().any(|(_, value)| value == "always"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(replid2: &str, loading: u8) -> String {
        format!(
            "# Server\r\nrun_id:run1\r\n# Replication\r\nrole:master\r\nmaster_replid:rep1\r\nmaster_replid2:{replid2}\r\n# Persistence\r\nloading:{loading}\r\naof_enabled:1\r\n"
        )
    }

    fn fence(replid2: &str, lasting: bool) -> String {
        let identity = Identity::read(&info(replid2, 0)).unwrap();
        assert!(identity.is_primary());
        Identity { lasting, ..identity }.fence()
    }

    #[test]
    fn a_server_that_loads_its_data_does_not_know_yet_who_it_is() {
        Identity::read(&info("0000", 1)).unwrap_err();
    }

    #[test]
    fn a_restart_counts_unless_it_loses_nothing_and_a_promotion_always() {
        assert_eq!(fence("0000", false), "run1");
        assert_eq!(fence("0000", true), "T");
        assert_eq!(fence("0a00", false), "Prep1");
        assert_eq!(fence("0a00", true), "Prep1");
    }
}
