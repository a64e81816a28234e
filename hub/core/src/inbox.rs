//! How a channel log tells a connection that there is news: the connection's ready list.

use crate::sync::lock;
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;

/// A connection that can take its news on the thread of the fan-out, which saves waking its task.
pub trait Express: Send + Sync {
    /// Takes the news of one subscription and writes it, if that can be done at once. Says whether nothing is left to
    /// do; where something is, the task of the connection is woken as ever.
    fn serve(&self, slot: Slot) -> bool;
}

/// The place of a subscription in its feed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slot(pub(crate) u32);

/// How many connections the fan-out may still serve by itself before it wakes the others.
#[derive(Debug)]
pub(crate) struct ExpressBudget(pub(crate) usize);

/// The ready list of one connection: the slots of its subscriptions that have news, each at most once, so that it is
/// bounded by their number.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The first, which is mostly the only one, needs no memory elsewhere.
    first: Option<Slot>,
    more: Vec<Slot>,
    /// A bit for each slot in `more`.
    listed: Vec<u64>,
    waker: Option<Waker>,
}

/// One subscription as its log sees it.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    inbox: Arc<Inbox>,
    /// Here and not in the inbox: who is served at once needs no inbox.
    express: Option<Weak<dyn Express>>,
    slot: Slot,
}

impl Inbox {
    /// Moves the ready slots out, and remembers whom to wake for the next. What is appended to a log from here on is
    /// announced again, so that the logs must be read after this.
    pub(crate) fn collect(&self, waker: &Waker, mut into: impl FnMut(Slot)) {
        let mut state = lock(&self.0);
        if let Some(first) = state.first.take() {
            into(first);
            state.more.drain(..).for_each(into);
            state.listed.fill(0);
        }
        match &mut state.waker {
            Some(known) => known.clone_from(waker),
            None => state.waker = Some(waker.clone()),
        }
    }

    /// Takes a slot off the list. Its subscription must have ended, so that it is not announced again.
    pub(crate) fn forget(&self, slot: Slot) {
        let mut state = lock(&self.0);
        if state.first == Some(slot) {
            state.first = state.more.pop();
            if let Some(first) = state.first {
                state.unlist(first);
            }
        } else {
            state.more.retain(|&ready| ready != slot);
            state.unlist(slot);
        }
    }

    fn push(&self, slot: Slot) {
        lock(&self.0).push(slot);
    }
}

impl State {
    fn push(&mut self, slot: Slot) {
        let Some(first) = self.first else {
            self.first = Some(slot);
            if let Some(waker) = &self.waker {
                waker.wake_by_ref();
            }
            return;
        };
        // The connection is awake already, and finds this one too when it runs.
        if first != slot && self.list(slot) {
            self.more.push(slot);
        }
    }

    /// Whether the slot was not in `more` yet.
    fn list(&mut self, slot: Slot) -> bool {
        let (word, bit) = slot.bit();
        if self.listed.len() <= word {
            self.listed.resize(word + 1, 0);
        }
        let known = self.listed[word] & bit != 0;
        self.listed[word] |= bit;
        !known
    }

    fn unlist(&mut self, slot: Slot) {
        let (word, bit) = slot.bit();
        if let Some(word) = self.listed.get_mut(word) {
            *word &= !bit;
        }
    }
}

impl Slot {
    fn bit(self) -> (usize, u64) {
        (self.0 as usize / 64, 1 << (self.0 % 64))
    }
}

impl Listener {
    pub(crate) fn new(inbox: Arc<Inbox>, express: Option<Weak<dyn Express>>, slot: Slot) -> Self {
        Listener { inbox, express, slot }
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot
    }

    /// Puts the subscription on its connection's ready list, unless it is there, and wakes the connection.
    pub(crate) fn announce(&self) {
        self.inbox.push(self.slot);
    }

    /// Serves the connection at once where the budget allows it and the connection lets itself be served; else
    /// [announces](Self::announce). A slot that is on the ready list already is found read when its turn comes.
    pub(crate) fn serve_or_announce(&self, budget: &mut ExpressBudget) {
        if budget.0 > 0
            && let Some(express) = self.express.as_ref().and_then(Weak::upgrade)
        {
            budget.0 -= 1;
            if express.serve(self.slot) {
                return;
            }
        }
        self.announce();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An inbox, whom it wakes, and how often it did.
    fn inbox() -> (Arc<Inbox>, Waker, Arc<Counter>) {
        let counter = Arc::new(Counter::default());
        (Arc::default(), Waker::from(Arc::clone(&counter)), counter)
    }

    fn collect(inbox: &Inbox, waker: &Waker) -> Vec<u32> {
        let mut ready = Vec::new();
        inbox.collect(waker, |slot| ready.push(slot.0));
        ready
    }

    #[test]
    fn a_connection_is_woken_once_until_it_has_looked_and_each_slot_is_listed_once() {
        let (inbox, waker, counter) = inbox();
        let announce = |slots: &[u32]| {
            slots
                .iter()
                .for_each(|&slot| Listener::new(Arc::clone(&inbox), None, Slot(slot)).announce());
        };
        assert_eq!(collect(&inbox, &waker), [0; 0]);
        announce(&[0, 1, 0, 70, 1, 70]);
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
        assert_eq!(collect(&inbox, &waker), [0, 1, 70]);
        announce(&[70, 0, 1]);
        inbox.forget(Slot(70));
        announce(&[1, 0, 2]);
        inbox.forget(Slot(0));
        announce(&[0]);
        assert_eq!(collect(&inbox, &waker), [1, 2, 0]);
        assert_eq!(counter.0.load(Ordering::Relaxed), 2);
    }

    /// Serves itself or not, and counts how often it was asked.
    struct Server(AtomicUsize, bool);

    impl Express for Server {
        fn serve(&self, _slot: Slot) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1
        }
    }

    #[test]
    fn who_serves_itself_is_not_woken_as_long_as_the_budget_lasts() {
        for (serves, budget, asked, woken) in
            [(true, 2, 2, 0), (false, 2, 2, 1), (true, 1, 1, 1), (true, 0, 0, 1)]
        {
            let (inbox, waker, counter) = inbox();
            collect(&inbox, &waker);
            let server = Arc::new(Server(AtomicUsize::new(0), serves));
            let express = Arc::downgrade(&server) as Weak<dyn Express>;
            let mut budget = ExpressBudget(budget);
            let listener = Listener::new(inbox, Some(express), Slot(0));
            (0..2).for_each(|_| listener.serve_or_announce(&mut budget));
            let counts = (server.0.load(Ordering::Relaxed), counter.0.load(Ordering::Relaxed));
            assert_eq!(counts, (asked, woken));
        }
    }
}
