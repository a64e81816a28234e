//! The books of a run: which events are on their way, and how long each took. An event is done when every member of its
//! channel has received it. Members of a channel receive its events in order, so counting is enough: the n-th event frame of
//! a member is the n-th event published to its channel. More frames than events is a doubled delivery and ends the run.

use std::collections::VecDeque;
use std::time::Instant;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

/// Events published and not yet received by all; more means that the server does not keep up with a fixed rate.
pub(crate) const OUTSTANDING_MAX: usize = 4096;

const MICROS_MAX: u64 = 60_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// Whose receipt of an event is a latency sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sample {
    /// That of the last member to receive it: one sample per event.
    LastReceipt,
    /// That of each member: one sample per delivery.
    EveryReceipt,
}

/// Event frames that one member read at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub(crate) channel: usize,
    /// How many events this member had received before.
    pub(crate) before: u64,
    pub(crate) events: u64,
    pub(crate) at: Instant,
}

pub(crate) struct Ledger {
    channels: Vec<Channel>,
    members: usize,
    sample: Sample,
    outstanding: usize,
    deliveries: u64,
    latencies: Histogram<u64>,
}

#[derive(Default)]
struct Channel {
    /// Events that everybody has received.
    done: u64,
    outstanding: VecDeque<Outstanding>,
}

struct Outstanding {
    published: Instant,
    awaiting: usize,
}

impl Ledger {
    pub(crate) fn new(channels: usize, members: usize, sample: Sample) -> Self {
        Self {
            channels: std::iter::repeat_with(Channel::default).take(channels).collect(),
            members,
            sample,
            outstanding: 0,
            deliveries: 0,
            latencies: Histogram::new_with_max(MICROS_MAX, SIGNIFICANT_DIGITS)
                .expect("the bounds are constants that the histogram accepts"),
        }
    }

    pub(crate) fn publish(&mut self, channel: usize, at: Instant) {
        self.outstanding += 1;
        self.channels[channel]
            .outstanding
            .push_back(Outstanding { published: at, awaiting: self.members });
    }

    pub(crate) fn receive(&mut self, receipt: Receipt) -> Result<()> {
        let channel = &mut self.channels[receipt.channel];
        for number in receipt.before..receipt.before + receipt.events {
            let event = number
                .checked_sub(channel.done)
                .and_then(|index| channel.outstanding.get_mut(usize::try_from(index).ok()?))
                .with_context(|| {
                    format!(
                        "event {number} of channel {} was received before it was published",
                        receipt.channel
                    )
                })?;
            event.awaiting -= 1;
            if self.sample == Sample::EveryReceipt || event.awaiting == 0 {
                let micros = receipt.at.duration_since(event.published).as_micros();
                self.latencies.saturating_record(u64::try_from(micros).unwrap_or(MICROS_MAX));
            }
        }
        while channel.outstanding.front().is_some_and(|event| event.awaiting == 0) {
            channel.outstanding.pop_front();
            channel.done += 1;
            self.outstanding -= 1;
        }
        self.deliveries += receipt.events;
        Ok(())
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding
    }

    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// In microseconds.
    pub(crate) fn latencies(&self) -> &Histogram<u64> {
        &self.latencies
    }

    /// Forgets what was measured so far (the warm-up), not what is on its way.
    pub(crate) fn start_window(&mut self) {
        self.deliveries = 0;
        self.latencies.reset();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_event_is_done_when_its_last_member_has_it() {
        let start = Instant::now();
        let mut ledger = Ledger::new(1, 2, Sample::LastReceipt);
        ledger.publish(0, start);
        ledger.publish(0, start);

        ledger.receive(receipt(0, 2, start, 1)).unwrap();
        assert_eq!((ledger.outstanding(), ledger.latencies().len()), (2, 0));

        ledger.receive(receipt(0, 1, start, 7)).unwrap();
        assert_eq!((ledger.outstanding(), ledger.deliveries()), (1, 3));
        let slowest = ledger.latencies().max();
        assert!(ledger.latencies().equivalent(slowest, 7000), "{slowest}");
    }

    #[test]
    fn every_receipt_is_a_sample_when_asked() {
        let start = Instant::now();
        let mut ledger = Ledger::new(1, 2, Sample::EveryReceipt);
        ledger.publish(0, start);
        ledger.receive(receipt(0, 1, start, 1)).unwrap();
        ledger.receive(receipt(0, 1, start, 2)).unwrap();
        assert_eq!((ledger.outstanding(), ledger.latencies().len()), (0, 2));
    }

    #[test]
    fn a_doubled_delivery_ends_the_run() {
        let start = Instant::now();
        let mut ledger = Ledger::new(1, 1, Sample::LastReceipt);
        ledger.publish(0, start);
        ledger.receive(receipt(0, 1, start, 1)).unwrap();
        assert!(ledger.receive(receipt(1, 1, start, 1)).is_err());
    }

    #[test]
    fn the_window_starts_empty_with_events_on_their_way() {
        let start = Instant::now();
        let mut ledger = Ledger::new(1, 1, Sample::LastReceipt);
        ledger.publish(0, start);
        ledger.publish(0, start);
        ledger.receive(receipt(0, 1, start, 1)).unwrap();
        ledger.start_window();
        assert_eq!((ledger.outstanding(), ledger.deliveries()), (1, 0));
        ledger.receive(receipt(1, 1, start, 1)).unwrap();
        assert_eq!((ledger.outstanding(), ledger.deliveries()), (0, 1));
    }

    fn receipt(before: u64, events: u64, start: Instant, millis: u64) -> Receipt {
        Receipt { channel: 0, before, events, at: start + Duration::from_millis(millis) }
    }
}
