//! The channel logs of this node: one for each channel that has a subscription here.

use crate::channel::ChannelName;
use crate::log::ChannelLog;
use crate::sync::lock;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};

/// Sweeps that a log without subscriptions stays, so that a quick rejoin finds it.
const LINGER_SWEEPS: u8 = 5;

/// Finds the log of a channel.
#[derive(Debug, Default)]
pub(crate) struct LogTable(Mutex<HashMap<ChannelName, Slot>>);

#[derive(Debug)]
struct Slot {
    log: Arc<ChannelLog>,
    leases: usize,
    idle_sweeps: u8,
}

/// Keeps a log in the table.
#[derive(Debug)]
pub(crate) struct Lease {
    table: Arc<LogTable>,
    log: Arc<ChannelLog>,
}

impl LogTable {
    /// The log of a channel, made by `make` if it is the first to be asked for.
    pub(crate) fn lease(
        self: &Arc<Self>,
        channel: &ChannelName,
        make: impl FnOnce() -> ChannelLog,
    ) -> Lease {
        let mut slots = lock(&self.0);
        let slot = match slots.entry(channel.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(Slot { log: Arc::new(make()), leases: 0, idle_sweeps: 0 })
            }
        };
        slot.leases += 1;
        Lease { table: Arc::clone(self), log: Arc::clone(&slot.log) }
    }

    /// The log of a channel, if there is one.
    pub(crate) fn find(&self, channel: &ChannelName) -> Option<Arc<ChannelLog>> {
        lock(&self.0).get(channel).map(|slot| Arc::clone(&slot.log))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Removes the logs that nobody came back to, telling `removed` of each while nobody can ask for it anew.
    pub(crate) fn sweep(&self, removed: impl Fn(&ChannelName)) {
        lock(&self.0).retain(|channel, slot| {
            if slot.leases > 0 {
                return true;
            }
            slot.idle_sweeps += 1;
            let stays = slot.idle_sweeps <= LINGER_SWEEPS;
            if !stays {
                removed(channel);
            }
            stays
        });
    }

    fn release(&self, channel: &ChannelName) {
        if let Some(slot) = lock(&self.0).get_mut(channel) {
            slot.leases -= 1;
            slot.idle_sweeps = 0;
        }
    }
}

impl Lease {
    pub(crate) fn log(&self) -> &Arc<ChannelLog> {
        &self.log
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.table.release(&self.log.channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use std::cell::Cell;

    #[test]
    fn a_log_lingers_after_its_last_lease_and_then_goes() {
        let table = Arc::new(LogTable::default());
        let channel: ChannelName = "a:b".parse().unwrap();
        let make = || ChannelLog::new(channel.clone(), Arc::default(), &Limits::default());
        let removed = Cell::new(0);
        let sweep =
            |times: u8| (0..times).for_each(|_| table.sweep(|_| removed.set(removed.get() + 1)));

        let first = table.lease(&channel, make);
        sweep(LINGER_SWEEPS + 1);
        assert!(table.find(&channel).is_some(), "a leased log stays");
        let log = Arc::clone(first.log());
        drop(first);
        sweep(LINGER_SWEEPS);
        let second = table.lease(&channel, || unreachable!("it lingers"));
        assert!(Arc::ptr_eq(&log, second.log()));
        drop(second);
        sweep(LINGER_SWEEPS + 1);
        assert_eq!((removed.get(), table.len()), (1, 0));
    }
}
