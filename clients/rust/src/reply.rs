//! What a backend answers a command with.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _, pb};

use crate::failure::Failure;
use crate::proto::CommandReply;
use crate::publish::Publication;

/// A reply, and what is applied with it: first all [`publish`](Self::publish), then all [`join`](Self::join), then all
/// [`leave`](Self::leave), and only then does the client get the reply.
#[derive(Clone, Debug, Default)]
pub struct Reply(CommandReply);

impl Reply {
    /// Data as JSON.
    ///
    /// # Errors
    ///
    /// The data has no form in JSON; as a refusal (`INTERNAL`), for the `?` of a handler.
    pub fn json(data: &(impl Serialize + ?Sized)) -> Result<Self, Refusal> {
        Ok(Self::bytes("application/json", serde_json::to_vec(data)?))
    }

    /// Data of any media type.
    pub fn bytes(content_type: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self(CommandReply {
            content_type: content_type.into(),
            data: data.into(),
            ..CommandReply::default()
        })
    }

    /// No data: the client gets `null`.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Publishes an event, before those that are added later. The API key needs the scope `publish`.
    #[must_use]
    pub fn publish(mut self, event: Publication) -> Self {
        self.0.publish.push(event.into());
        self
    }

    /// Puts the connection that called into a channel. The API key needs the scope `connections`.
    #[must_use]
    pub fn join(mut self, channel: impl Into<String>) -> Self {
        self.0.join.push(channel.into());
        self
    }

    /// Takes the connection that called out of a channel. The API key needs the scope `connections`.
    #[must_use]
    pub fn leave(mut self, channel: impl Into<String>) -> Self {
        self.0.leave.push(channel.into());
        self
    }

    pub(crate) fn answering(self, id: &str, more: bool) -> CommandReply {
        CommandReply { id: id.to_owned(), more, ..self.0 }
    }
}

/// Why a command is not done.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refusal {
    code: Code,
    reason: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// The code decides the HTTP status where the call came over HTTP; the client's program reads `reason`, as in
    /// `ROOM_LOCKED`, and its people the message.
    pub fn new(code: Code, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), message: message.into(), retry_after: None }
    }

    /// Says when the client may try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The handler broke down. What of it is known goes to our own log, not to the client.
    pub(crate) fn panicked() -> Self {
        Self::new(Code::Internal, "INTERNAL", "the handler of this method broke down")
    }

    pub(crate) fn answering(self, id: &str) -> CommandReply {
        let mut details = ErrorDetails::with_error_info(self.reason, "", HashMap::new());
        if let Some(after) = self.retry_after {
            details.set_retry_info(Some(after));
        }
        let status = Status::with_error_details(self.code, self.message, details);
        CommandReply { id: id.to_owned(), error: Some(message(&status)), ..CommandReply::default() }
    }
}

/// The same as a message inside another.
fn message(status: &Status) -> pb::Status {
    // The details of a status are this very message, encoded (google.rpc.Status, as gRPC carries it in a header).
    pb::Status::decode(status.details()).expect("tonic has just encoded it")
}

impl From<Failure> for Refusal {
    /// A call to the hub that failed fails the command that made it, for the same reason.
    fn from(failure: Failure) -> Self {
        let Failure { code, reason, message, retry_after, .. } = failure;
        Self { code, reason, message, retry_after }
    }
}

impl From<serde_json::Error> for Refusal {
    /// What cannot be written as JSON is the fault of the backend.
    fn from(error: serde_json::Error) -> Self {
        Self::new(Code::Internal, "INTERNAL", error.to_string())
    }
}
