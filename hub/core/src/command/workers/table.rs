//! The table of workers: plain decisions, no waiting.

use super::{Load, Order, Registration, no_room};
use crate::command::{Command, CommandError, MethodName, Reply, ReplyOverflow, ReplySink};
use crate::ids::CommandId;
use crate::limits::COMMANDS_WAITING;
use crate::pattern::Pattern;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Workers, and the commands that they have or will have.
///
/// No command waits that a worker with room answers.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) workers: Slab<Entry>,
    /// Where each command is.
    places: HashMap<CommandId, Place>,
    /// Commands that no worker has room for, oldest first.
    pub(super) waiting: VecDeque<Outstanding>,
    /// Counts what was given, so that equals take turns.
    turn: u64,
}

/// Where a command is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A worker has it, by its key.
    Worker(usize),
    /// It waits.
    Line,
}

/// A worker.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) registration: Registration,
    pub(super) outstanding: HashMap<CommandId, Outstanding>,
    pub(super) draining: bool,
    /// What it is to be told: at most a command for each that is outstanding, and a cancellation for each that it was
    /// told of and that no longer is.
    orders: VecDeque<Order>,
    waker: Option<Waker>,
    /// When it was last given a command.
    turn: u64,
}

/// A command, and where its replies go.
#[derive(Debug)]
pub(super) struct Outstanding {
    command: Arc<Command>,
    sink: ReplySink,
    /// The worker was told of it.
    told: bool,
}

impl Table {
    /// Gives a command to a worker, or lets it wait for one.
    pub(super) fn dispatch(
        &mut self,
        given: Outstanding,
    ) -> Result<(), (Outstanding, CommandError)> {
        match self.choose(&given.command.draft.method) {
            Choice::Nobody => Err((given, CommandError::no_handler())),
            Choice::Worker(key) => {
                self.give(key, given);
                Ok(())
            }
            Choice::Busy => {
                if self.waiting.len() >= COMMANDS_WAITING {
                    return Err((given, no_room()));
                }
                self.places.insert(given.command.id, Place::Line);
                self.waiting.push_back(given);
                Ok(())
            }
        }
    }

    /// Gives what waits to a worker that may have got room.
    pub(super) fn fill(&mut self, key: usize) {
        let mut index = 0;
        while self.workers[key].has_room() && index < self.waiting.len() {
            if self.workers[key].answers(&self.waiting[index].command.draft.method) {
                if let Some(given) = self.waiting.remove(index) {
                    self.give(key, given);
                }
            } else {
                index += 1;
            }
        }
    }

    /// Takes a command from the worker that has it.
    pub(super) fn take_back(&mut self, key: usize, id: CommandId) -> Option<Outstanding> {
        let outstanding = self.workers[key].outstanding.remove(&id)?;
        self.places.remove(&id);
        Some(outstanding)
    }

    /// Takes a command from whoever has it, who is told if it knows of it.
    pub(super) fn give_up(&mut self, id: CommandId) {
        match self.places.get(&id) {
            // It was answered.
            None => {}
            Some(Place::Line) => {
                self.places.remove(&id);
                self.waiting.retain(|waiting| waiting.command.id != id);
            }
            Some(&Place::Worker(key)) => {
                if let Some(outstanding) = self.take_back(key, id) {
                    self.workers[key].forget(id, outstanding.told);
                }
                self.fill(key);
            }
        }
    }

    /// Takes a worker out. What it was not told of goes on to others; the rest is lost, by dropping it. Given back is what
    /// finds no room.
    pub(super) fn remove(&mut self, key: usize) -> Vec<Outstanding> {
        let entry = self.workers.remove(key);
        let mut untold = Vec::new();
        for (id, outstanding) in entry.outstanding {
            self.places.remove(&id);
            if !outstanding.told {
                untold.push(outstanding);
            }
        }
        // Their ids sort by the time of their coming: the oldest gets to the front of the line last.
        untold.sort_unstable_by_key(|outstanding| outstanding.command.id);
        let mut refused = Vec::new();
        for outstanding in untold.into_iter().rev() {
            match self.choose(&outstanding.command.draft.method) {
                Choice::Worker(key) => self.give(key, outstanding),
                // With nobody left, a worker that comes back soon finds it.
                Choice::Busy | Choice::Nobody if self.waiting.len() < COMMANDS_WAITING => {
                    self.places.insert(outstanding.command.id, Place::Line);
                    self.waiting.push_front(outstanding);
                }
                Choice::Busy | Choice::Nobody => refused.push(outstanding),
            }
        }
        refused
    }

    /// Commands that workers have.
    pub(super) fn outstanding(&self) -> usize {
        self.places.len() - self.waiting.len()
    }

    /// How busy those are who answer a method.
    pub(super) fn load(&self, method: &MethodName) -> Option<Load> {
        let mut workers =
            self.workers.iter().filter(|(_, entry)| entry.is_open_to(method)).peekable();
        workers.peek()?;
        let waiting = Load { outstanding: self.waiting.len(), capacity: 0 };
        Some(workers.fold(waiting, |sum, (_, entry)| Load {
            outstanding: sum.outstanding + entry.outstanding.len(),
            capacity: sum.capacity + entry.registration.max_in_flight,
        }))
    }

    /// The patterns that open workers registered, each once, with how many commands its workers may have.
    pub(super) fn methods(&self) -> Vec<(Pattern, usize)> {
        let mut methods: Vec<(Pattern, usize)> = Vec::new();
        for (_, entry) in self.workers.iter().filter(|(_, entry)| !entry.draining) {
            for pattern in &entry.registration.methods {
                match methods.iter_mut().find(|(known, _)| known == pattern) {
                    Some((_, capacity)) => *capacity += entry.registration.max_in_flight,
                    None => methods.push((pattern.clone(), entry.registration.max_in_flight)),
                }
            }
        }
        methods
    }

    fn choose(&self, method: &MethodName) -> Choice {
        let mut choice = Choice::Nobody;
        let mut best: Option<&Entry> = None;
        for (key, entry) in self.workers.iter().filter(|(_, entry)| entry.is_open_to(method)) {
            let better = || best.is_none_or(|best| entry.comes_before(best));
            if entry.has_room() && better() {
                (best, choice) = (Some(entry), Choice::Worker(key));
            } else if matches!(choice, Choice::Nobody) {
                choice = Choice::Busy;
            }
        }
        choice
    }

    fn give(&mut self, key: usize, given: Outstanding) {
        self.turn += 1;
        self.places.insert(given.command.id, Place::Worker(key));
        self.workers[key].give(given, self.turn);
    }
}

/// Who is to answer a command.
enum Choice {
    Worker(usize),
    /// Somebody, later.
    Busy,
    Nobody,
}

impl Entry {
    pub(super) fn new(registration: Registration) -> Self {
        Entry {
            registration,
            outstanding: HashMap::new(),
            draining: false,
            orders: VecDeque::new(),
            waker: None,
            turn: 0,
        }
    }

    pub(super) fn replace(&mut self, registration: Registration) {
        (self.registration, self.draining) = (registration, false);
    }

    pub(super) fn poll_order(&mut self, cx: &mut Context<'_>) -> Poll<Order> {
        let Some(order) = self.orders.pop_front() else {
            match &mut self.waker {
                Some(known) => known.clone_from(cx.waker()),
                None => self.waker = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        };
        if let Order::Command(command) = &order
            && let Some(outstanding) = self.outstanding.get_mut(&command.id)
        {
            outstanding.told = true;
        }
        Poll::Ready(order)
    }

    fn answers(&self, method: &MethodName) -> bool {
        self.registration.covers(method)
    }

    fn is_open_to(&self, method: &MethodName) -> bool {
        !self.draining && self.answers(method)
    }

    fn has_room(&self) -> bool {
        !self.draining && self.outstanding.len() < self.registration.max_in_flight
    }

    fn load(&self) -> Load {
        let capacity = self.registration.max_in_flight;
        Load { outstanding: self.outstanding.len(), capacity }
    }

    /// Whether this worker is the better choice: more room for its size, or a longer rest.
    fn comes_before(&self, other: &Entry) -> bool {
        self.load().compare(other.load()).then(self.turn.cmp(&other.turn)).is_lt()
    }

    fn give(&mut self, given: Outstanding, turn: u64) {
        self.turn = turn;
        self.orders.push_back(Order::Command(Arc::clone(&given.command)));
        self.outstanding.insert(given.command.id, given);
        self.wake();
    }

    /// A command that it has no longer, and has not answered.
    fn forget(&mut self, id: CommandId, told: bool) {
        if told {
            self.orders.push_back(Order::Cancelled(id));
            self.wake();
        } else {
            let is_it =
                |order: &Order| matches!(order, Order::Command(command) if command.id == id);
            self.orders.retain(|order| !is_it(order));
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Outstanding {
    pub(super) fn new(command: Arc<Command>, sink: ReplySink) -> Self {
        Outstanding { command, sink, told: false }
    }

    pub(super) fn send(&self, reply: Reply) -> Result<(), ReplyOverflow> {
        self.sink.send(reply)
    }

    pub(super) fn fail(self, error: CommandError) {
        self.sink.fail(error);
    }
}
