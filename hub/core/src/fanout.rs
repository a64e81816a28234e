//! From the broker's notices to the logs: append all that has arrived, then serve or wake the members.

use crate::broker::{Notice, NoticeReceiver};
use crate::hub::Hub;
use crate::inbox::ExpressBudget;
use crate::log::{ChannelLog, Offered};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Notices taken in before members are woken and run. Few enough that a burst into one channel stays within half of
/// its default ring, so that members read it from there and not from history.
const BURST: usize = 128;

/// Members that the fan-out serves by itself after each burst before it wakes the others.
///
/// Waking a task and running it costs a delivery about a fifth more than writing in the loop. On one core nothing is
/// lost by writing here; the bound only lets other work in between. On several the others could write at the same time,
/// so that this is for small rooms on a hub that has little to do: with more to do, more notices share one burst.
const EXPRESS_ON_ONE_CORE: usize = 1024;
const EXPRESS_ON_MORE: usize = 8;

/// Runs until the hub stops or the broker is gone.
pub(crate) async fn run(hub: Hub, mut notices: NoticeReceiver, stop: CancellationToken) {
    let mut burst = Vec::with_capacity(BURST);
    let mut touched: Vec<Arc<ChannelLog>> = Vec::new();
    let workers = tokio::runtime::Handle::current().metrics().num_workers();
    let express = if workers == 1 { EXPRESS_ON_ONE_CORE } else { EXPRESS_ON_MORE };
    loop {
        let arrived = tokio::select! {
            () = stop.cancelled() => return,
            arrived = notices.recv_many(&mut burst, BURST) => arrived,
        };
        if arrived == 0 {
            return;
        }
        for notice in burst.drain(..) {
            take_in(&hub, notice, &mut touched);
        }
        let mut budget = ExpressBudget(express);
        for log in touched.drain(..) {
            log.serve(&mut budget);
        }
        // Members that were woken come first; otherwise a full queue would be read to its end before they run.
        tokio::task::yield_now().await;
    }
}

fn take_in(hub: &Hub, notice: Notice, touched: &mut Vec<Arc<ChannelLog>>) {
    let channel = match &notice {
        Notice::Event(event) => &event.channel,
        Notice::Presence(change) => &change.channel,
        Notice::Suspect(channel) => channel,
        Notice::Control { .. } | Notice::Nodes | Notice::Revocations => {
            return hub.take_word(notice);
        }
    };
    // No log: the last subscription left, and the broker has not heard of it yet.
    let Some(log) = hub.find_log(channel) else {
        return;
    };
    match notice {
        Notice::Event(event) => match log.offer(event) {
            Offered::Appended => {}
            Offered::Passed => return,
            Offered::Broken => return hub.repair(log),
        },
        Notice::Presence(change) => {
            if !log.options.presence {
                return;
            }
            log.note(change);
        }
        Notice::Suspect(_) => {
            if log.doubt() {
                hub.repair(log);
            }
            return;
        }
        Notice::Control { .. } | Notice::Nodes | Notice::Revocations => return,
    }
    // A burst is mostly for one channel: comparing with the last is enough to wake it once, and waking twice is cheap.
    if !touched.last().is_some_and(|last| Arc::ptr_eq(last, &log)) {
        touched.push(log);
    }
}
