//! A connection for calls that comes back when it is lost.
//!
//! While it is known to be away, callers are told at once. While it is being made for the first time since it was last
//! there, they wait for it, each up to its own deadline: a connection that was merely cut costs them nothing.

use crate::advice;
use crate::backoff::Backoff;
use crate::call::Failure;
use crate::metrics::RedisMetrics;
use crate::place::Place;
use crate::session::Session;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The callers' side. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Link(watch::Receiver<State>);

#[derive(Clone, Debug)]
enum State {
    /// The first try since it was last there is under way.
    Connecting,
    Up(Arc<Session>),
    /// The last try failed, and the next may, too. What to do about it.
    Away(&'static str),
}

impl Link {
    /// Makes a link and the work that keeps it up, until `stop`.
    pub(crate) fn new(
        place: Place,
        backoff: Backoff,
        metrics: RedisMetrics,
        forgot: Arc<Notify>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (states, link) = watch::channel(State::Connecting);
        let work = async move {
            stop.run_until_cancelled(keep_up(place, backoff, metrics, &forgot, &states)).await;
            states.send_replace(State::Away("the node stops"));
        };
        (Link(link), work)
    }

    /// The connection of the moment.
    pub(crate) async fn session(&self, deadline: Instant) -> Result<Arc<Session>, Failure> {
        let mut states = self.0.clone();
        loop {
            match &*states.borrow_and_update() {
                State::Up(session) => return Ok(Arc::clone(session)),
                State::Away(_) => return Err(Failure::Away),
                State::Connecting => {}
            }
            match tokio::time::timeout_at(deadline, states.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_stopped)) => return Err(Failure::Away),
                Err(_elapsed) => return Err(Failure::Away),
            }
        }
    }

    /// The connection, if there is one at this moment.
    pub(crate) fn current(&self) -> Option<Arc<Session>> {
        match &*self.0.borrow() {
            State::Up(session) => Some(Arc::clone(session)),
            State::Connecting | State::Away(_) => None,
        }
    }

    /// What is wrong with it, if anything.
    pub(crate) fn complaint(&self) -> Option<&'static str> {
        match &*self.0.borrow() {
            State::Up(_) => None,
            State::Connecting => Some("a Redis server is away: it is connected to again"),
            State::Away(advice) => Some(advice),
        }
    }
}

async fn keep_up(
    place: Place,
    mut backoff: Backoff,
    metrics: RedisMetrics,
    forgot: &Notify,
    states: &watch::Sender<State>,
) {
    let mut fence = None;
    loop {
        match place.open().await {
            Ok(session) => {
                let session = Arc::new(session);
                backoff.reset();
                tracing::info!(server = %place, "connected to Redis");
                let former = fence.replace(session.fence().to_owned());
                if former.is_some_and(|former| former != session.fence()) {
                    forgot.notify_one();
                }
                states.send_replace(State::Up(Arc::clone(&session)));
                session.end().await;
                tracing::warn!(server = %place, "the connection to Redis is lost; connecting again");
                metrics.reconnects.inc();
                states.send_replace(State::Connecting);
            }
            Err(error) => {
                let advice = advice::on(&error);
                let known = matches!(&*states.borrow(), State::Away(said) if *said == advice);
                if !known {
                    // Once per absence: the tries that follow would only repeat it.
                    tracing::warn!(server = %place, %error, advice, "Redis is away; trying again");
                }
                states.send_replace(State::Away(advice));
            }
        }
        tokio::time::sleep(backoff.next()).await;
    }
}
