//! Frames on their way into a socket: shared bytes, written many at a time.

use crate::limits::{COPY_BYTES, FRAMES_PER_WRITE};
use crate::message;
use bytes::Bytes;
use fanline_core::ChannelName;
use fanline_core::broker::PresenceChange;
use fanline_core::catchup::Gap;
use fanline_core::event::Event;
use fanline_core::feed::Outlet;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

/// The frames, in order. Filled only while it is not full, so that its bytes are bounded by the limit, one frame, and
/// one page of history.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The first, which is mostly the only one, needs no memory elsewhere.
    first: Option<Bytes>,
    more: VecDeque<Bytes>,
    /// Of the first frame, this much is written.
    written: usize,
    bytes: usize,
    bytes_max: usize,
    deliveries: u64,
}

impl Outbox {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Outbox {
            first: None,
            more: VecDeque::new(),
            written: 0,
            bytes: 0,
            bytes_max,
            deliveries: 0,
        }
    }

    pub(crate) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        match self.first {
            None => self.first = Some(frame),
            Some(_) => self.more.push_back(frame),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The bytes to write if they are those of one frame.
    pub(crate) fn only_one(&self) -> Option<&[u8]> {
        let first = self.first.as_ref().filter(|_| self.more.is_empty())?;
        Some(&first[self.written..])
    }

    /// All that is to be written, in one piece, if it is little enough.
    pub(crate) fn copy_all<'a>(&self, into: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        if self.bytes > COPY_BYTES {
            return None;
        }
        into.clear();
        self.frames().for_each(|frame| into.extend_from_slice(frame));
        Some(&into[self.written..])
    }

    /// The next bytes to write: fills the slices and says how many.
    pub(crate) fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>; FRAMES_PER_WRITE]) -> usize {
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(self.frames()) {
            let written = if count == 0 { self.written } else { 0 };
            *slice = IoSlice::new(&frame[written..]);
            count += 1;
        }
        count
    }

    /// Drops what was written.
    pub(crate) fn advance(&mut self, mut bytes: usize) {
        while let Some(first) = &self.first {
            let rest = first.len() - self.written;
            if bytes < rest {
                self.written += bytes;
                return;
            }
            bytes -= rest;
            self.bytes -= first.len();
            self.written = 0;
            self.first = self.more.pop_front();
        }
        if self.more.capacity() > FRAMES_PER_WRITE {
            self.more = VecDeque::new();
        }
    }

    /// Drops all frames of which no byte is written yet.
    pub(crate) fn abandon(&mut self) {
        self.more.clear();
        if self.written == 0 {
            self.first = None;
        }
        self.bytes = self.frames().map(Bytes::len).sum();
    }

    fn frames(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(&self.more)
    }

    /// Events pushed since the last time this was asked.
    pub(crate) fn take_deliveries(&mut self) -> u64 {
        std::mem::take(&mut self.deliveries)
    }
}

impl Outlet for Outbox {
    fn event(&mut self, event: &Arc<Event>) {
        self.deliveries += 1;
        self.push(message::event(event));
    }

    fn gap(&mut self, channel: &ChannelName, gap: Gap) {
        self.push(message::gap(channel, gap));
    }

    fn presence(&mut self, change: &Arc<PresenceChange>) {
        self.push(message::presence(change));
    }

    fn is_full(&self) -> bool {
        self.more.len() >= FRAMES_PER_WRITE - 1 || self.bytes >= self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_a_socket_takes_the_bytes_come_out_whole_and_in_order(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..80),
            takes in prop::collection::vec(1_usize..50, 1..400),
        ) {
            let expected = frames.concat();
            let mut outbox = Outbox::new(1 << 20);
            frames.into_iter().for_each(|frame| outbox.push(frame.into()));
            let mut written = Vec::new();
            for take in takes.into_iter().cycle() {
                let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
                let count = outbox.gather(&mut slices);
                let gathered: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                let mut scratch = Vec::new();
                prop_assert!(outbox.copy_all(&mut scratch).unwrap().starts_with(&gathered));
                let taken: Vec<u8> = gathered.into_iter().take(take).collect();
                outbox.advance(taken.len());
                written.extend(taken);
                if outbox.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(written, expected);
            prop_assert_eq!(outbox.bytes, 0);
        }
    }
}
