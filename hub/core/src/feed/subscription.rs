//! One subscription of a feed: a cursor over a channel log, and what it does when the log does not have what is next.
//!
//! It never waits by itself. After each read it says [what it needs next](Next), and the feed sees to that.

use super::{Opened, Outlet};
use crate::Position;
use crate::broker::HistoryPage;
use crate::catchup::{Progress, Rules, Step, step_over};
use crate::channel::ChannelName;
use crate::event::Event;
use crate::hub::Hub;
use crate::ids::ConnectionId;
use crate::inbox::{Express, Inbox, Listener, Slot};
use crate::log::Read;
use crate::log_table::Lease;
use crate::ring::{Entry, Place};
use std::sync::{Arc, Weak};

/// A subscription. Its log announces news to it until it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    lease: Lease,
    listener: Listener,
    listener_key: usize,
    /// The last position that was delivered, or skipped on purpose.
    cursor: Position,
    stand: Stand,
    /// Whether it is on the feed's list of those that read their logs.
    pub(super) ready: bool,
}

/// How a subscription stands to its log.
#[derive(Clone, Copy, Debug)]
enum Stand {
    /// In it, at the place of the cursor, unless that has left the ring since.
    In(Place),
    /// Not in it, as far as it knows.
    Off,
    /// On the list of those that read history: whatever wakes it meanwhile, it goes on there.
    Behind,
    /// It has read all of history, and the log has not come so far yet: the log will, and wake it.
    Ahead,
}

/// What a subscription needs to go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// To be announced.
    News,
    /// Room in the outlet, to read on in its log.
    Room,
    /// A page of history after its cursor.
    Page,
}

impl Subscription {
    /// Begins where the channel was opened, under a slot of the feed whose inbox this is.
    pub(super) fn begin(
        opened: Opened,
        inbox: &Arc<Inbox>,
        express: Option<Weak<dyn Express>>,
        slot: Slot,
    ) -> Self {
        let Opened { lease, resumption } = opened;
        let listener = Listener::new(Arc::clone(inbox), express, slot);
        let listener_key = lease.log().listen(listener.clone());
        // Whatever came before it listened is found by looking once.
        listener.announce();
        let cursor = resumption.position;
        // Looked up now and not at the first read, so that changes of membership from now on are seen.
        let stand = lease.log().place_after(cursor).map_or(Stand::Off, Stand::In);
        Subscription { lease, listener, listener_key, cursor, stand, ready: false }
    }

    pub(super) fn channel(&self) -> &ChannelName {
        &self.lease.log().channel
    }

    pub(super) fn cursor(&self) -> Position {
        self.cursor
    }

    pub(super) fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Copies entries from the log while there is room. To be called when it was announced.
    pub(super) fn read_log(
        &mut self,
        connection: Option<ConnectionId>,
        hub: &Hub,
        out: &mut impl Outlet,
    ) -> Next {
        let log = self.lease.log();
        loop {
            let found = match self.stand {
                Stand::In(place) => Some(place),
                Stand::Off | Stand::Ahead => log.place_after(self.cursor),
                Stand::Behind => return Next::News,
            };
            let Some(place) = found else {
                return self.go_on_without_place(hub);
            };
            let cursor = &mut self.cursor;
            let read = log.read(place, |entry| {
                match entry {
                    Entry::Event(event) => {
                        *cursor = event.position;
                        if !is_excluded(event, connection) {
                            out.event(event);
                        }
                    }
                    Entry::Presence(change) => {
                        // Who joins sees itself in the answer to the join.
                        if Some(change.member.connection) != connection {
                            out.presence(change);
                        }
                    }
                }
                !out.is_full()
            });
            match read {
                Read::End(place) => {
                    self.stand = Stand::In(place);
                    return Next::News;
                }
                Read::Full(place) => {
                    self.stand = Stand::In(place);
                    return Next::Room;
                }
                Read::Void => {
                    hub.metrics().lagged.inc();
                    self.stand = Stand::Off;
                }
            }
        }
    }

    /// Takes a page of history, whole.
    pub(super) fn take_page(
        &mut self,
        page: &HistoryPage,
        connection: Option<ConnectionId>,
        hub: &Hub,
        out: &mut impl Outlet,
    ) -> Next {
        let log = self.lease.log();
        let rules = Rules { retention: &log.options.retention, lag: log.options.lag };
        let progress = step_over(&mut self.cursor, page, rules, |step| match step {
            Step::Event(event) => {
                if !is_excluded(&event, connection) {
                    out.event(&event);
                }
            }
            Step::Gap(gap) => {
                hub.metrics().skipped(gap);
                out.gap(&log.channel, gap);
            }
        });
        match progress {
            Progress::More => Next::Page,
            Progress::CaughtUp => self.rejoin_log(hub),
        }
    }

    fn go_on_without_place(&mut self, hub: &Hub) -> Next {
        if matches!(self.stand, Stand::Ahead) && self.lease.log().is_before(self.cursor) {
            self.await_log(hub);
            return Next::News;
        }
        self.stand = Stand::Behind;
        Next::Page
    }

    /// Finds the place in the log again, after all of history was read.
    fn rejoin_log(&mut self, hub: &Hub) -> Next {
        let log = self.lease.log();
        if let Some(place) = log.place_after(self.cursor) {
            self.stand = Stand::In(place);
            // What the log took in meanwhile was announced to a subscription that did not listen.
            Next::Room
        } else if log.is_past(self.cursor) {
            // Meanwhile the log went on, and has dropped what comes next.
            Next::Page
        } else {
            self.stand = Stand::Ahead;
            self.await_log(hub);
            Next::News
        }
    }

    /// Makes sure that the log moves, and wakes all who listen when it has: what history shows and the log does not is
    /// on its way as a notice, or was missed.
    fn await_log(&self, hub: &Hub) {
        let log = self.lease.log();
        if log.start_repair() {
            hub.repair(Arc::clone(log));
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.lease.log().unlisten(self.listener_key);
    }
}

fn is_excluded(event: &Event, connection: Option<ConnectionId>) -> bool {
    connection.is_some_and(|connection| event.excludes(connection))
}
