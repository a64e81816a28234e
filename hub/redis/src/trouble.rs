//! Refusals of Redis that only an operator can mend, said in the log: one line in ten seconds, whatever the load.

use crate::call::Failure;
use fanline_core::channel::ChannelName;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(10);

/// When it was last said.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<Instant>>);

impl Trouble {
    /// Says what a publish met, if that is a trouble and it is time.
    pub(crate) fn tell(&self, channel: &ChannelName, failure: &Failure) {
        let advice = match failure {
            Failure::Full => {
                "Redis holds as much as its `maxmemory`: give it more, or keep less history"
            }
            Failure::Foreign => {
                "something that is not the hub's stands under a key of this channel: rename it, or set another `prefix` in [broker]"
            }
            Failure::Refused => {
                "Redis refused the command: see the rights of `user` in [broker], and that it is Redis 7.0 or later"
            }
            Failure::TooFewReplicas => {
                "fewer replicas than `durability` in [broker] asks for have the event: see that they run"
            }
            Failure::Away
            | Failure::NotNow
            | Failure::Moved
            | Failure::Ask(_)
            | Failure::Forgotten => return,
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= INTERVAL) {
            *last = Some(Instant::now());
            tracing::warn!(%channel, advice, "an event could not be published");
        }
    }
}
