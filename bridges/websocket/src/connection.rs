//! The life of one connection, as one task that is polled by hand.
//!
//! Each turn does, in this order, what can be done: timers, what the socket still has to take, an answer to a command,
//! the operation under way, one message from the client, news from the channels. As long as the socket takes nothing, nothing is read and
//! nothing is taken from the logs: that is all there is to back-pressure.
//!
//! What is done about a request stands in [`conversation`](crate::conversation).

use crate::calls::Calls;
use crate::close::CloseCode;
use crate::frame;
use crate::limits::{LINGER, RECONNECT_WITHIN};
use crate::message;
use crate::request::Request;
use crate::session::Session;
use crate::socket::{ReadError, Received, Socket};
use crate::timer::{TIMERS, Timer};
use crate::work::Work;
use fanline_core::feed::{Express, Slot};
use fanline_core::ids::ConnectionId;
use fanline_core::{Limits, Reason};
use fanline_edge::Edge;
use fanline_edge::admission::Admitted;
use fanline_edge::drain::DrainTurn;
use fanline_edge::edge::Entrance;
use fanline_edge::limits::JITTER;
use fanline_edge::metrics::CountedConnection;
use fanline_edge::timers::Timers;
use std::sync::Weak;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A connection.
///
/// Lies in memory in this order: what a delivery touches comes first and together, as much of what a delivery costs here is
/// waiting for memory.
#[repr(C)]
pub(crate) struct Connection {
    pub(crate) edge: Edge,
    phase: Phase,
    /// Requests in a row that could not be read.
    pub(crate) faults: u8,
    /// None until a token is verified; nothing else is handled before.
    pub(crate) session: Option<Session>,
    pub(crate) socket: Socket,
    pub(crate) timers: Timers<Timer, TIMERS>,
    /// The operation under way. While there is one, nothing is read.
    pub(crate) work: Option<Work>,
    /// The commands under way, beside it.
    pub(crate) calls: Calls,
    pub(crate) id: ConnectionId,
    pub(crate) admitted: Admitted,
    _counted: CountedConnection,
    /// How the fan-out reaches this connection.
    pub(crate) express: Weak<dyn Express>,
    drain: DrainTurn,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Open,
    /// Our last frame is in the outbox.
    Closing,
    /// It is written, and so is the end; the client's end is waited for.
    Lingering,
    Ended,
}

/// Whether a turn found something to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turn {
    /// It did; there may be more.
    Again,
    /// It did not; whatever comes next wakes the task.
    Wait,
}

impl Connection {
    /// Does what can be done. Ready once the client or the hub has ended the connection.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let turn = match self.phase {
                Phase::Open | Phase::Closing => self.turn(cx),
                Phase::Lingering => self.linger(cx),
                Phase::Ended => {
                    tracing::debug!(fanline.connection.id = %self.id, "disconnected");
                    return Poll::Ready(());
                }
            };
            if turn == Turn::Wait {
                return Poll::Pending;
            }
        }
    }

    /// Takes news from the channels and writes it at once, on the thread of the fan-out, if the socket has nothing else
    /// to do. Says whether nothing is left; else the task goes on, which is to be woken.
    pub(crate) fn serve(&mut self, slot: Slot) -> bool {
        let idle = self.phase == Phase::Open && self.socket.outbox.is_empty();
        let Some(session) = self.session.as_mut().filter(|_| idle) else { return false };
        let all = session.feed.deliver_now(slot, &mut self.socket.outbox);
        self.edge.metrics.delivered(self.socket.outbox.take_deliveries());
        // Whatever is not written now is the task's, which asks with a waker of its own.
        let (_, flushed) = self.socket.poll_flush(&mut Context::from_waker(Waker::noop()));
        all && matches!(flushed, Poll::Ready(Ok(())))
    }

    /// A connection that begins with its welcome, or, without an identity, with waiting for one.
    pub(crate) fn new(
        edge: Edge,
        entrance: Entrance,
        counted: CountedConnection,
        socket: Socket,
        express: Weak<dyn Express>,
    ) -> Self {
        let Entrance { admitted, identity } = entrance;
        let id = edge.hub.connection_id();
        let drain = edge.drain.turn();
        let mut connection = Connection {
            edge,
            id,
            admitted,
            socket,
            timers: Timers::new(),
            session: None,
            work: None,
            calls: Calls::default(),
            faults: 0,
            phase: Phase::Open,
            _counted: counted,
            express,
            drain,
        };
        tracing::debug!(fanline.connection.id = %connection.id, "connected");
        connection.schedule_ping();
        match identity {
            Some(identity) => connection.begin(identity, None),
            None => {
                let timeout = connection.limits().auth_timeout;
                connection.timers.set(Timer::Auth, timeout);
            }
        }
        connection
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        if let Poll::Ready(timer) = self.timers.poll_next(cx) {
            self.on_timer(timer);
            return Turn::Again;
        }
        if self.phase == Phase::Open
            && let Poll::Ready(delay) = self.drain.poll_begun(cx, self.edge.hub.random())
        {
            self.timers.set(Timer::Drain, delay);
            return Turn::Again;
        }
        if let Some(session) = &self.session
            && let Poll::Ready(order) = session.client.poll_order(cx, self.work.is_some())
        {
            self.obey(order);
            return Turn::Again;
        }
        if let Some(turn) = self.flush(cx) {
            return turn;
        }
        if let Poll::Ready(answered) = self.calls.poll_next(cx) {
            self.on_answered(answered);
            return Turn::Again;
        }
        match &mut self.work {
            Some(work) => {
                if let Poll::Ready(done) = work.as_mut().poll(cx) {
                    self.work = None;
                    self.on_done(done);
                    return Turn::Again;
                }
            }
            None => {
                if let Poll::Ready(received) = self.socket.poll_read(cx) {
                    self.on_received(received);
                    return Turn::Again;
                }
            }
        }
        self.deliver(cx)
    }

    /// Hands the outbox to the socket. None when it is empty and the turn goes on.
    fn flush(&mut self, cx: &mut Context<'_>) -> Option<Turn> {
        let (progress, flushed) = self.socket.poll_flush(cx);
        match flushed {
            Poll::Pending if progress || !self.timers.is_set(Timer::Write) => {
                let timeout = self.limits().write_timeout;
                self.timers.set(Timer::Write, timeout);
                // Once more, so that the timer is armed.
                Some(Turn::Again)
            }
            Poll::Pending => Some(Turn::Wait),
            Poll::Ready(Err(_gone)) => {
                self.phase = Phase::Ended;
                Some(Turn::Again)
            }
            Poll::Ready(Ok(())) => {
                self.timers.clear(Timer::Write);
                if self.phase == Phase::Open {
                    return None;
                }
                self.phase = Phase::Lingering;
                self.timers.set(Timer::Linger, LINGER);
                Some(Turn::Again)
            }
        }
    }

    /// Takes news from the channels and writes it at once.
    fn deliver(&mut self, cx: &mut Context<'_>) -> Turn {
        let Some(session) = &mut self.session else { return Turn::Wait };
        let delivered = session.feed.poll_deliver(cx, &mut self.socket.outbox);
        self.edge.metrics.delivered(self.socket.outbox.take_deliveries());
        match self.flush(cx) {
            Some(turn) => turn,
            // All is written and the feed has nothing left. Whatever else could wake us was asked in this very turn.
            None if delivered.is_pending() => Turn::Wait,
            None => Turn::Again,
        }
    }

    fn linger(&mut self, cx: &mut Context<'_>) -> Turn {
        let over = matches!(self.timers.poll_next(cx), Poll::Ready(Timer::Linger));
        let ended =
            self.socket.poll_shutdown(cx).is_ready() && self.socket.poll_discard(cx).is_ready();
        if over || ended {
            self.phase = Phase::Ended;
            return Turn::Again;
        }
        Turn::Wait
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Auth => self.close(CloseCode::Timeout, "no auth in time"),
            Timer::Ping => {
                self.socket.outbox.push(frame::PING);
                self.expect_pong();
                self.schedule_ping();
            }
            // What we did not read cannot be held against the client: a Pong may be waiting behind it.
            Timer::Pong if self.work.is_some() || self.timers.is_set(Timer::Write) => {
                self.expect_pong()
            }
            Timer::Pong => self.close(CloseCode::Timeout, "no pong in time"),
            Timer::Write => self.on_stall(),
            Timer::Expiring => self.warn_of_expiry(),
            Timer::Expiry => {
                self.socket
                    .outbox
                    .push(message::closing(Reason::TokenExpired, Some(Duration::ZERO)));
                self.refuse(Reason::TokenExpired, "the token expired");
            }
            Timer::Drain => {
                let retry_after = self.reconnect_after();
                self.part(Reason::Draining);
                self.socket.outbox.push(message::closing(Reason::Draining, Some(retry_after)));
                self.close(CloseCode::Drain, "this node is shutting down");
            }
            Timer::Linger => self.phase = Phase::Ended,
        }
    }

    fn on_received(&mut self, received: Result<Received, ReadError>) {
        match received {
            Ok(Received::Text(text)) => {
                self.timers.clear(Timer::Pong);
                let request = Request::parse(&text, self.limits().writer_bytes);
                self.on_request(request);
            }
            Ok(Received::Control) => self.timers.clear(Timer::Pong),
            Ok(Received::Close) => self.end_with(None),
            Err(ReadError::Violation(code, reason)) => self.close(code, reason),
            Err(ReadError::Gone) => self.phase = Phase::Ended,
        }
    }

    /// The socket took nothing for too long. What it has not begun to take is given up in favour of a Close, which
    /// the client sees if it reads again soon; it resumes from its last position.
    fn on_stall(&mut self) {
        if self.phase == Phase::Open {
            self.socket.outbox.abandon();
            self.close(CloseCode::Timeout, "nothing was read for too long");
            self.timers.set(Timer::Write, LINGER);
        } else {
            self.phase = Phase::Ended;
        }
    }

    /// Closes for a reason, which is counted.
    pub(crate) fn refuse(&mut self, reason: Reason, text: &'static str) {
        self.edge.metrics.refused(reason);
        self.part(reason);
        self.close(CloseCode::Refused(reason), text);
    }

    /// Says why the connection is about to end, for backends that are told of it.
    pub(crate) fn part(&self, reason: Reason) {
        if let Some(session) = &self.session {
            session.client.part(reason);
        }
    }

    /// Sends a Close and ends once it is written.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) {
        self.end_with(Some(frame::close(code, reason)));
    }

    /// Ends once the outbox is written, with a last frame in it. From here on the connection is in no channel.
    fn end_with(&mut self, last: Option<bytes::Bytes>) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
            self.leave_all();
            // Whatever was waited for before, nothing is said behind a Close (RFC 6455, section 5.5.1).
            self.timers.clear_all();
            last.into_iter().for_each(|frame| self.socket.outbox.push(frame));
        }
    }

    /// When the client is to come back: not all at once.
    pub(crate) fn reconnect_after(&self) -> Duration {
        self.edge.hub.random().between(Duration::ZERO, RECONNECT_WITHIN)
    }

    /// Ends all that the connection follows and waits for.
    pub(crate) fn leave_all(&mut self) {
        (self.session, self.work) = (None, None);
        self.calls = Calls::default();
    }

    fn expect_pong(&mut self) {
        let timeout = self.limits().pong_timeout;
        self.timers.set(Timer::Pong, timeout);
    }

    fn schedule_ping(&mut self) {
        let interval = self.edge.hub.random().around(self.limits().ping_interval, JITTER);
        self.timers.set(Timer::Ping, interval);
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.edge.hub.limits()
    }
}
