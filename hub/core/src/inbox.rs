//! How a channel log tells a connection that there is news: the connection's ready list.

use crate::sync::lock;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

/// The ready list of one connection: the slots of its subscriptions that have news, each at most once, so that it is
/// bounded by their number.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The first, which is mostly the only one, needs no memory elsewhere.
    first: Option<u32>,
    more: Vec<u32>,
    waker: Option<Waker>,
}

/// One subscription as its log sees it.
#[derive(Debug)]
pub(crate) struct Listener {
    inbox: Arc<Inbox>,
    slot: u32,
    announced: AtomicBool,
}

impl Inbox {
    /// Moves the ready slots out, and remembers whom to wake for the next.
    pub(crate) fn collect(&self, into: &mut VecDeque<u32>, waker: &Waker) {
        let mut state = lock(&self.0);
        if let Some(first) = state.first.take() {
            into.push_back(first);
            into.extend(state.more.drain(..));
        }
        match &mut state.waker {
            Some(known) => known.clone_from(waker),
            None => state.waker = Some(waker.clone()),
        }
    }

    /// Takes a slot off the list. Its subscription must have ended, so that it is not announced again.
    pub(crate) fn forget(&self, slot: u32) {
        let mut state = lock(&self.0);
        state.more.retain(|&ready| ready != slot);
        if state.first == Some(slot) {
            state.first = state.more.pop();
        }
    }

    fn push(&self, slot: u32) {
        let mut state = lock(&self.0);
        if state.first.is_some() {
            // The connection is awake already, and finds this one too when it runs.
            state.more.push(slot);
            return;
        }
        state.first = Some(slot);
        if let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
    }
}

impl Listener {
    pub(crate) fn new(inbox: Arc<Inbox>, slot: u32) -> Self {
        Listener { inbox, slot, announced: AtomicBool::new(false) }
    }

    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    /// Puts the subscription on its connection's ready list, unless it is there.
    pub(crate) fn announce(&self) {
        if !self.announced.swap(true, Ordering::AcqRel) {
            self.inbox.push(self.slot);
        }
    }

    /// Must be called before the subscription reads its log, so that what is appended later is announced again.
    pub(crate) fn heard(&self) {
        self.announced.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_connection_is_woken_once_until_it_has_looked() {
        let (inbox, counter) = (Arc::new(Inbox::default()), Arc::new(Counter::default()));
        let waker = Waker::from(Arc::clone(&counter));
        let listeners =
            [Listener::new(Arc::clone(&inbox), 0), Listener::new(Arc::clone(&inbox), 1)];
        let mut ready = VecDeque::new();
        inbox.collect(&mut ready, &waker);
        for _ in 0..3 {
            listeners.iter().for_each(Listener::announce);
        }
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
        inbox.collect(&mut ready, &waker);
        assert_eq!(ready, [0, 1]);
        listeners[1].heard();
        listeners.iter().for_each(Listener::announce);
        ready.clear();
        inbox.collect(&mut ready, &waker);
        assert_eq!((ready.as_slices().0, counter.0.load(Ordering::Relaxed)), (&[1][..], 2));
    }
}
