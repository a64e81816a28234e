//! Takes what the connection of an [`ear`](crate::ear) receives, and hands it to the hub.
//!
//! It runs in the task that reads the socket, so it never waits: when the hub is behind, a message is dropped and its
//! channel suspected, and the hub reads history instead. Were it to wait, Redis would close the connection for all
//! channels as soon as its output buffer is full.

use crate::envelope;
use crate::member;
use crate::metrics::RedisMetrics;
use crate::subscriptions::Subscriptions;
use crate::suspects::Suspects;
use bytes::Bytes;
use fanline_core::Position;
use fanline_core::broker::{Notice, NoticeSender, PresenceChange};
use fanline_core::channel::ChannelName;
use fanline_core::ids::NodeId;
use redis::{PushInfo, PushKind, Value};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Bytes in which the position at the front of a message ends.
const FRONT: usize = 64;
/// Bytes before what a node tells another: `C` and the sender's id.
const CONTROL_FRONT: usize = 33;

/// The reader of one connection.
pub(crate) struct Reader {
    /// The number of the connection in the table.
    pub(crate) connection: u64,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) outlet: Outlet,
    pub(crate) last: LastHeard,
    /// Told when the server gave up a channel.
    pub(crate) stale: Arc<Notify>,
    pub(crate) ended: CancellationToken,
}

/// Where messages go.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    pub(crate) notices: NoticeSender,
    pub(crate) suspects: Suspects,
    pub(crate) metrics: RedisMetrics,
    /// Told when the registry of nodes has changed.
    pub(crate) registry: Arc<Notify>,
}

/// When a connection last heard something. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastHeard(Arc<Mutex<Option<Instant>>>);

impl LastHeard {
    pub(crate) fn at(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, at: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

impl Reader {
    pub(crate) fn take(&self, push: PushInfo) {
        if push.kind == PushKind::Disconnection {
            return self.ended.cancel();
        }
        let mut data = push.data.into_iter();
        let Some(Value::BulkString(live)) = data.next() else {
            return;
        };
        self.last.set(Some(Instant::now()));
        match (push.kind, data.next()) {
            (PushKind::Message | PushKind::SMessage, Some(Value::BulkString(message))) => {
                self.message(&live, &Bytes::from(message));
            }
            (PushKind::Subscribe | PushKind::SSubscribe, _) => {
                self.subscriptions.entered(self.connection, &live);
            }
            (PushKind::Unsubscribe | PushKind::SUnsubscribe, _)
                if self.subscriptions.left(self.connection, &live) =>
            {
                self.stale.notify_one();
            }
            _ => {}
        }
    }

    fn message(&self, live: &[u8], message: &Bytes) {
        let front = Front::read(message);
        let position = match front {
            Some(Front::Event { position, .. }) => Some(position),
            Some(Front::Nodes) => return self.outlet.registry.notify_one(),
            Some(Front::Member { .. } | Front::Control { .. } | Front::Revocations) | None => None,
        };
        let Some(channel) = self.subscriptions.notice(live, position) else {
            return;
        };
        let Outlet { notices, suspects, metrics, .. } = &self.outlet;
        let Some(notice) = front.and_then(|front| front.notice(&channel, message)) else {
            metrics.foreign_values.inc();
            tracing::warn!(%channel, "a live message is not the hub's, or of a newer version");
            return suspects.add(channel);
        };
        match notices.try_send(notice) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                metrics.messages_dropped.inc();
                suspects.add(channel);
            }
            // The hub has stopped: nobody listens.
            Err(TrySendError::Closed(_)) => {}
        }
    }
}

/// What stands at the front of a live message: `E<position>\n` before an event, `J` or `L` before a member, `C` and the
/// sender's id before what a node tells this one; `N` and `R` stand alone.
#[derive(Clone, Copy, Debug)]
enum Front {
    Event {
        position: Position,
        length: usize,
    },
    Member {
        joined: bool,
    },
    Control {
        from: NodeId,
    },
    /// The registry of nodes has changed.
    Nodes,
    /// Something was revoked.
    Revocations,
}

impl Front {
    fn read(message: &[u8]) -> Option<Self> {
        match message.first()? {
            b'E' => {
                let end = message.iter().take(FRONT).position(|&byte| byte == b'\n')?;
                let position = std::str::from_utf8(&message[1..end]).ok()?.parse().ok()?;
                Some(Front::Event { position, length: end + 1 })
            }
            b'J' => Some(Front::Member { joined: true }),
            b'L' => Some(Front::Member { joined: false }),
            b'C' => {
                let from = std::str::from_utf8(message.get(1..CONTROL_FRONT)?).ok()?;
                Some(Front::Control { from: from.parse().ok()? })
            }
            b'N' => Some(Front::Nodes),
            b'R' => Some(Front::Revocations),
            _ => None,
        }
    }

    /// Reads the rest.
    fn notice(self, channel: &ChannelName, message: &Bytes) -> Option<Notice> {
        match self {
            Front::Event { position, length } => {
                let event = envelope::decode(channel, position, message, length)?;
                Some(Notice::Event(Arc::new(event)))
            }
            Front::Member { joined } => {
                let member = member::decode(&message[1..])?;
                let change = PresenceChange { channel: channel.clone(), member, joined };
                Some(Notice::Presence(Arc::new(change)))
            }
            Front::Control { from } => {
                Some(Notice::Control { from, message: message.slice(CONTROL_FRONT..) })
            }
            Front::Nodes => Some(Notice::Nodes),
            Front::Revocations => Some(Notice::Revocations),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::broker::NoticeReceiver;
    use fanline_core::testing::channel;
    use prometheus_client::registry::Registry;
    use tokio::sync::mpsc;

    fn reader(room: usize) -> (Reader, NoticeReceiver) {
        let (notices, hub) = mpsc::channel(room);
        let suspects = Suspects::default();
        let subscriptions = Arc::new(Subscriptions::new(suspects.clone()));
        let connection = subscriptions.start_over();
        let _answer = subscriptions.want(b"live"[..].into(), &channel("a:b"));
        subscriptions.entered(connection, b"live");
        let metrics = RedisMetrics::register(&mut Registry::default());
        let outlet = Outlet { notices, suspects, metrics, registry: Arc::default() };
        let reader = Reader {
            connection,
            subscriptions,
            outlet,
            last: LastHeard::default(),
            stale: Arc::default(),
            ended: CancellationToken::new(),
        };
        (reader, hub)
    }

    fn take(reader: &Reader, live: &[u8], message: &[u8]) {
        let data = [live, message].map(|bytes| Value::BulkString(bytes.to_vec())).into();
        reader.take(PushInfo { kind: PushKind::Message, data });
    }

    #[test]
    fn foreign_messages_are_counted_and_lead_to_a_look_at_history() {
        let (reader, mut hub) = reader(8);
        for foreign in [
            &b""[..],
            b"hello",
            b"E",
            b"Ex\n",
            b"Ee-1\n\x09",
            b"J",
            b"Jxxx",
            b"E\xff\n",
            b"C",
            b"Cxyz",
        ] {
            take(&reader, b"live", foreign);
            assert_eq!(reader.outlet.suspects.take().len(), 1, "{foreign:?}");
        }
        assert!(hub.try_recv().is_err());
        assert_eq!(reader.outlet.metrics.foreign_values.get(), 10);
        take(&reader, b"unwanted", b"hello");
        assert_eq!(reader.outlet.suspects.take().len(), 0);
    }

    #[test]
    fn a_hub_that_is_behind_is_told_to_look_instead_of_waited_for() {
        let (reader, mut hub) = reader(1);
        let mut message = b"J".to_vec();
        message.extend_from_slice(
            b"\x01\0\0\0\x20019ab4f2b1c87d3e8a5f0123456789ab\0\0\0\0\0\0\0\x07\0\0\0\0",
        );
        take(&reader, b"live", &message);
        assert_eq!(reader.outlet.suspects.take().len(), 0);
        take(&reader, b"live", &message);
        assert_eq!(reader.outlet.suspects.take().len(), 1);
        assert_eq!(reader.outlet.metrics.messages_dropped.get(), 1);
        assert!(hub.try_recv().is_ok() && hub.try_recv().is_err());
    }
}
