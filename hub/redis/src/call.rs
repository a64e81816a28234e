//! A call of a script, and what can come of it.

use crate::address::Address;
use crate::scripts::Script;
use fanline_core::broker::BrokerError;
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, cmd};

/// A script with its keys and arguments.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) script: Script,
    pub(crate) keys: &'a [String],
    pub(crate) arguments: &'a [Argument<'a>],
    /// Must reach as many replicas as the durability asks for.
    pub(crate) lasting: bool,
}

/// An argument of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Number(u64),
}

impl Call<'_> {
    pub(crate) fn command(&self, hash: &str, fence: &str) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(hash).arg(self.keys.len()).arg(self.keys).arg(fence);
        for argument in self.arguments {
            match argument {
                Argument::Text(text) => command.arg(text),
                Argument::Bytes(bytes) => command.arg(bytes),
                Argument::Number(number) => command.arg(number),
            };
        }
        command
    }
}

/// What went wrong with a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// No answer, or one that says that the server does not work: the outcome is unknown, the connection of no use.
    Away,
    /// The server works, but not now. Nothing was done.
    NotNow,
    /// The channel lives elsewhere. Nothing was done.
    Moved,
    /// This call alone belongs to another server. Nothing was done.
    Ask(Address),
    /// The server forgot the scripts. Nothing was done.
    Forgotten,
    /// It was done, but did not reach enough replicas in time.
    TooFewReplicas,
    /// Redis holds as much as it may. Nothing was done.
    Full,
    /// Something else stands under our key. Nothing was done.
    Foreign,
    /// Redis does not let our user do it, or does not know how. Nothing was done.
    Refused,
}

impl Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list is open")]
    pub(crate) fn of(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(kind) => Failure::of_server(kind, error),
            ErrorKind::Extension => match error.code() {
                Some("OOM") => Failure::Full,
                Some("WRONGTYPE") => Failure::Foreign,
                Some("NOREPLICAS" | "BUSY" | "MISCONF" | "UNKILLABLE") => Failure::NotNow,
                Some("NOAUTH" | "WRONGPASS") => Failure::Away,
                Some(_) | None => Failure::of_text(error),
            },
            // A closed connection, a broken one, or an answer that is none.
            _ => Failure::Away,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the driver's list is open")]
    fn of_server(kind: ServerErrorKind, error: &RedisError) -> Self {
        match kind {
            ServerErrorKind::Moved => Failure::Moved,
            ServerErrorKind::Ask => {
                let asked = error.redirect_node().and_then(|(address, _)| Address::parse(address));
                asked.map_or(Failure::Moved, Failure::Ask)
            }
            ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading => Failure::NotNow,
            ServerErrorKind::ReadOnly => Failure::Away,
            ServerErrorKind::NoScript => Failure::Forgotten,
            _ => Failure::of_text(error),
        }
    }

    /// Errors inside a script lose their code on some versions of Redis, but not their words.
    fn of_text(error: &RedisError) -> Self {
        let text = error.to_string();
        let says = |words: &str| text.contains(words);
        if says("WRONGTYPE") {
            Failure::Foreign
        } else if says("OOM") {
            Failure::Full
        } else if says("READONLY") || says("read only replica") {
            Failure::Away
        } else if says("non local key") || says("NOREPLICAS") || says("MISCONF") {
            Failure::NotNow
        } else {
            Failure::Refused
        }
    }

    /// Whether the same call may be sent again, as it did nothing.
    pub(crate) fn may_be_repeated(&self) -> bool {
        match self {
            Failure::NotNow | Failure::Moved | Failure::Ask(_) | Failure::Forgotten => true,
            Failure::Away
            | Failure::TooFewReplicas
            | Failure::Full
            | Failure::Foreign
            | Failure::Refused => false,
        }
    }
}

impl From<Failure> for BrokerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full => BrokerError::Full("Redis holds as much as its maxmemory allows"),
            Failure::Foreign => BrokerError::Broken(
                "something that is not the hub's stands under a key of the channel",
            ),
            Failure::Refused => BrokerError::Broken("Redis refused the command"),
            Failure::Away
            | Failure::NotNow
            | Failure::Moved
            | Failure::Ask(_)
            | Failure::Forgotten
            | Failure::TooFewReplicas => BrokerError::Unavailable,
        }
    }
}
