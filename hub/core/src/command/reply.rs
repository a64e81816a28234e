//! What a backend answers.

use crate::channel::ChannelName;
use crate::event::Payload;

/// An answer, or one of several. What it publishes is published by the time that it is one of these.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What the client gets.
    pub payload: Payload,
    /// Whether further replies follow.
    pub more: bool,
    /// Channels that the calling connection is put into before it gets the reply.
    pub join: Vec<ChannelName>,
    /// Channels that it is taken out of after that, and before it gets the reply.
    pub leave: Vec<ChannelName>,
}

impl Reply {
    /// The one and only answer, which does nothing but answer.
    #[must_use]
    pub fn only(payload: Payload) -> Self {
        Reply { payload, more: false, join: Vec::new(), leave: Vec::new() }
    }

    /// Bytes that the reply holds in memory, near enough for a budget.
    pub(crate) fn cost(&self) -> usize {
        const FIXED: usize = 256;
        let names: usize =
            self.join.iter().chain(&self.leave).map(|name| name.as_str().len()).sum();
        FIXED + self.payload.data().len() + names
    }
}
