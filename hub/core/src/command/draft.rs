//! What a client asks a backend to do.

use super::MethodName;
use super::budget::Held;
use crate::channel::ChannelName;
use crate::clock::Timestamp;
use crate::event::Payload;
use crate::ids::{CommandId, ConnectionId, UserId};
use crate::limits::{IDEMPOTENCY_KEY_BYTES, Limits, QUESTION_BYTES};
use crate::trace::TraceParent;
use crate::{Reason, Refusal};
use std::sync::Arc;
use std::time::Duration;

/// What a token says beside what the hub itself reads: pairs of name and text, by name.
pub type Claims = Arc<[(Box<str>, Box<str>)]>;

/// A command that somebody wants answered.
#[derive(Clone, Debug)]
pub struct CommandDraft {
    /// The method.
    pub method: MethodName,
    /// What it is about.
    pub channel: Option<ChannelName>,
    /// The arguments.
    pub payload: Payload,
    /// Who calls. None: anonymous, or the hub itself.
    pub user: Option<UserId>,
    /// Which connection calls. None: a plain request.
    pub connection: Option<ConnectionId>,
    /// What else the caller's token says.
    pub claims: Claims,
    /// Lets the command be given to a second backend when the first went away.
    pub idempotency_key: Option<String>,
    /// Where in a trace it stands.
    pub trace: Option<TraceParent>,
}

/// A command on its way to a backend.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its id: of this way, not of the call, so that a reply that comes late is not taken for that of a second try.
    pub id: CommandId,
    /// What is asked.
    pub draft: CommandDraft,
    /// When its client will have been answered in any case, as the wall clock shows it.
    pub deadline: Timestamp,
    /// How long that was from the beginning: clocks of different machines differ.
    pub timeout: Duration,
    /// Its bytes count as long as anybody has it.
    #[expect(dead_code, reason = "it is held to be dropped")]
    pub(crate) held: Option<Arc<Held>>,
}

impl CommandDraft {
    /// Bytes that the command holds in memory, near enough for a budget.
    pub(crate) fn cost(&self) -> usize {
        // The structs, the tables that it stands in, and their allocations' overhead.
        const FIXED: usize = 512;
        let claims: usize = self.claims.iter().map(|(name, text)| name.len() + text.len()).sum();
        FIXED + self.payload.data().len() + claims
    }

    /// Finds what no backend should be asked.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        // An event of the largest size fits when a backend is asked about it.
        let envelope = if self.method.is_reserved() { QUESTION_BYTES } else { 0 };
        let bytes_max = limits.client_event_bytes.saturating_add(envelope);
        let bytes = self.payload.data().len();
        if bytes > bytes_max {
            let message =
                format!("a command has at most {bytes_max} bytes of data, this one {bytes}");
            return Err(Refusal::new(Reason::TooLarge, message).with_field("data"));
        }
        let key_fits = |key: &String| (1..=IDEMPOTENCY_KEY_BYTES).contains(&key.len());
        if !self.idempotency_key.as_ref().is_none_or(key_fits) {
            let message = format!("an idempotency key has 1 to {IDEMPOTENCY_KEY_BYTES} bytes");
            return Err(Refusal::invalid("key", message));
        }
        Ok(())
    }
}
