//! How a channel log tells a connection that there is news: the connection's ready list.

use crate::sync::lock;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;

/// A connection that can take its news on the thread of the fan-out, which saves waking its task.
pub trait Express: Send + Sync {
    /// Takes all news and writes it, if that can be done at once. Says whether nothing is left to do; where something
    /// is, the task of the connection is woken as ever.
    fn serve(&self) -> bool;
}

/// The ready list of one connection: the slots of its subscriptions that have news, each at most once, so that it is
/// bounded by their number.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Default)]
struct State {
    /// The first, which is mostly the only one, needs no memory elsewhere.
    first: Option<u32>,
    more: Vec<u32>,
    waker: Option<Waker>,
    express: Option<Weak<dyn Express>>,
}

/// How many connections the fan-out may still serve by itself before it wakes the others.
#[derive(Debug)]
pub(crate) struct ExpressBudget(pub(crate) usize);

/// One subscription as its log sees it.
#[derive(Debug)]
pub(crate) struct Listener {
    inbox: Arc<Inbox>,
    slot: u32,
    announced: AtomicBool,
}

impl Inbox {
    /// Moves the ready slots out.
    pub(crate) fn take(&self, into: &mut VecDeque<u32>) {
        lock(&self.0).take(into);
    }

    /// Moves the ready slots out, and remembers whom to wake for the next.
    pub(crate) fn collect(&self, into: &mut VecDeque<u32>, waker: &Waker) {
        let mut state = lock(&self.0);
        state.take(into);
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

    /// From now on the fan-out may try this before it wakes the connection.
    pub(crate) fn serve_by(&self, express: Weak<dyn Express>) {
        lock(&self.0).express = Some(express);
    }

    fn push(&self, slot: u32, budget: &mut ExpressBudget) {
        let mut state = lock(&self.0);
        if state.first.is_some() {
            // The connection is awake already, and finds this one too when it runs.
            state.more.push(slot);
            return;
        }
        state.first = Some(slot);
        if budget.0 > 0
            && let Some(express) = state.express.as_ref().and_then(Weak::upgrade)
        {
            budget.0 -= 1;
            // It looks at this list.
            drop(state);
            if express.serve() {
                return;
            }
            state = lock(&self.0);
        }
        if let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
    }
}

impl State {
    fn take(&mut self, into: &mut VecDeque<u32>) {
        if let Some(first) = self.first.take() {
            into.push_back(first);
            into.extend(self.more.drain(..));
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("first", &self.first)
            .field("more", &self.more)
            .finish_non_exhaustive()
    }
}

impl Listener {
    pub(crate) fn new(inbox: Arc<Inbox>, slot: u32) -> Self {
        Listener { inbox, slot, announced: AtomicBool::new(false) }
    }

    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    /// Puts the subscription on its connection's ready list, unless it is there, and wakes the connection.
    pub(crate) fn announce(&self) {
        self.announce_express(&mut ExpressBudget(0));
    }

    /// The same, but serves the connection at once where it lets itself be served.
    pub(crate) fn announce_express(&self, budget: &mut ExpressBudget) {
        if !self.announced.swap(true, Ordering::AcqRel) {
            self.inbox.push(self.slot, budget);
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

    /// Serves itself or not, and counts how often it was asked.
    struct Server(AtomicUsize, bool);

    impl Express for Server {
        fn serve(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1
        }
    }

    #[test]
    fn who_serves_itself_is_not_woken_as_long_as_the_budget_lasts() {
        for (serves, budget, asked, woken) in [(true, 2, 1, 0), (false, 2, 1, 1), (true, 0, 0, 1)] {
            let (inbox, counter) = (Arc::new(Inbox::default()), Arc::new(Counter::default()));
            inbox.collect(&mut VecDeque::new(), &Waker::from(Arc::clone(&counter)));
            let server = Arc::new(Server(AtomicUsize::new(0), serves));
            inbox.serve_by(Arc::downgrade(&server) as Weak<dyn Express>);
            let mut budget = ExpressBudget(budget);
            Listener::new(inbox, 0).announce_express(&mut budget);
            let counts = (server.0.load(Ordering::Relaxed), counter.0.load(Ordering::Relaxed));
            assert_eq!(counts, (asked, woken));
        }
    }
}
