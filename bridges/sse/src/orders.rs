//! What others than its client want of a stream: to be in more channels or in fewer, or to end.
//!
//! A stream obeys when the HTTP server asks it for more, like everything else that it does. What must not wait for that is
//! the end of its presence: see [`Presence`].

use crate::message;
use crate::stream::{Session, Stream};
use fanline_core::catchup::Start;
use fanline_core::connections::Order;
use fanline_core::feed::Opened;
use fanline_core::presence::Membership;
use fanline_core::{ChannelName, Refusal};
use fanline_edge::Client;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio_util::sync::DropGuard;

/// A channel that is being opened because the server says so.
pub(crate) type Moving =
    Pin<Box<dyn Future<Output = Result<(Opened, Membership), Refusal>> + Send>>;

/// The memberships of a stream. They end with its token, or with an order to end, also when its client takes nothing, so
/// that nobody asks the stream for anything.
pub(crate) struct Presence {
    memberships: Arc<Mutex<Vec<Membership>>>,
    _at_end: DropGuard,
}

impl Presence {
    pub(crate) fn new(client: &Client, memberships: Vec<Membership>) -> Self {
        let memberships = Arc::new(Mutex::new(memberships));
        let ending = Arc::clone(&memberships);
        let at_end = client.at_end(move |_ending| {
            let ended = std::mem::take(&mut *lock(&ending));
            drop(ended);
        });
        Presence { memberships, _at_end: at_end }
    }

    fn enter(&self, membership: Membership) {
        lock(&self.memberships).push(membership);
    }

    fn leave(&self, channel: &ChannelName) {
        let is_left = |membership: &mut Membership| membership.channel() == channel;
        let left: Vec<_> = lock(&self.memberships).extract_if(.., is_left).collect();
        // Dropped without the lock, which ends it.
        drop(left);
    }
}

fn lock(memberships: &Mutex<Vec<Membership>>) -> MutexGuard<'_, Vec<Membership>> {
    memberships.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream {
    /// Obeys what there is to obey.
    pub(crate) fn poll_orders(&mut self, cx: &mut Context<'_>) {
        while let Some(session) = &mut self.session {
            if let Poll::Ready(order) = self.client.poll_order(cx, session.moving.is_some()) {
                self.obey(order);
            } else if let Some(moving) = &mut session.moving
                && let Poll::Ready(moved) = moving.as_mut().poll(cx)
            {
                session.moving = None;
                self.take_in(moved);
            } else {
                return;
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let channels_max = self.edge.hub.limits().channels_per_connection;
        let Some(session) = &mut self.session else { return };
        match order {
            Order::Disconnect(ending) => self.close(ending),
            // What is so already, or cannot be, is nothing to do: the order was not the client's.
            Order::Join(channel) => {
                if !session.feed.contains(&channel) && session.feed.len() < channels_max {
                    session.moving =
                        Some(Box::pin(self.client.clone().place(channel, Start::Live)));
                }
            }
            Order::Leave(channel) => {
                if session.feed.leave(&channel) {
                    session.presence.leave(&channel);
                    message::left(self.chunk.out(), &channel);
                }
            }
        }
    }

    fn take_in(&mut self, moved: Result<(Opened, Membership), Refusal>) {
        let Some(Session { feed, presence, .. }) = &mut self.session else { return };
        match moved {
            Ok((opened, membership)) => {
                let channel = opened.channel().clone();
                let joined = feed.insert(opened);
                presence.enter(membership);
                self.edge.metrics.joined();
                // From here on the position of one channel says too little.
                self.chunk.style.id &= feed.len() == 1;
                message::joined(self.chunk.out(), &channel, joined);
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "a stream could not be put into a channel");
            }
        }
    }
}
