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

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::Limits;
    use fanline_core::catchup::Start;
    use fanline_core::event::EventType;
    use fanline_core::feed::open;
    use fanline_core::publish::{Draft, Origin};
    use fanline_core::testing::{TestHub, body};
    use futures_util::{StreamExt, poll};
    use prost::Message;
    use tokio::sync::Semaphore;
    use tonic::Code;

    async fn follow(hub: &Hub, stop: &CancellationToken, gauge: &Gauge) -> SubscribeStream {
        let opened = open(hub.clone(), "a:b".parse().unwrap(), Start::Live).await.unwrap();
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        SubscribeStream::new(hub.clone(), vec![opened], stop.clone(), gauge, place)
    }

    async fn publish(hub: &Hub, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            let draft = Draft {
                channel: "a:b".parse().unwrap(),
                event_type: EventType::message(),
                payload: body(number).payload,
                headers: Vec::new(),
                origin: Origin::Backend,
                idempotency_key: None,
                exclude: Vec::new(),
                ttl: None,
            };
            hub.publish(draft).await.unwrap();
        }
    }

    /// What an item says, in short.
    fn text(item: Outgoing) -> String {
        let response = match item {
            Outgoing::Encoded(bytes) => v1::SubscribeResponse::decode(bytes).unwrap(),
            Outgoing::Own(response) => response,
        };
        match response.item.unwrap() {
            Item::Subscribed(subscribed) => {
                format!("after {}", subscribed.position.unwrap().offset)
            }
            Item::Event(event) => String::from_utf8(event.data.to_vec()).unwrap(),
            Item::Gap(gap) => {
                let (from, to) = (gap.from.unwrap().offset, gap.to.unwrap().offset);
                format!("{} {from}..={to}", gap.reason)
            }
        }
    }

    async fn next(stream: &mut SubscribeStream) -> String {
        text(stream.next().await.unwrap().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn two_streams_send_the_same_bytes() {
        let (hub, stop, gauge) = (TestHub::start(), CancellationToken::new(), Gauge::default());
        let mut streams = [follow(&hub, &stop, &gauge).await, follow(&hub, &stop, &gauge).await];
        publish(&hub, [7]).await;
        let mut bytes = Vec::new();
        for stream in &mut streams {
            assert_eq!(next(stream).await, "after 0");
            let Outgoing::Encoded(encoded) = stream.next().await.unwrap().unwrap() else {
                panic!("events are encoded ahead");
            };
            bytes.push(encoded);
        }
        assert_eq!(bytes[0].as_ptr(), bytes[1].as_ptr());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_holds_little_here_and_is_told_what_it_missed() {
        let (hub, stop, gauge) = (TestHub::start(), CancellationToken::new(), Gauge::default());
        let mut stream = follow(&hub, &stop, &gauge).await;
        assert_eq!(next(&mut stream).await, "after 0");
        publish(&hub, 1..=100).await;
        assert_eq!(next(&mut stream).await, "1");
        assert_eq!(stream.ready.items.len(), READ_AHEAD - 1);
        // Beyond what the log of the node holds: from here on there is only history, of which 10 are kept.
        let last = 100 + Limits::default().ring_events as u64 + 1;
        publish(&hub, 101..=last).await;
        for number in 2..=READ_AHEAD {
            assert_eq!(next(&mut stream).await, number.to_string());
        }
        assert_eq!(next(&mut stream).await, format!("trimmed {READ_AHEAD}..={}", last - 10));
        for number in last - 9..=last {
            assert_eq!(next(&mut stream).await, number.to_string());
        }
        assert!(poll!(stream.next()).is_pending());
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_the_stream_and_the_gauge_goes_back() {
        let (hub, stop, gauge) = (TestHub::start(), CancellationToken::new(), Gauge::default());
        let mut stream = follow(&hub, &stop, &gauge).await;
        assert_eq!(gauge.get(), 1);
        assert_eq!(next(&mut stream).await, "after 0");
        assert!(poll!(stream.next()).is_pending());
        stop.cancel();
        assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
        assert!(stream.next().await.is_none());
        drop(stream);
        assert_eq!(gauge.get(), 0);
    }
}
