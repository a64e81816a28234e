//! The log of one channel on this node: its newest entries, and who listens.
//!
//! The log itself follows the broker with the same algorithm as everybody else: when a notice does not continue its
//! ring, it catches up from history ([`repair`](crate::log_table)), once for all of its members.

use crate::Position;
use crate::broker::{HistoryPage, PresenceChange};
use crate::catchup::{Progress, Rules, Step, is_lost, step_over};
use crate::channel::ChannelName;
use crate::event::Event;
use crate::inbox::{ExpressBudget, Listener};
use crate::limits::Limits;
use crate::namespace::{LagPolicy, NamespaceOptions};
use crate::ring::{Entry, Place, Ring};
use crate::sync::lock;
use slab::Slab;
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// A channel log. Shared by the fan-out, which appends, and the members, which read.
#[derive(Debug)]
pub(crate) struct ChannelLog {
    pub(crate) channel: ChannelName,
    pub(crate) options: Arc<NamespaceOptions>,
    /// Set once the broker has confirmed the subscription and the ring knows its top.
    pub(crate) opened: OnceCell<()>,
    state: Mutex<State>,
    listeners: Mutex<Slab<Listener>>,
    events_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    ring: Option<Ring>,
    repairing: bool,
    /// Something may be missing that a repair under way has not read.
    suspect: bool,
    /// Something is missing: what comes next in the ring was noticed too early to be kept, or will not be noticed.
    torn: bool,
}

/// What became of a page that a repair read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Filled {
    /// There is more to read.
    More,
    /// Nothing is missing any more.
    CaughtUp,
    /// History has lost what comes next, but notices on their way may bring it: the repair waits for them.
    Early,
}

/// What became of a notice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Offered {
    /// It continued the log.
    Appended,
    /// It was known, or will be read from history.
    Passed,
    /// It shows that something is missing: the caller starts a repair.
    Broken,
}

/// What a read met.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Read {
    /// Everything up to the end was taken, up to this place.
    End(Place),
    /// The reader was full before the end, at this place.
    Full(Place),
    /// The place has left the ring.
    Void,
}

impl ChannelLog {
    pub(crate) fn new(
        channel: ChannelName,
        options: Arc<NamespaceOptions>,
        limits: &Limits,
    ) -> Self {
        ChannelLog {
            channel,
            options,
            opened: OnceCell::new(),
            state: Mutex::default(),
            listeners: Mutex::default(),
            events_max: limits.ring_events,
            bytes_max: limits.ring_bytes,
        }
    }

    /// Starts the ring at a top that was read after the broker had confirmed. Says whether a repair must follow,
    /// because notices came before there was a ring to put them in.
    pub(crate) fn open(&self, top: Position) -> bool {
        let mut state = lock(&self.state);
        state.ring = Some(Ring::new(top, self.events_max, self.bytes_max));
        state.start_repair_if_suspect()
    }

    /// Offers an event that the broker noticed. Wakes nobody: see [`wake`](Self::wake).
    pub(crate) fn offer(&self, event: Arc<Event>) -> Offered {
        let mut state = lock(&self.state);
        let Some(ring) = &mut state.ring else {
            (state.suspect, state.torn) = (true, true);
            return Offered::Passed;
        };
        let top = ring.top();
        if event.position.epoch == top.epoch && event.position.offset <= top.offset {
            return Offered::Passed;
        }
        if event.position == top.at(top.offset.next()) {
            ring.append(event);
            return Offered::Appended;
        }
        (state.suspect, state.torn) = (true, true);
        if state.start_repair_if_suspect() { Offered::Broken } else { Offered::Passed }
    }

    /// Notes that something may be missing. Says whether the caller has to start a repair.
    pub(crate) fn doubt(&self) -> bool {
        let mut state = lock(&self.state);
        state.suspect = true;
        state.ring.is_some() && state.start_repair_if_suspect()
    }

    /// Makes sure that a repair is under way, which wakes all who listen when it ends. Says whether the caller has to
    /// start it.
    pub(crate) fn start_repair(&self) -> bool {
        !std::mem::replace(&mut lock(&self.state).repairing, true)
    }

    /// Appends a change of membership.
    pub(crate) fn note(&self, change: Arc<PresenceChange>) {
        if let Some(ring) = &mut lock(&self.state).ring {
            ring.note(change);
        }
    }

    /// The newest position that passed here; none before the log is open.
    pub(crate) fn top(&self) -> Option<Position> {
        lock(&self.state).ring.as_ref().map(Ring::top)
    }

    /// Takes in a page that a repair read after `asked`, then the [`top`](Self::top).
    pub(crate) fn fill(&self, asked: Position, page: &HistoryPage) -> Filled {
        let mut state = lock(&self.state);
        let State { ring: Some(ring), torn, .. } = &mut *state else {
            return Filled::CaughtUp;
        };
        let mut cursor = ring.top();
        // Notices went on while the page was read, and may have come further than it reaches.
        let overtaken = cursor != asked && ring.is_past(page.state.top);
        // Members decide for themselves what to do about a loss; the log only must not pretend to reach further back.
        let rules = Rules { retention: &self.options.retention, lag: LagPolicy::Gap };
        let progress = if overtaken {
            Progress::CaughtUp
        } else if !*torn && is_lost(cursor, &page.state) {
            return Filled::Early;
        } else {
            step_over(&mut cursor, page, rules, |step| match step {
                Step::Event(event) => ring.append(event),
                Step::Gap(gap) => ring.restart(gap.to),
            })
        };
        match progress {
            Progress::More => Filled::More,
            Progress::CaughtUp => state.end_repair(),
        }
    }

    /// Ends a wait for notices: on a repair that read a page after `asked` and is [early](Filled::Early). If they
    /// brought nothing in all that time, they never will.
    pub(crate) fn end_wait(&self, asked: Position, page: &HistoryPage) -> Filled {
        let mut state = lock(&self.state);
        match state.ring.as_ref().map(Ring::top) {
            Some(top) if top == asked => {
                state.torn = true;
                Filled::More
            }
            Some(top) if top.epoch == asked.epoch && top.offset < page.state.top.offset => {
                Filled::More
            }
            Some(_) | None => state.end_repair(),
        }
    }

    /// Reads entries from a place on, as long as `take` says that it has room.
    pub(crate) fn read(&self, place: Place, mut take: impl FnMut(&Entry) -> bool) -> Read {
        let state = lock(&self.state);
        let Some(entries) = state.ring.as_ref().and_then(|ring| ring.from(place)) else {
            return Read::Void;
        };
        let mut taken = 0;
        for entry in entries {
            taken += 1;
            if !take(entry) {
                return Read::Full(place.plus(taken));
            }
        }
        Read::End(place.plus(taken))
    }

    /// The place after a position, if the ring reaches back to it.
    pub(crate) fn place_after(&self, position: Position) -> Option<Place> {
        lock(&self.state).ring.as_ref()?.place_after(position)
    }

    /// Whether something newer than a position, in its epoch, passed here.
    pub(crate) fn is_past(&self, position: Position) -> bool {
        lock(&self.state).ring.as_ref().is_some_and(|ring| ring.is_past(position))
    }

    /// Whether a position, in the epoch of the log, is newer than anything that passed here.
    pub(crate) fn is_before(&self, position: Position) -> bool {
        self.top().is_some_and(|top| top.epoch == position.epoch && top.offset < position.offset)
    }

    /// Adds a subscription to those that are woken.
    pub(crate) fn listen(&self, listener: Listener) -> usize {
        lock(&self.listeners).insert(listener)
    }

    /// Takes it away.
    pub(crate) fn unlisten(&self, key: usize) {
        lock(&self.listeners).try_remove(key);
    }

    /// Tells every subscription that is not already on a ready list.
    pub(crate) fn wake(&self) {
        lock(&self.listeners).iter().for_each(|(_, listener)| listener.announce());
    }

    /// The same, but serves them at once as far as the budget goes.
    pub(crate) fn serve(&self, budget: &mut ExpressBudget) {
        lock(&self.listeners).iter().for_each(|(_, listener)| listener.serve_or_announce(budget));
    }
}

impl State {
    fn start_repair_if_suspect(&mut self) -> bool {
        let start = self.suspect && !self.repairing;
        if start {
            (self.suspect, self.repairing) = (false, true);
        }
        start
    }

    fn end_repair(&mut self) -> Filled {
        // What was noticed while the last page was read may be newer than the page.
        self.repairing = std::mem::take(&mut self.suspect);
        self.torn &= self.repairing;
        if self.repairing { Filled::More } else { Filled::CaughtUp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Offset;
    use crate::broker::ChannelState;
    use crate::testing::{epoch, event};

    fn at(offset: u64) -> Position {
        Position::new(epoch("e"), Offset::new(offset))
    }

    fn log_at(offset: u64) -> ChannelLog {
        let log = ChannelLog::new("a:b".parse().unwrap(), Arc::default(), &Limits::default());
        assert!(!log.open(at(offset)));
        log
    }

    fn offer(log: &ChannelLog, offset: u64) -> Offered {
        log.offer(event("a:b", at(offset)))
    }

    fn page(events: std::ops::RangeInclusive<u64>) -> HistoryPage {
        let state = ChannelState { top: at(*events.end()), oldest: Offset::new(*events.start()) };
        HistoryPage {
            state,
            events: events.map(|offset| event("a:b", at(offset))).collect(),
            more: false,
        }
    }

    #[test]
    fn notices_that_continue_the_log_are_appended_and_others_lead_to_one_repair() {
        let log = log_at(3);
        assert_eq!(offer(&log, 4), Offered::Appended);
        assert_eq!(offer(&log, 4), Offered::Passed);
        assert_eq!(offer(&log, 7), Offered::Broken);
        assert_eq!(offer(&log, 8), Offered::Passed);
        assert_eq!(log.fill(at(4), &page(1..=7)), Filled::More, "8 was noticed during the repair");
        assert_eq!(log.fill(at(7), &page(1..=8)), Filled::CaughtUp);
        assert_eq!(log.top(), Some(at(8)));
        assert_eq!(offer(&log, 9), Offered::Appended);
    }

    #[test]
    fn a_notice_before_the_log_is_open_is_not_forgotten() {
        let log = ChannelLog::new("a:b".parse().unwrap(), Arc::default(), &Limits::default());
        assert_eq!(offer(&log, 6), Offered::Passed);
        assert!(log.open(at(5)), "a repair must fetch what was noticed too early");
    }

    #[test]
    fn a_page_that_notices_have_overtaken_changes_nothing() {
        let log = log_at(3);
        let place = log.place_after(at(3)).unwrap();
        assert!(log.doubt());
        assert_eq!(offer(&log, 4), Offered::Appended);
        assert_eq!(log.fill(at(3), &page(1..=3)), Filled::CaughtUp);
        assert_eq!(log.top(), Some(at(4)));
        assert!(matches!(log.read(place, |_| true), Read::End(_)));
    }

    #[test]
    fn what_history_lost_may_still_be_noticed() {
        let log = log_at(3);
        assert!(log.doubt());
        assert_eq!(log.fill(at(3), &page(6..=7)), Filled::Early);
        assert_eq!(offer(&log, 4), Offered::Appended);
        assert_eq!(log.end_wait(at(3), &page(6..=7)), Filled::More, "some came, more may");
        (5..=7).for_each(|offset| assert_eq!(offer(&log, offset), Offered::Appended));
        assert_eq!(log.end_wait(at(4), &page(6..=7)), Filled::CaughtUp);

        assert!(log.doubt());
        assert_eq!(log.fill(at(7), &page(9..=9)), Filled::Early);
        assert_eq!(log.end_wait(at(7), &page(9..=9)), Filled::More, "nothing came");
        assert_eq!(log.fill(at(7), &page(9..=9)), Filled::CaughtUp);
        assert_eq!((log.top(), log.place_after(at(7))), (Some(at(9)), None));
    }

    #[test]
    fn a_loss_restarts_the_ring_after_it() {
        let log = log_at(3);
        let place = log.place_after(at(3)).unwrap();
        assert_eq!(offer(&log, 9), Offered::Broken);
        assert_eq!(log.fill(at(3), &page(8..=9)), Filled::CaughtUp);
        assert_eq!(log.read(place, |_| true), Read::Void);
        assert_eq!(log.place_after(at(3)), None);
        assert!(log.place_after(at(7)).is_some());
    }
}
