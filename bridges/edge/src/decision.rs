//! What backends decide for the hub: they are asked before anything is accepted (contract section 2, "reserved methods").
//!
//! The answer is no whenever there is none: nobody to ask, no time, an error, or a reply that cannot be read. `null` and
//! `true` are yes, `false` and errors are no, and an object is yes with changes. Read `ask` first; what may be changed about
//! an identity is in `token/amendment.rs`.

use crate::client::ClientEvent;
use crate::object::Object;
use crate::request::also_null;
use crate::token::{Amendment, Identity};
use fanline_core::command::{BackendError, CommandDraft, CommandError, ErrorCode, Reply, Reserved};
use fanline_core::connections::Transport;
use fanline_core::event::Payload;
use fanline_core::ids::ConnectionId;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;
use std::time::Duration;

/// When a client may ask again whose backend does not say.
const RETRY: Duration = Duration::from_secs(1);

/// Who asks for something.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) identity: &'a Identity,
    /// None: there is no connection yet.
    pub(crate) connection: Option<ConnectionId>,
}

/// What a backend is told of a channel operation.
#[derive(Serialize)]
struct ChannelQuestion<'a> {
    /// Whether the token would grant it.
    granted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
}

/// It has nothing to change about it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoChange {}

/// What a backend is told of an event.
#[derive(Serialize)]
struct EventQuestion<'a> {
    granted: bool,
    #[serde(rename = "type")]
    event_type: &'a str,
    data: &'a RawValue,
}

/// What it changes about it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventChange {
    #[serde(rename = "type")]
    event_type: Option<String>,
    #[serde(default, deserialize_with = "also_null")]
    data: Option<Box<RawValue>>,
}

/// What a backend is told of a connection.
#[derive(Serialize)]
struct ConnectionQuestion<'a> {
    transport: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
}

impl Asker<'_> {
    /// Asks whether something may be done in a channel.
    ///
    /// # Errors
    /// It may not.
    pub(crate) async fn about_channel(
        self,
        method: Reserved,
        channel: &ChannelName,
        granted: bool,
    ) -> Result<(), Refusal> {
        let question = ChannelQuestion { granted, info: self.info() };
        let _no_change: Option<NoChange> = self.ask(method, Some(channel), &question, None).await?;
        Ok(())
    }

    /// Asks whether an event may be published, and gives back what it is to be.
    ///
    /// # Errors
    /// It may not.
    pub(crate) async fn about_event(
        self,
        event: ClientEvent,
        granted: bool,
    ) -> Result<ClientEvent, Refusal> {
        let data = serde_json::from_slice(event.payload.data())
            .map_err(|_| Refusal::invalid("data", "only JSON is published here"))?;
        let question = EventQuestion { granted, event_type: event.event_type.as_str(), data };
        let key = event.key.clone();
        let change = self.ask(Reserved::Publish, Some(&event.channel), &question, key).await?;
        let Some(EventChange { event_type, data }) = change else { return Ok(event) };
        let event_type = match event_type {
            Some(text) => text.parse().map_err(|fault| unusable(Reserved::Publish, &fault))?,
            None => event.event_type,
        };
        let payload = data.map_or(event.payload, |data| Payload::json(&data));
        Ok(ClientEvent { event_type, payload, ..event })
    }

    /// Asks whether a connection may be opened, and gives back who it then is.
    ///
    /// # Errors
    /// It may not.
    pub(crate) async fn about_connection(self, transport: Transport) -> Result<Identity, Refusal> {
        let question = ConnectionQuestion { transport: transport.as_str(), info: self.info() };
        let amendment: Option<Amendment> =
            self.ask(Reserved::Connect, None, &question, None).await?;
        let identity = self.identity.clone();
        match amendment {
            Some(amendment) => {
                amendment.apply(identity).map_err(|fault| unusable(Reserved::Connect, &fault))
            }
            None => Ok(identity),
        }
    }

    /// Asks, and gives back what is changed. None: nothing.
    ///
    /// # Cancel safety
    /// Dropped before it answers, the question is given up.
    async fn ask<T: DeserializeOwned>(
        self,
        method: Reserved,
        channel: Option<&ChannelName>,
        question: &impl Serialize,
        key: Option<String>,
    ) -> Result<Option<T>, Refusal> {
        let question = to_raw_value(question).expect("text, flags and JSON can be written");
        let mut call = self.hub.call(CommandDraft {
            method: method.into(),
            channel: channel.cloned(),
            payload: Payload::json(&question),
            user: self.identity.user.clone(),
            connection: self.connection,
            claims: Arc::clone(&self.identity.claims),
            idempotency_key: key,
            trace: None,
        })?;
        match call.next().await {
            Some(Ok(reply)) => read(method, &reply),
            Some(Err(error)) => Err(refusal(method, &error)),
            None => Err(unusable(method, &"it ended in silence")),
        }
    }

    fn info(&self) -> Option<&RawValue> {
        self.identity.info.as_deref().and_then(|info| serde_json::from_slice(info).ok())
    }
}

fn read<T: DeserializeOwned>(method: Reserved, reply: &Reply) -> Result<Option<T>, Refusal> {
    if reply.more {
        return Err(unusable(method, &"a decision is one reply"));
    }
    match reply.payload.data().trim_ascii() {
        b"null" | b"true" => Ok(None),
        b"false" => Err(denied("a backend refused it")),
        object => match serde_json::from_slice(object) {
            Ok(Object(change)) => Ok(Some(change)),
            Err(fault) => Err(unusable(method, &fault)),
        },
    }
}

/// What a client is told whose backend gave no answer, or said no.
fn refusal(method: Reserved, error: &CommandError) -> Refusal {
    let (reason, message) = match error {
        // Without the field, which is one of the command, and that the client never saw.
        CommandError::Hub(cause) => {
            let message = format!("`{}` was not answered: {}", method.as_str(), cause.message());
            (cause.reason(), message)
        }
        CommandError::Backend(backend) => match no_of(backend.code()) {
            Some(reason) => (reason, told(backend, error)),
            // A defect is for those who run the backend.
            None => return unusable(method, error),
        },
    };
    let refusal = Refusal::new(reason, message);
    // Nothing was done, so that the same may be asked again; and a backend that is away comes back.
    if reason.is_retryable() || reason == Reason::NoHandler {
        return refusal.with_retry_after(error.retry_after().unwrap_or(RETRY));
    }
    refusal
}

/// What the code of a backend's error means for its client. None: that it is broken.
fn no_of(code: ErrorCode) -> Option<Reason> {
    Some(match code {
        ErrorCode::InvalidArgument => Reason::InvalidArgument,
        ErrorCode::Unauthenticated => Reason::Unauthenticated,
        // What it objects to is its own affair: to the hub it is a no.
        ErrorCode::PermissionDenied
        | ErrorCode::NotFound
        | ErrorCode::AlreadyExists
        | ErrorCode::FailedPrecondition
        | ErrorCode::Aborted
        | ErrorCode::OutOfRange => Reason::PermissionDenied,
        ErrorCode::ResourceExhausted => Reason::RateLimited,
        ErrorCode::Unavailable => Reason::HandlerUnavailable,
        ErrorCode::Cancelled | ErrorCode::DeadlineExceeded => Reason::HandlerTimeout,
        ErrorCode::Unimplemented => Reason::NoHandler,
        ErrorCode::Unknown | ErrorCode::Internal | ErrorCode::DataLoss => return None,
    })
}

/// The backend's own words, after its reason where it has one of its own.
fn told(backend: &BackendError, error: &CommandError) -> String {
    let message = match error.message() {
        "" => "a backend refused it",
        message => message,
    };
    match error.reason() {
        reason if reason == backend.code().as_str() => message.to_owned(),
        reason => format!("{reason}: {message}"),
    }
}

fn denied(message: &'static str) -> Refusal {
    Refusal::new(Reason::PermissionDenied, message)
}

/// What a client is told of an answer that is none. The fault is told to those who can mend it.
fn unusable(method: Reserved, fault: &dyn std::fmt::Display) -> Refusal {
    tracing::warn!(method = method.as_str(), %fault, "a backend's decision cannot be used");
    Refusal::new(Reason::Internal, "the backend that decides gave no answer that can be used")
}
