//! One open `Subscribe`: what its channels have to say, at the pace of its client.

use crate::convert;
use crate::status;
use crate::subscribe_codec::Outgoing;
use fanline_core::broker::PresenceChange;
use fanline_core::catchup::Gap;
use fanline_core::feed::{Joined, Opened, Outlet};
use fanline_core::{ChannelName, Event, Feed, Hub};
use fanline_proto::v1;
use fanline_proto::v1::subscribe_response::Item;
use futures_util::stream::Stream;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

/// Items read ahead of the client, and their bytes. Enough for a few writes of HTTP/2; whoever is slower than that
/// lags in the channel log, where it costs nothing.
const READ_AHEAD: usize = 64;
const READ_AHEAD_BYTES: usize = 256 * 1024;

/// The items of one `Subscribe`.
pub(crate) struct SubscribeStream {
    feed: Feed,
    ready: ReadAhead,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: bool,
    _counted: Counted,
    _place: OwnedSemaphorePermit,
}

impl SubscribeStream {
    /// Follows opened channels. Holds `place` among the streams of the node until it is dropped.
    pub(crate) fn new(
        hub: Hub,
        opened: Vec<Opened>,
        stop: CancellationToken,
        subscriptions: &Gauge,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let counted = Counted::new(subscriptions, opened.len());
        let mut feed = Feed::new(hub, None);
        let mut ready = ReadAhead::default();
        for opened in opened {
            let channel = opened.channel().clone();
            let joined = feed.insert(opened);
            ready.push(Outgoing::own(Item::Subscribed(subscribed(&channel, joined))));
        }
        SubscribeStream {
            feed,
            ready,
            stopped: Box::pin(stop.cancelled_owned()),
            ended: false,
            _counted: counted,
            _place: place,
        }
    }
}

fn subscribed(channel: &ChannelName, joined: Joined) -> v1::Subscribed {
    let (recovered, reason) = convert::recovered(joined.recovery);
    v1::Subscribed {
        channel: channel.to_string(),
        position: Some(convert::position(joined.position)),
        recovered,
        reason,
    }
}

impl Stream for SubscribeStream {
    type Item = Result<Outgoing, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(item) = this.ready.pop() {
            return Poll::Ready(Some(Ok(item)));
        }
        if this.ended {
            return Poll::Ready(None);
        }
        if this.stopped.as_mut().poll(cx).is_ready() {
            this.ended = true;
            return Poll::Ready(Some(Err(status::of(&status::draining()))));
        }
        // Ready means full, so there is something. Pending means that nothing more is there and that we are woken when
        // there is; what was read before is there all the same.
        let _full_or_woken_later = this.feed.poll_deliver(cx, &mut this.ready);
        match this.ready.pop() {
            Some(item) => Poll::Ready(Some(Ok(item))),
            None => Poll::Pending,
        }
    }
}

/// What was read and not yet sent.
#[derive(Default)]
struct ReadAhead {
    items: VecDeque<Outgoing>,
    bytes: usize,
}

impl ReadAhead {
    fn push(&mut self, item: Outgoing) {
        self.bytes += item.len();
        self.items.push_back(item);
    }

    fn pop(&mut self) -> Option<Outgoing> {
        let item = self.items.pop_front()?;
        self.bytes -= item.len();
        Some(item)
    }
}

impl Outlet for ReadAhead {
    fn event(&mut self, event: &Arc<Event>) {
        self.push(Outgoing::event(event));
    }

    fn gap(&mut self, channel: &ChannelName, gap: Gap) {
        self.push(Outgoing::own(Item::Gap(convert::gap(channel, gap))));
    }

    /// Who is in a channel is asked for with `Channels.Presence`; this stream has no item for its changes.
    fn presence(&mut self, _change: &Arc<PresenceChange>) {}

    fn is_full(&self) -> bool {
        self.items.len() >= READ_AHEAD || self.bytes >= READ_AHEAD_BYTES
    }
}

/// Subscriptions in the gauge, for as long as this lives.
struct Counted {
    gauge: Gauge,
    subscriptions: i64,
}

impl Counted {
    fn new(gauge: &Gauge, subscriptions: usize) -> Self {
        let subscriptions = i64::try_from(subscriptions).unwrap_or(i64::MAX);
        gauge.inc_by(subscriptions);
        Counted { gauge: gauge.clone(), subscriptions }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gauge.dec_by(self.subscriptions);
    }
}
