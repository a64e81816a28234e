//! The channels of one server that this node wants to hear: what is wanted, what Redis has confirmed, and what was
//! noticed last.
//!
//! Plain decisions under a short lock; the [`ear`](crate::ear) does the sending, its reader calls in with what arrives.

use crate::suspects::Suspects;
use fanline_core::Position;
use fanline_core::channel::ChannelName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// Channels of one batch: a few packets, so that the answers to a mass of joins begin to come at once.
const BATCH: usize = 256;

/// The name of a live channel, as Redis sends it.
pub(crate) type Live = Arc<[u8]>;

/// The table.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    state: Mutex<State>,
    changed: Notify,
    suspects: Suspects,
}

#[derive(Debug, Default)]
struct State {
    /// Counts connections: what a former one still says is not taken for the word of the present one.
    connection: u64,
    entries: HashMap<Live, Entry>,
    /// Those whose stage may differ from what is wanted.
    unsettled: Vec<Live>,
    /// Those that the server gave up: their slot moved.
    evicted: Vec<Live>,
}

#[derive(Debug)]
struct Entry {
    channel: ChannelName,
    wanted: bool,
    stage: Stage,
    /// Something may be missed before Redis confirms.
    doubtful: bool,
    waiters: Vec<oneshot::Sender<()>>,
    /// The newest position that was noticed.
    seen: Option<Position>,
}

/// How an entry stands with Redis. Between `Entering` or `Leaving` and the answer nothing more is sent for it, so that
/// the last wish wins whatever order they came in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Off,
    Entering,
    On,
    Leaving,
}

/// What is to be sent to Redis.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) enter: Vec<Live>,
    pub(crate) leave: Vec<Live>,
}

/// A channel on its way from one server to another.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) live: Live,
    pub(crate) channel: ChannelName,
    waiters: Vec<oneshot::Sender<()>>,
}

impl Subscriptions {
    pub(crate) fn new(suspects: Suspects) -> Self {
        Subscriptions { state: Mutex::default(), changed: Notify::new(), suspects }
    }

    /// Wants a channel. The answer comes when Redis has confirmed; it is dropped when Redis turns out to be away.
    pub(crate) fn want(&self, live: Live, channel: &ChannelName) -> oneshot::Receiver<()> {
        let (waiter, answer) = oneshot::channel();
        let mut state = self.lock();
        let entry = state.entry(&live, channel);
        entry.wanted = true;
        // Whoever gave up waiting makes room: a server that never confirms may be asked for ever.
        entry.waiters.retain(|waiter| !waiter.is_closed());
        entry.waiters.push(waiter);
        if entry.stage == Stage::On {
            entry.confirm(&self.suspects);
        } else {
            self.unsettle(&mut state, live);
        }
        answer
    }

    /// No longer wants it.
    pub(crate) fn forget(&self, live: Live) {
        let mut state = self.lock();
        if let Some(entry) = state.entries.get_mut(&live) {
            entry.wanted = false;
            entry.waiters.clear();
            self.unsettle(&mut state, live);
        }
    }

    /// Takes out what the server gave up and what `belongs` says is no longer its own, to be
    /// [taken in](Self::take_in) where it lives now.
    pub(crate) fn take_out(&self, belongs: impl Fn(&ChannelName) -> bool) -> Vec<Moved> {
        let mut state = self.lock();
        let mut moving = std::mem::take(&mut state.evicted);
        let elsewhere = state.entries.iter().filter(|(_, entry)| !belongs(&entry.channel));
        moving.extend(elsewhere.map(|(live, _)| Arc::clone(live)));
        let mut moved = Vec::new();
        for live in moving {
            if let Some(entry) = state.entries.remove(&live).filter(|entry| entry.wanted) {
                moved.push(Moved { live, channel: entry.channel, waiters: entry.waiters });
            }
        }
        moved
    }

    /// Takes in a channel that another server had, or this one had given up.
    pub(crate) fn take_in(&self, moved: Moved) {
        let mut state = self.lock();
        let entry = state.entry(&moved.live, &moved.channel);
        entry.wanted = true;
        entry.doubtful = true;
        entry.waiters.extend(moved.waiters);
        if entry.stage == Stage::On {
            entry.confirm(&self.suspects);
        }
        self.unsettle(&mut state, moved.live);
    }

    /// A new connection takes over; gives its number. It starts with nothing, and what is missed until it has
    /// confirmed is to be looked for.
    pub(crate) fn start_over(&self) -> u64 {
        let mut state = self.lock();
        state.connection += 1;
        state.entries.retain(|_, entry| {
            entry.doubtful |= entry.stage != Stage::Off;
            entry.stage = Stage::Off;
            entry.wanted
        });
        state.unsettled = state.entries.keys().cloned().collect();
        state.evicted.clear();
        self.changed.notify_one();
        state.connection
    }

    /// Tells those who wait for a confirmation that none will come soon.
    pub(crate) fn disappoint(&self) {
        self.lock().entries.values_mut().for_each(|entry| entry.waiters.clear());
    }

    /// Waits until there is something for a [`batch`](Self::batch).
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The next things to be sent: at most [`BATCH`], and none twice before Redis has answered.
    pub(crate) fn batch(&self) -> Batch {
        let mut batch = Batch::default();
        let mut state = self.lock();
        while batch.enter.len() + batch.leave.len() < BATCH {
            let Some(live) = state.unsettled.pop() else {
                return batch;
            };
            let Some(entry) = state.entries.get_mut(&live) else {
                continue;
            };
            match (entry.stage, entry.wanted) {
                (Stage::Off, true) => {
                    entry.stage = Stage::Entering;
                    batch.enter.push(live);
                }
                (Stage::On, false) => {
                    entry.stage = Stage::Leaving;
                    batch.leave.push(live);
                }
                (Stage::Off, false) => {
                    state.entries.remove(&live);
                }
                // Settled, or looked at again when Redis answers.
                (Stage::On, true) | (Stage::Entering | Stage::Leaving, _) => {}
            }
        }
        self.changed.notify_one();
        batch
    }

    /// Redis has answered a batch. What it did not confirm waits for the next [`retry`](Self::retry).
    pub(crate) fn settle(&self, batch: &Batch) {
        let mut state = self.lock();
        for live in batch.enter.iter().chain(&batch.leave) {
            let Some(entry) = state.entries.get_mut(live) else {
                continue;
            };
            match entry.stage {
                Stage::Entering => entry.stage = Stage::Off,
                Stage::Leaving => entry.stage = Stage::On,
                Stage::Off | Stage::On => continue,
            }
            state.unsettled.push(Arc::clone(live));
        }
    }

    /// Tries anew what Redis did not confirm.
    pub(crate) fn retry(&self) {
        if !self.lock().unsettled.is_empty() {
            self.changed.notify_one();
        }
    }

    /// Redis has confirmed that we hear a channel.
    pub(crate) fn entered(&self, connection: u64, live: &[u8]) {
        let mut state = self.lock();
        if state.connection != connection {
            return;
        }
        if let Some(entry) = state.entries.get_mut(live) {
            entry.stage = Stage::On;
            entry.confirm(&self.suspects);
            if !entry.wanted {
                self.unsettle(&mut state, live.into());
            }
        }
    }

    /// Redis no longer sends a channel: as we asked, or because its slot moved. Says whether it was the latter.
    pub(crate) fn left(&self, connection: u64, live: &[u8]) -> bool {
        let mut state = self.lock();
        if state.connection != connection {
            return false;
        }
        let Some(entry) = state.entries.get_mut(live) else {
            return false;
        };
        let asked = entry.stage == Stage::Leaving;
        entry.stage = Stage::Off;
        entry.doubtful = true;
        if asked {
            self.unsettle(&mut state, live.into());
        } else {
            state.evicted.push(live.into());
        }
        !asked
    }

    /// Finds the channel of a message that arrived, and remembers the position in it. None: nobody wants it any more.
    pub(crate) fn notice(&self, live: &[u8], position: Option<Position>) -> Option<ChannelName> {
        let mut state = self.lock();
        let entry = state.entries.get_mut(live).filter(|entry| entry.wanted)?;
        if position.is_some() {
            entry.seen = position;
        }
        Some(entry.channel.clone())
    }

    /// The channels that Redis has confirmed.
    pub(crate) fn heard(&self) -> Vec<ChannelName> {
        let state = self.lock();
        let heard = state.entries.values().filter(|entry| entry.wanted && entry.stage == Stage::On);
        heard.map(|entry| entry.channel.clone()).collect()
    }

    /// Suspects a channel in which nothing was noticed up to a position that it has reached. Says whether that was so.
    pub(crate) fn compare(&self, live: &[u8], top: Position) -> bool {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(live).filter(|entry| entry.stage == Stage::On)
        else {
            return false;
        };
        let behind = match entry.seen {
            Some(seen) => seen.epoch != top.epoch || seen.offset < top.offset,
            None => top.offset != fanline_core::Offset::ZERO,
        };
        if behind {
            entry.seen = Some(top);
            self.suspects.add(entry.channel.clone());
        }
        behind
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsettle(&self, state: &mut State, live: Live) {
        state.unsettled.push(live);
        self.changed.notify_one();
    }
}

impl State {
    fn entry(&mut self, live: &Live, channel: &ChannelName) -> &mut Entry {
        self.entries.entry(Arc::clone(live)).or_insert_with(|| Entry {
            channel: channel.clone(),
            wanted: true,
            stage: Stage::Off,
            doubtful: false,
            waiters: Vec::new(),
            seen: None,
        })
    }
}

impl Entry {
    fn confirm(&mut self, suspects: &Suspects) {
        for waiter in self.waiters.drain(..) {
            let _gone = waiter.send(());
        }
        if std::mem::take(&mut self.doubtful) {
            suspects.add(self.channel.clone());
        }
    }
}

#[cfg(test)]
mod tests;
