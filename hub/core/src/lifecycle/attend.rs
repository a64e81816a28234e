//! Tracking connections: as members of a channel for each node, which nobody subscribes to.

use super::event::ConnectionNotes;
use crate::broker::Member;
use crate::channel::ChannelName;
use crate::connections::Transport;
use crate::hub::Hub;
use crate::ids::NodeId;
use crate::reason::Reason;
use crate::sync::lock;
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What these channels begin with, before the id of the node.
const PREFIX: &str = "$connections:";
/// Between two tries to tell of a connection that came, before jitter.
const PAUSE: Duration = Duration::from_secs(2);
/// Why a connection ended that its client ended.
const CLOSED: &str = "CLOSED";

/// A connection that is told of. It has gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Attended {
    why: Arc<Mutex<Option<Reason>>>,
    _gone: DropGuard,
}

/// Whether the members of a channel are the connections of a node.
pub(super) fn is_of_connections(channel: &ChannelName) -> bool {
    channel.as_str().starts_with(PREFIX)
}

fn channel_of(node: NodeId) -> ChannelName {
    format!("{PREFIX}{node}").parse().expect("the name is a channel's")
}

impl Attended {
    /// Says why it is about to go. The first reason counts.
    pub(crate) fn part(&self, reason: Reason) {
        lock(&self.why).get_or_insert(reason);
    }
}

impl Hub {
    /// Tells that a connection came and, once what this returns is dropped, that it went.
    pub(crate) fn tell_of(&self, connection: Member, transport: Transport) -> Attended {
        let (hub, gone) = (self.clone(), CancellationToken::new());
        let why = Arc::<Mutex<Option<Reason>>>::default();
        let attended = Attended { why: Arc::clone(&why), _gone: gone.clone().drop_guard() };
        self.spawn(async move {
            let channel = channel_of(hub.node());
            let with = |reason: Option<&str>| {
                let transport = Some(transport.as_str().to_owned());
                let notes = ConnectionNotes { transport, reason: reason.map(str::to_owned) };
                let info = serde_json::to_vec(&notes).ok().map(Bytes::from);
                Member { info, ..connection.clone() }
            };
            while let Err(error) = hub.broker().enter(&channel, with(None), true).await {
                tracing::debug!(%error, "a connection could not be told of yet");
                let pause = tokio::time::sleep(hub.random().around(PAUSE, 0.5));
                if gone.run_until_cancelled(pause).await.is_none() {
                    break;
                }
            }
            hub.members_changed(&channel);
            gone.cancelled().await;
            let reason = lock(&why).map_or(CLOSED, Reason::as_str);
            // Entered once more, so that what is written down of its leaving says why.
            let noted = hub.broker().enter(&channel, with(Some(reason)), true).await;
            let left = hub.broker().leave(&channel, connection.connection).await;
            hub.members_changed(&channel);
            if let Err(error) = noted.and(left) {
                tracing::debug!(%error, "the end of a connection could not be told of in time");
            }
        });
        attended
    }
}
