//! The newest entries of one channel on this node, bounded in number and bytes.
//!
//! Entries are numbered by a sequence that only grows and never leaves this node. Members hold such a number as their
//! place, which makes a read an index into the ring; when the ring starts anew, the sequence jumps, so that every
//! member notices and goes by its position instead.

use crate::Position;
use crate::broker::PresenceChange;
use crate::event::Event;
use std::collections::VecDeque;
use std::sync::Arc;

/// What members receive from a log.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// An event.
    Event(Arc<Event>),
    /// A change of membership. It has no position and is not in history.
    Presence(Arc<PresenceChange>),
}

/// A place in the ring: the number of the next entry to read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place(u64);

/// The ring itself. Its events are consecutive from the one after `base` up to `top`.
#[derive(Debug)]
pub(crate) struct Ring {
    entries: VecDeque<Entry>,
    first: u64,
    base: Position,
    top: Position,
    bytes: usize,
    events_max: usize,
    bytes_max: usize,
}

impl Ring {
    /// An empty ring after a position.
    pub(crate) fn new(top: Position, events_max: usize, bytes_max: usize) -> Self {
        Ring { entries: VecDeque::new(), first: 0, base: top, top, bytes: 0, events_max, bytes_max }
    }

    /// The newest position that passed here.
    pub(crate) fn top(&self) -> Position {
        self.top
    }

    /// Whether something newer than a position, in its epoch, passed here.
    pub(crate) fn is_past(&self, position: Position) -> bool {
        self.top.epoch == position.epoch && self.top.offset > position.offset
    }

    /// Appends the event after `top`.
    pub(crate) fn append(&mut self, event: Arc<Event>) {
        debug_assert_eq!(event.position, self.top.at(self.top.offset.next()));
        self.top = event.position;
        self.push(Entry::Event(event));
    }

    /// Appends a change of membership.
    pub(crate) fn note(&mut self, change: Arc<PresenceChange>) {
        self.push(Entry::Presence(change));
    }

    /// Starts anew after a position: what came before is gone, and every place is void.
    pub(crate) fn restart(&mut self, top: Position) {
        self.first = self.end().0 + 1;
        self.entries.clear();
        self.bytes = 0;
        (self.base, self.top) = (top, top);
    }

    /// The place after a position, if the ring reaches back to it.
    pub(crate) fn place_after(&self, position: Position) -> Option<Place> {
        let known = position.epoch == self.top.epoch && position.offset >= self.base.offset;
        if !known || position.offset > self.top.offset {
            return None;
        }
        if position.offset == self.top.offset {
            // At the end: changes of membership from before it joined are not news to a new subscriber.
            return Some(self.end());
        }
        let after = |entry: &Entry| match entry {
            Entry::Event(event) => event.position.offset > position.offset,
            Entry::Presence(_) => false,
        };
        let index = self.entries.iter().position(after)?;
        Some(Place(self.first + index as u64))
    }

    /// The entries from a place on, or nothing if they have left the ring.
    pub(crate) fn from(&self, place: Place) -> Option<impl Iterator<Item = &Entry>> {
        let index = usize::try_from(place.0.checked_sub(self.first)?).ok()?;
        (index <= self.entries.len()).then(|| self.entries.range(index..))
    }

    fn end(&self) -> Place {
        Place(self.first + self.entries.len() as u64)
    }

    fn push(&mut self, entry: Entry) {
        self.bytes += cost(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > self.events_max
            || (self.bytes > self.bytes_max && self.entries.len() > 1)
        {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.first += 1;
            self.bytes -= cost(&oldest);
            if let Entry::Event(event) = &oldest {
                self.base = event.position;
            }
        }
    }
}

impl Place {
    /// The place after so many more entries.
    pub(crate) fn plus(self, entries: usize) -> Self {
        Place(self.0 + entries as u64)
    }
}

fn cost(entry: &Entry) -> usize {
    /// A member with its info is small and bounded by the token.
    const PRESENCE_BYTES: usize = 512;
    match entry {
        Entry::Event(event) => event.cost(),
        Entry::Presence(_) => PRESENCE_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Offset;
    use crate::testing::{epoch, event};

    fn at(offset: u64) -> Position {
        Position::new(epoch("e"), Offset::new(offset))
    }

    fn ring(events_max: usize, offsets: std::ops::RangeInclusive<u64>) -> Ring {
        let mut ring = Ring::new(at(offsets.start() - 1), events_max, usize::MAX);
        offsets.for_each(|offset| ring.append(event("a:b", at(offset))));
        ring
    }

    fn offsets(ring: &Ring, place: Place) -> Option<Vec<u64>> {
        let offset = |entry: &Entry| match entry {
            Entry::Event(event) => event.position.offset.get(),
            Entry::Presence(_) => 0,
        };
        ring.from(place).map(|entries| entries.map(offset).collect())
    }

    #[test]
    fn a_place_is_found_for_every_position_that_the_ring_reaches_back_to() {
        let ring = ring(4, 1..=10);
        let place = ring.place_after(at(6)).unwrap();
        assert_eq!(offsets(&ring, place).unwrap(), [7, 8, 9, 10]);
        assert_eq!(offsets(&ring, ring.place_after(at(10)).unwrap()).unwrap(), [0; 0]);
        assert_eq!(ring.place_after(at(5)), None);
        assert_eq!(ring.place_after(at(11)), None);
        assert_eq!(ring.place_after(Position::new(epoch("f"), Offset::new(8))), None);
    }

    #[test]
    fn a_place_whose_entries_left_is_void() {
        let mut ring = ring(4, 1..=4);
        let place = ring.place_after(at(1)).unwrap();
        (5..=6).for_each(|offset| ring.append(event("a:b", at(offset))));
        assert_eq!(offsets(&ring, place), None);
    }

    #[test]
    fn a_restart_voids_every_place_also_that_at_the_end() {
        let mut ring = ring(4, 1..=4);
        let end = ring.place_after(at(4)).unwrap();
        ring.restart(at(9));
        assert_eq!(offsets(&ring, end), None);
        assert_eq!(offsets(&ring, ring.place_after(at(9)).unwrap()).unwrap(), [0; 0]);
        assert_eq!(ring.place_after(at(8)), None);
    }

    #[test]
    fn bytes_are_bounded_too_but_the_newest_event_always_fits() {
        let cost = event("a:b", at(1)).cost();
        let mut ring = Ring::new(at(0), 100, 2 * cost);
        (1..=5).for_each(|offset| ring.append(event("a:b", at(offset))));
        assert_eq!(offsets(&ring, ring.place_after(at(3)).unwrap()).unwrap(), [4, 5]);
        let mut tight = Ring::new(at(0), 100, 1);
        tight.append(event("a:b", at(1)));
        assert_eq!(offsets(&tight, tight.place_after(at(0)).unwrap()).unwrap(), [1]);
    }
}
