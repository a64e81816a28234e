//! One stream: the body of an answer, from its first block to its last.
//!
//! Each time the HTTP server asks, the stream does what is due, takes what its channels have that is new, and hands it
//! over in one piece. As long as the client takes nothing the server does not ask, and the stream keeps nothing but its
//! place in each log: that is all there is to back-pressure. A client that stalls is told of the end of its token, of
//! the drain and of its age when it takes bytes again, and gets no event before that. Its presence does not wait for it.

use crate::block::HEARTBEAT;
use crate::chunk::Chunk;
use crate::limits::{RETRY_MAX, RETRY_MIN, SHORTEST_LIFE};
use crate::message::{self, Open, Style};
use crate::orders::{Moving, Presence};
use crate::timer::{TIMERS, Timer};
use bytes::Bytes;
use fanline_core::connections::Ending;
use fanline_core::feed::{Feed, Joined, Opened};
use fanline_core::presence::Membership;
use fanline_core::{ChannelName, Cursor, Reason};
use fanline_edge::drain::DrainTurn;
use fanline_edge::limits::{EXPIRING, JITTER};
use fanline_edge::metrics::{CountedConnection, Transport};
use fanline_edge::timers::Timers;
use fanline_edge::{Admitted, Client, Edge};
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A stream.
pub(crate) struct Stream {
    pub(crate) edge: Edge,
    pub(crate) client: Client,
    /// None once its last block is made: from then on it is in no channel.
    pub(crate) session: Option<Session>,
    pub(crate) chunk: Chunk,
    timers: Timers<Timer, TIMERS>,
    drain: DrainTurn,
    heartbeat_interval: Duration,
    /// The cursor that the client has.
    told: Option<Cursor>,
    _admitted: Admitted,
    _counted: CountedConnection,
}

/// The channels that a stream is in.
pub(crate) struct Session {
    pub(crate) feed: Feed,
    /// As long as this is held, the connection is a member of its channels.
    pub(crate) presence: Presence,
    pub(crate) moving: Option<Moving>,
}

impl Stream {
    /// A stream that begins with its first block. Gives the cursor of that too.
    pub(crate) fn new(
        edge: Edge,
        client: Client,
        admitted: Admitted,
        entries: Vec<(Opened, Membership)>,
        named: bool,
    ) -> (Self, Option<Cursor>) {
        let style = Style { named, id: entries.len() == 1 };
        let mut feed = Feed::new(edge.hub.clone(), Some(client.connection()));
        let mut channels = Vec::with_capacity(entries.len());
        let mut memberships = Vec::with_capacity(entries.len());
        for (opened, membership) in entries {
            channels.push((opened.channel().clone(), feed.insert(opened)));
            memberships.push(membership);
            edge.metrics.joined();
        }
        let cursor = Cursor::of(feed.positions());
        let random = edge.hub.random();
        let mut stream = Stream {
            heartbeat_interval: random.around(edge.hub.limits().heartbeat_interval, JITTER),
            _counted: edge.metrics.connected(Transport::Sse),
            drain: edge.drain.turn(),
            timers: Timers::new(),
            chunk: Chunk::new(style),
            session: Some(Session {
                feed,
                presence: Presence::new(&client, memberships),
                moving: None,
            }),
            told: cursor.clone(),
            edge,
            client,
            _admitted: admitted,
        };
        tracing::debug!(fanline.connection.id = %stream.client.connection(), "stream opened");
        stream.begin(&channels);
        (stream, cursor)
    }

    fn begin(&mut self, channels: &[(ChannelName, Joined)]) {
        let expires_in = self.client.expires_in();
        let open = Open {
            connection: self.client.connection(),
            expires_in,
            heartbeat_interval: self.edge.hub.limits().heartbeat_interval,
            channels,
            cursor: self.told.as_ref(),
            retry: self.retry(),
        };
        message::open(self.chunk.out(), open);
        let age_max = self.edge.hub.limits().stream_max_age;
        let age = self.edge.hub.random().between(age_max.mul_f64(SHORTEST_LIFE), age_max);
        self.timers.set(Timer::Age, age);
        self.timers.set(Timer::Expiring, expires_in.saturating_sub(EXPIRING));
        self.timers.set(Timer::Expiry, expires_in);
        self.timers.set(Timer::Heartbeat, self.heartbeat_interval);
    }

    /// The next piece. None at the end.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Poll::Ready(delay) = self.drain.poll_begun(cx, self.edge.hub.random()) {
            self.timers.set(Timer::Drain, delay);
        }
        loop {
            while self.session.is_some()
                && let Poll::Ready(timer) = self.timers.poll_next(cx)
            {
                self.on_timer(timer);
            }
            self.poll_orders(cx);
            let Some(session) = &mut self.session else {
                return Poll::Ready((!self.chunk.is_empty()).then(|| self.take_chunk()));
            };
            let delivered = session.feed.poll_deliver(cx, &mut self.chunk);
            if !self.chunk.is_empty() {
                self.move_cursor();
                return Poll::Ready(Some(self.take_chunk()));
            }
            ready!(delivered);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Expiry => self.close(Ending { reason: Reason::TokenExpired, reconnect: true }),
            Timer::Drain => self.close(Ending { reason: Reason::Draining, reconnect: true }),
            Timer::Age => self.end(|out, retry, cursor| message::cursor(out, cursor, Some(retry))),
            Timer::Expiring => message::expiring(self.chunk.out(), self.client.expires_in()),
            Timer::Heartbeat => {
                self.timers.set(Timer::Heartbeat, self.heartbeat_interval);
                if self.cursor() == self.told {
                    self.chunk.out().extend_from_slice(HEARTBEAT);
                } else {
                    // What moved was kept from this client; its cursor must not stay behind until history forgets it.
                    self.tell_cursor();
                }
            }
        }
    }

    /// Ends the stream, and says why.
    pub(crate) fn close(&mut self, ending: Ending) {
        self.edge.metrics.refused(ending.reason);
        self.client.part(ending.reason);
        self.end(|out, retry, cursor| message::close(out, ending, retry, cursor));
    }

    /// Makes the last block. From here on the connection is in no channel.
    fn end(&mut self, last: impl FnOnce(&mut Vec<u8>, Duration, Option<&Cursor>)) {
        let (retry, cursor) = (self.retry(), self.cursor());
        last(self.chunk.out(), retry, cursor.as_ref());
        self.session = None;
    }

    /// Tells the client how far it has come, unless the last event did.
    fn move_cursor(&mut self) {
        if self.chunk.style.id {
            self.told = self.cursor();
        } else if self.cursor() != self.told {
            self.tell_cursor();
        }
    }

    fn tell_cursor(&mut self) {
        self.told = self.cursor();
        message::cursor(self.chunk.out(), self.told.as_ref(), None);
    }

    fn cursor(&self) -> Option<Cursor> {
        Cursor::of(self.session.iter().flat_map(|session| session.feed.positions()))
    }

    fn take_chunk(&mut self) -> Bytes {
        let (bytes, deliveries) = self.chunk.take();
        self.edge.metrics.delivered(deliveries);
        self.timers.set(Timer::Heartbeat, self.heartbeat_interval);
        bytes
    }

    fn retry(&self) -> Duration {
        self.edge.hub.random().between(RETRY_MIN, RETRY_MAX)
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.poll_chunk(cx).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.session.is_none() && self.chunk.is_empty()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        tracing::debug!(fanline.connection.id = %self.client.connection(), "stream ended");
    }
}
