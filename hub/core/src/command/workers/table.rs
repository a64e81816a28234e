//! The table of workers: plain decisions, no waiting.

use super::{Load, Order, Registration, no_room};
use crate::command::{Command, CommandError, MethodName, Reply, ReplyOverflow, ReplySink};
use crate::ids::CommandId;
use crate::limits::COMMANDS_WAITING;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::mem;
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

/// Whose a worker is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seat {
    /// Connected to this node, and known to the others.
    Connected,
    /// Called by this node, as every node calls it: the others need not hear of it.
    Configured,
    /// Stands for those that are connected to another node.
    Peer,
}

/// A worker.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) registration: Registration,
    seat: Seat,
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
    /// It comes from another node, and must not be sent on.
    only_here: bool,
    /// The worker was told of it.
    told: bool,
}

impl Table {
    /// Gives a command to a worker, or lets it wait for one.
    pub(super) fn dispatch(
        &mut self,
        given: Outstanding,
    ) -> Result<(), Box<(Outstanding, CommandError)>> {
        match self.choose(&given, None) {
            Choice::Nobody => Err(Box::new((given, CommandError::no_handler()))),
            Choice::Worker(key) => {
                self.give(key, given);
                Ok(())
            }
            Choice::Busy => {
                if self.waiting.len() >= COMMANDS_WAITING {
                    return Err(Box::new((given, no_room())));
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
            if self.workers[key].answers(&self.waiting[index]) {
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
    /// nobody can have.
    pub(super) fn remove(&mut self, key: usize) -> Vec<(Outstanding, CommandError)> {
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
            match self.choose(&outstanding, None) {
                Choice::Worker(key) => self.give(key, outstanding),
                // With nobody left, a worker that comes back soon finds it.
                Choice::Busy | Choice::Nobody if self.waiting.len() < COMMANDS_WAITING => {
                    self.places.insert(outstanding.command.id, Place::Line);
                    self.waiting.push_front(outstanding);
                }
                Choice::Busy | Choice::Nobody => refused.push((outstanding, no_room())),
            }
        }
        refused.extend(self.stranded());
        refused
    }

    /// Takes out of the line what other nodes asked and nobody here answers any more. They find somebody else; what is
    /// asked here waits for a worker that comes back soon.
    pub(super) fn stranded(&mut self) -> Vec<(Outstanding, CommandError)> {
        let (stays, stranded): (VecDeque<_>, VecDeque<_>) =
            mem::take(&mut self.waiting).into_iter().partition(|waiting| {
                !waiting.only_here || !matches!(self.choose(waiting, None), Choice::Nobody)
            });
        self.waiting = stays;
        let refuse = |outstanding: Outstanding| {
            self.places.remove(&outstanding.command.id);
            (outstanding, CommandError::no_handler())
        };
        stranded.into_iter().map(refuse).collect()
    }

    /// Commands that workers have.
    pub(super) fn outstanding(&self) -> usize {
        self.places.len() - self.waiting.len()
    }

    /// Gives a command that a worker did not take to another one.
    pub(super) fn give_back(
        &mut self,
        key: usize,
        id: CommandId,
    ) -> Option<(Outstanding, CommandError)> {
        let outstanding = Outstanding { told: false, ..self.take_back(key, id)? };
        match self.choose(&outstanding, Some(key)) {
            Choice::Worker(other) => {
                self.give(other, outstanding);
                None
            }
            Choice::Busy if self.waiting.len() < COMMANDS_WAITING => {
                self.places.insert(id, Place::Line);
                self.waiting.push_front(outstanding);
                None
            }
            Choice::Busy => Some((outstanding, no_room())),
            Choice::Nobody => Some((outstanding, CommandError::no_handler())),
        }
    }

    /// How busy those are who answer a method.
    pub(super) fn load(&self, method: &MethodName) -> Option<Load> {
        let open = |entry: &Entry| !entry.draining && entry.registration.covers(method);
        let mut workers = self.workers.iter().filter(|(_, entry)| open(entry)).peekable();
        workers.peek()?;
        let waiting = Load { outstanding: self.waiting.len(), capacity: 0 };
        Some(workers.fold(waiting, |sum, (_, entry)| Load {
            outstanding: sum.outstanding + entry.outstanding.len(),
            capacity: sum.capacity + entry.registration.max_in_flight,
        }))
    }

    /// The workers that are connected here.
    pub(super) fn connected(&self) -> impl Iterator<Item = &Entry> {
        self.workers.iter().map(|(_, entry)| entry).filter(|entry| entry.seat == Seat::Connected)
    }

    /// What those answer: workers of the same methods together.
    pub(super) fn offers(&self) -> Vec<Registration> {
        let mut offers: Vec<Registration> = Vec::new();
        for entry in self.connected().filter(|entry| !entry.draining) {
            let Registration { methods, max_in_flight } = &entry.registration;
            match offers.iter_mut().find(|offer| offer.methods == *methods) {
                Some(offer) => offer.max_in_flight += max_in_flight,
                None => offers.push(entry.registration.clone()),
            }
        }
        offers
    }

    /// Who is to have a command, other than `except`.
    fn choose(&self, given: &Outstanding, except: Option<usize>) -> Choice {
        let mut choice = Choice::Nobody;
        let mut best: Option<&Entry> = None;
        let open = |(key, entry): &(usize, &Entry)| {
            !entry.draining && entry.answers(given) && Some(*key) != except
        };
        for (key, entry) in self.workers.iter().filter(open) {
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
    pub(super) fn new(registration: Registration, seat: Seat) -> Self {
        Entry {
            registration,
            seat,
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

    fn answers(&self, given: &Outstanding) -> bool {
        (self.seat != Seat::Peer || !given.only_here)
            && self.registration.covers(&given.command.draft.method)
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
    pub(super) fn new(command: Arc<Command>, sink: ReplySink, only_here: bool) -> Self {
        Outstanding { command, sink, only_here, told: false }
    }

    pub(super) fn id(&self) -> CommandId {
        self.command.id
    }

    pub(super) fn send(&self, reply: Reply) -> Result<(), ReplyOverflow> {
        self.sink.send(reply)
    }

    pub(super) fn fail(self, error: CommandError) {
        self.sink.fail(error);
    }
}
