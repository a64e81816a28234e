//! A command in the hands of its handler.

use std::time::SystemTime;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tonic::Code;

use crate::proto::serve_request::Item;
use crate::proto::{Command, ServeRequest};
use crate::reply::{Refusal, Reply};

/// Answers commands. Every `async fn(Call) -> Result<Reply, Refusal>` is one, and every closure that returns such a future.
///
/// When nobody waits for a command any more (its client is gone, or its time is over), the future is dropped where it
/// waits. Work that must not stop half-way belongs into a task of its own.
pub trait Handler: Send + Sync + 'static {
    /// Answers a command: with its last reply, or with why it is not done.
    fn handle(&self, call: Call) -> impl Future<Output = Result<Reply, Refusal>> + Send;
}

impl<F, R> Handler for F
where
    F: Fn(Call) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Reply, Refusal>> + Send,
{
    fn handle(&self, call: Call) -> impl Future<Output = Result<Reply, Refusal>> + Send {
        self(call)
    }
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Call {
    /// The command as it came: method, channel, user, connection, claims and all else.
    pub command: Command,
    replies: mpsc::Sender<ServeRequest>,
}

impl Call {
    pub(crate) fn new(command: Command, replies: mpsc::Sender<ServeRequest>) -> Self {
        Self { command, replies }
    }

    /// The arguments, read as JSON.
    ///
    /// # Errors
    ///
    /// They are no JSON, or not of this shape; as a refusal (`INVALID_ARGUMENT`), for the `?` of a handler.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.command.data).map_err(|error| {
            Refusal::new(Code::InvalidArgument, "INVALID_ARGUMENT", format!("data: {error}"))
        })
    }

    /// When the client will have been answered without us.
    #[must_use]
    pub fn deadline(&self) -> Option<SystemTime> {
        self.command.deadline.and_then(|deadline| deadline.try_into().ok())
    }

    /// Sends a reply to which more follow: at least the one that the handler returns.
    ///
    /// It waits while the hub takes no more, and comes to nothing when the connection to the hub is lost; the handler's
    /// future is dropped then.
    pub async fn more(&self, reply: Reply) {
        let reply = Item::Reply(reply.answering(&self.command.id, true));
        let _connection_is_lost = self.replies.send(ServeRequest { item: Some(reply) }).await;
    }
}
