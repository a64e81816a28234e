//! The load on a server: members that receive and a publisher that keeps the pace, in one loop on one thread, so that the
//! books need no lock and the generator costs little.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::ledger::{Ledger, OUTSTANDING_MAX};
use crate::members::Members;
use crate::publisher::Publisher;

/// Nothing received for this long, with events on their way, ends the run.
const STALL: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Publishes the next event whenever one is done, to keep this many on their way.
    InFlight(usize),
    /// Publishes one event per interval, whatever the server does.
    Every(Duration),
}

pub(crate) struct Load {
    pub(crate) members: Members,
    pub(crate) publisher: Box<dyn Publisher>,
    pub(crate) ledger: Ledger,
    pace: Pace,
    channels: usize,
    /// Events take the channels in turn.
    next_channel: usize,
    next_due: Instant,
    burst: Vec<usize>,
}

impl Load {
    pub(crate) fn new(
        members: Members,
        publisher: Box<dyn Publisher>,
        ledger: Ledger,
        pace: Pace,
        channels: usize,
    ) -> Self {
        Self {
            members,
            publisher,
            ledger,
            pace,
            channels,
            next_channel: 0,
            next_due: Instant::now(),
            burst: Vec::new(),
        }
    }

    /// Keeps the pace for `time`. Events may be on their way when it returns; a later call goes on with them.
    pub(crate) fn run(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        let mut last_progress = Instant::now();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            self.publish_what_is_due(now)?;
            // Never sleeps: waking a sleeper costs the one who writes to it, and a slow server would find this one asleep
            // more often than a fast one. The publisher's thread, which shares the core, is let in instead.
            std::thread::yield_now();
            self.members.turn(Duration::ZERO, |receipt| {
                last_progress = receipt.at;
                self.ledger.receive(receipt)
            })?;
            if let Some(failure) = self.publisher.failure() {
                bail!("publishing failed: {failure}");
            }
            if self.ledger.outstanding() == 0 {
                last_progress = now;
            } else if last_progress.elapsed() > STALL {
                bail!(
                    "nothing was received for {STALL:?} with {} events on their way",
                    self.ledger.outstanding()
                );
            }
        }
    }

    fn publish_what_is_due(&mut self, now: Instant) -> Result<()> {
        let events = match self.pace {
            Pace::InFlight(events) => events - self.ledger.outstanding(),
            Pace::Every(interval) => {
                let mut events = 0;
                while self.next_due <= now {
                    self.next_due += interval;
                    events += 1;
                }
                events
            }
        };
        if events == 0 {
            return Ok(());
        }
        if self.ledger.outstanding() + events > OUTSTANDING_MAX {
            bail!(
                "the server does not keep up: {} events are on their way",
                self.ledger.outstanding()
            );
        }
        self.burst.clear();
        for _ in 0..events {
            self.ledger.publish(self.next_channel, now);
            self.burst.push(self.next_channel);
            self.next_channel = (self.next_channel + 1) % self.channels;
        }
        self.publisher.publish(&self.burst)
    }
}
