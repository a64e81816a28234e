//! The log of one channel on this node: its newest entries, and who listens.
//!
//! The log itself follows the broker with the same algorithm as everybody else: when a notice does not continue its
//! ring, it catches up from history ([`repair`](crate::log_table)), once for all of its members.

use crate::Position;
use crate::broker::{HistoryPage, PresenceChange};
use crate::catchup::{Progress, Rules, Step, step_over};
use crate::channel::ChannelName;
use crate::event::Event;
use crate::inbox::Listener;
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
    listeners: Mutex<Slab<Arc<Listener>>>,
    events_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    ring: Option<Ring>,
    repairing: bool,
    /// Something may be missing that a repair under way has not read.
    suspect: bool,
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
            state.suspect = true;
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
        state.suspect = true;
        if state.start_repair_if_suspect() { Offered::Broken } else { Offered::Passed }
    }

    /// Notes that something may be missing. Says whether the caller has to start a repair.
    pub(crate) fn doubt(&self) -> bool {
        let mut state = lock(&self.state);
        state.suspect = true;
        state.ring.is_some() && state.start_repair_if_suspect()
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

    /// Takes in a page that a repair read after [`top`](Self::top). Says whether the repair reads on.
    pub(crate) fn fill(&self, page: &HistoryPage) -> Progress {
        let mut state = lock(&self.state);
        let State { ring: Some(ring), suspect, repairing } = &mut *state else {
            return Progress::CaughtUp;
        };
        let mut cursor = ring.top();
        // Members decide for themselves what to do about a loss; the log only must not pretend to reach further back.
        let rules = Rules { retention: &self.options.retention, lag: LagPolicy::Gap };
        let progress = step_over(&mut cursor, page, rules, |step| match step {
            Step::Event(event) => ring.append(event),
            Step::Gap(gap) => ring.restart(gap.to),
        });
        if progress == Progress::CaughtUp {
            // What was noticed while this page was read may be newer than the page.
            *repairing = std::mem::take(suspect);
        }
        if *repairing { Progress::More } else { Progress::CaughtUp }
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

    /// Adds a subscription to those that are woken.
    pub(crate) fn listen(&self, listener: Arc<Listener>) -> usize {
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
}

impl State {
    fn start_repair_if_suspect(&mut self) -> bool {
        let start = self.suspect && !self.repairing;
        if start {
            (self.suspect, self.repairing) = (false, true);
        }
        start
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
        assert_eq!(log.fill(&page(1..=7)), Progress::More, "8 was noticed during the repair");
        assert_eq!(log.fill(&page(1..=8)), Progress::CaughtUp);
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
    fn a_loss_restarts_the_ring_after_it() {
        let log = log_at(3);
        let place = log.place_after(at(3)).unwrap();
        assert_eq!(offer(&log, 9), Offered::Broken);
        assert_eq!(log.fill(&page(8..=9)), Progress::CaughtUp);
        assert_eq!(log.read(place, |_| true), Read::Void);
        assert_eq!(log.place_after(at(3)), None);
        assert!(log.place_after(at(7)).is_some());
    }
}
