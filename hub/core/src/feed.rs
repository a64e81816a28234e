//! Everything that one connection follows: its subscriptions, and the loop that reads them.
//!
//! A subscription is a cursor, not a queue. [`Feed::poll_deliver`] goes through the ready list and copies entries
//! from the logs to an [`Outlet`] for as long as that has room; whoever is slow simply asks later and costs no
//! memory. A cursor that fell off its log reads a page of history instead, through the same
//! [`step_over`](crate::catchup::step_over) as everybody.

mod several;
mod subscription;

pub use crate::inbox::{Express, Slot};

use crate::broker::{HistoryPage, PresenceChange};
use crate::catchup::{Gap, Recovery, Resumption, Start, resume};
use crate::channel::ChannelName;
use crate::event::Event;
use crate::hub::Hub;
use crate::ids::ConnectionId;
use crate::inbox::Inbox;
use crate::log_table::Lease;
use crate::{Position, Refusal};
use slab::Slab;
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use subscription::{Next, Subscription};

pub use several::open_all;

/// Where a feed puts what it reads.
pub trait Outlet {
    /// The next event of a channel.
    fn event(&mut self, event: &Arc<Event>);
    /// Events of a channel are lost for good.
    fn gap(&mut self, channel: &ChannelName, gap: Gap);
    /// A member joined or left.
    fn presence(&mut self, change: &Arc<PresenceChange>);
    /// Whether it wants no more for now. Asked after each item; a page of history is taken as a whole.
    fn is_full(&self) -> bool;
}

/// The subscriptions of one connection. Dropping it ends them all.
#[derive(Debug)]
pub struct Feed {
    hub: Hub,
    connection: Option<ConnectionId>,
    inbox: Arc<Inbox>,
    express: Option<Weak<dyn Express>>,
    subscriptions: Slab<Subscription>,
    /// Slots with news, in the order in which they are served.
    ready: VecDeque<Slot>,
    /// Slots that wait for their turn to read history: one page at a time, paced by the outlet.
    behind: VecDeque<Slot>,
    reading: Option<Reading>,
}

/// A page of history under way to a subscription.
struct Reading {
    slot: Slot,
    page: Pin<Box<dyn Future<Output = HistoryPage> + Send>>,
}

/// A channel that is open for reading, on its way into a feed.
#[derive(Debug)]
pub struct Opened {
    lease: Lease,
    resumption: Resumption,
}

/// The answer to a join: where the stream starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Joined {
    /// The first event that follows is the next after this.
    pub position: Position,
    /// Present when a position was asked for.
    pub recovery: Option<Recovery>,
}

impl Feed {
    /// A feed without subscriptions. With a connection, events that exclude it are passed over.
    #[must_use]
    pub fn new(hub: Hub, connection: Option<ConnectionId>) -> Self {
        Feed {
            hub,
            connection,
            inbox: Arc::default(),
            express: None,
            subscriptions: Slab::new(),
            ready: VecDeque::new(),
            behind: VecDeque::new(),
            reading: None,
        }
    }

    /// Lets the fan-out try `express` before it wakes the task that [polls](Self::poll_deliver) this feed: for the
    /// channels that come in from now on.
    ///
    /// The feed must be dropped by whoever polls it, and not with the last `Arc` of `express`: that may be held by the
    /// fan-out, which then holds the list of listeners that the feed's subscriptions are on.
    pub fn serve_by(&mut self, express: Weak<dyn Express>) {
        self.express = Some(express);
    }

    /// Subscribes to a channel, which must not be [in it](Self::contains) yet.
    ///
    /// # Errors
    /// As [`open`].
    ///
    /// # Cancel safety
    /// Dropped before it answers, nothing was joined.
    pub async fn join(&mut self, channel: &ChannelName, start: Start) -> Result<Joined, Refusal> {
        let opened = open(self.hub.clone(), channel.clone(), start).await?;
        Ok(self.insert(opened))
    }

    /// Takes an opened channel in, which must not be [in it](Self::contains) yet; its events follow.
    pub fn insert(&mut self, opened: Opened) -> Joined {
        let joined = opened.joined();
        let entry = self.subscriptions.vacant_entry();
        let slot =
            u32::try_from(entry.key()).expect("channels per connection are limited to far less");
        entry.insert(Subscription::begin(opened, &self.inbox, self.express.clone(), Slot(slot)));
        joined
    }

    /// Ends a subscription. Says whether there was one.
    pub fn leave(&mut self, channel: &ChannelName) -> bool {
        let Some(slot) = self.slot(channel) else {
            return false;
        };
        self.subscriptions.remove(slot.0 as usize);
        // The next to join gets the same slot, and whoever comes and goes must not make the lists grow.
        self.inbox.forget(slot);
        self.ready.retain(|&ready| ready != slot);
        self.behind.retain(|&behind| behind != slot);
        let was_reading = self.reading.take_if(|reading| reading.slot == slot).is_some();
        if was_reading && let Some(&next) = self.behind.front() {
            // Its page would have woken the connection, which has the next one to read now.
            self.subscriptions[next.0 as usize].listener().announce();
        }
        true
    }

    /// Whether the channel is among the subscriptions.
    #[must_use]
    pub fn contains(&self, channel: &ChannelName) -> bool {
        self.slot(channel).is_some()
    }

    /// The channels.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelName> {
        self.subscriptions.iter().map(|(_, subscription)| subscription.channel())
    }

    /// Each channel with the position up to which it was delivered.
    pub fn positions(&self) -> impl Iterator<Item = (&ChannelName, Position)> {
        self.subscriptions
            .iter()
            .map(|(_, subscription)| (subscription.channel(), subscription.cursor()))
    }

    /// Whether all that there is was read: nothing is under way, and nothing is known to wait. Until the next
    /// [`poll_deliver`](Self::poll_deliver) at least.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.reading.is_none() && self.behind.is_empty() && self.ready.is_empty()
    }

    /// The number of subscriptions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subscriptions.is_empty()
    }

    /// Reads what is new into the outlet until it is full or nothing is left, then is pending until there is more.
    pub fn poll_deliver(&mut self, cx: &mut Context<'_>, out: &mut impl Outlet) -> Poll<()> {
        let Feed { inbox, subscriptions, ready, .. } = self;
        inbox.collect(cx.waker(), |slot| {
            if !mem::replace(&mut subscriptions[slot.0 as usize].ready, true) {
                ready.push_back(slot);
            }
        });
        while !out.is_full() {
            if let Some(slot) = self.ready.pop_front() {
                self.subscriptions[slot.0 as usize].ready = false;
                self.read_log(slot, out);
                continue;
            }
            ready!(self.poll_history(cx, out));
        }
        Poll::Ready(())
    }

    /// Reads what is new in one log into the outlet, without a task to wake. Says whether nothing is left to do; where
    /// something is, [`poll_deliver`](Self::poll_deliver) goes on with it.
    pub fn deliver_now(&mut self, slot: Slot, out: &mut impl Outlet) -> bool {
        let idle = self.ready.is_empty() && self.behind.is_empty() && self.reading.is_none();
        idle && self.read_log(slot, out) == Next::News
    }

    fn read_log(&mut self, slot: Slot, out: &mut impl Outlet) -> Next {
        let subscription = &mut self.subscriptions[slot.0 as usize];
        let next = subscription.read_log(self.connection, &self.hub, out);
        self.list(slot, next);
        next
    }

    /// Puts a subscription on the list of what it needs next.
    fn list(&mut self, slot: Slot, next: Next) {
        match next {
            Next::News => {}
            Next::Page => self.behind.push_back(slot),
            Next::Room => {
                self.subscriptions[slot.0 as usize].ready = true;
                self.ready.push_back(slot);
            }
        }
    }

    /// Goes on with the page under way, or starts the next. Ready when a subscription moved.
    fn poll_history(&mut self, cx: &mut Context<'_>, out: &mut impl Outlet) -> Poll<()> {
        if self.reading.is_none() {
            let Some(slot) = self.behind.pop_front() else {
                return Poll::Pending;
            };
            let subscription = &self.subscriptions[slot.0 as usize];
            let page = self
                .hub
                .clone()
                .page_after(subscription.channel().clone(), subscription.cursor().offset);
            self.reading = Some(Reading { slot, page: Box::pin(page) });
        }
        let Some(reading) = &mut self.reading else {
            return Poll::Pending;
        };
        let page = ready!(reading.page.as_mut().poll(cx));
        let slot = reading.slot;
        self.reading = None;
        let subscription = &mut self.subscriptions[slot.0 as usize];
        let next = subscription.take_page(&page, self.connection, &self.hub, out);
        self.list(slot, next);
        Poll::Ready(())
    }

    fn slot(&self, channel: &ChannelName) -> Option<Slot> {
        self.subscriptions
            .iter()
            .find(|(_, subscription)| subscription.channel() == channel)
            .map(|(_, subscription)| subscription.listener().slot())
    }
}

/// Opens a channel for reading: the broker has confirmed, and the place to start is known.
///
/// # Errors
/// An unknown namespace, or a broker that is not available.
pub async fn open(hub: Hub, channel: ChannelName, start: Start) -> Result<Opened, Refusal> {
    let lease = hub.open_log(&channel).await?;
    let log = lease.log();
    let from_log = match start {
        Start::Live => log.top().map(|position| Resumption { position, recovery: None }),
        // The common reconnect: what was missed is still in the log, and nobody needs to be asked.
        Start::After(position) if log.place_after(position).is_some() => {
            Some(Resumption { position, recovery: Some(Recovery::Recovered) })
        }
        Start::After(_) | Start::Earliest | Start::Last(_) | Start::Invalid => None,
    };
    let resumption = match from_log {
        Some(resumption) => resumption,
        None => resume(start, &hub.state(&channel).await?, &log.options.retention),
    };
    hub.metrics().resumed(resumption.recovery);
    Ok(Opened { lease, resumption })
}

impl Opened {
    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.lease.log().channel
    }

    /// Where its stream starts.
    #[must_use]
    pub fn joined(&self) -> Joined {
        let Resumption { position, recovery } = self.resumption;
        Joined { position, recovery }
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("slot", &self.slot).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
