//! Channels in which something may have been missed, on their way to the hub.
//!
//! A set, not a queue: however often a channel is suspected, the hub looks once. So it is bounded by the channels that
//! the node follows, and never loses a suspicion because the hub is busy.

use fanline_core::broker::{Notice, NoticeSender};
use fanline_core::channel::ChannelName;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The set. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspects(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    channels: Mutex<HashSet<ChannelName>>,
    added: Notify,
}

impl Suspects {
    /// Suspects a channel. Does not block.
    pub(crate) fn add(&self, channel: ChannelName) {
        self.0.channels.lock().unwrap_or_else(PoisonError::into_inner).insert(channel);
        self.0.added.notify_one();
    }

    /// Takes all that are in it.
    pub(crate) fn take(&self) -> HashSet<ChannelName> {
        std::mem::take(&mut *self.0.channels.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the hub, until `stop` or until it is gone.
    pub(crate) async fn tell(self, notices: NoticeSender, stop: CancellationToken) {
        let telling = async {
            loop {
                self.0.added.notified().await;
                for channel in self.take() {
                    if notices.send(Notice::Suspect(channel)).await.is_err() {
                        return;
                    }
                }
            }
        };
        stop.run_until_cancelled(telling).await;
    }
}
