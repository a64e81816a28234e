//! The backends that answer commands, and the commands that they have.
//!
//! A worker is a backend that is connected to this node or is called by it, or stands for those of another node (see
//! [`peers`](super::peers)).
//! One table under one lock, touched a few times per command. A command goes to the worker with the most room for its
//! size, and waits in one line, oldest first, while no worker that answers it has room. What a worker is sent is taken
//! by whoever holds its [`Worker`], at the pace of its connection; what it was not yet sent when it goes away is given
//! to another.

mod table;

use self::table::{Entry, Outstanding, Seat, Table};
use super::{Command, CommandError, CommandRouter, Load, MethodName, Reply, ReplySink, Ticket};
use crate::ids::CommandId;
use crate::limits::{METHOD_PATTERNS, WORKER_COMMANDS, WORKER_COMMANDS_MAX, WORKERS};
use crate::metrics::CommandMetrics;
use crate::pattern::Pattern;
use crate::sync::lock;
use crate::{Reason, Refusal};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use tokio::sync::watch;

/// The backends that answer commands. Clones are the same table.
#[derive(Clone, Debug)]
pub struct Workers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: Mutex<Table>,
    /// Told when what is answered here is another.
    offers: watch::Sender<()>,
    metrics: CommandMetrics,
}

/// What a worker answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Registration {
    /// The methods.
    pub methods: Vec<Pattern>,
    /// How many commands at a time.
    pub max_in_flight: usize,
}

/// A connected backend. Dropping it gives what it has to others, as far as it was not yet sent, and loses the rest.
#[derive(Debug)]
pub struct Worker {
    workers: Workers,
    key: usize,
}

/// What a worker is to be told.
#[derive(Clone, Debug)]
pub enum Order {
    /// A command to answer.
    Command(Arc<Command>),
    /// A command that nobody waits for any more.
    Cancelled(CommandId),
}

/// A reply to a command that the worker does not have: it was answered, its client is gone, or its time is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the worker does not have this command, or no longer")]
pub struct LateReply;

/// Why a reply was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplyFault {
    /// Nobody waits for it.
    #[error(transparent)]
    Late(#[from] LateReply),
    /// Its client is too far behind; the command is over.
    #[error(transparent)]
    Overflow(#[from] super::ReplyOverflow),
}

impl Registration {
    /// A registration as a backend asks for it: 0 commands at a time is the default, and too many are as many as there
    /// may be.
    ///
    /// # Errors
    /// [`Reason::InvalidArgument`] of `methods` when there are none or too many.
    pub fn new(methods: Vec<Pattern>, max_in_flight: usize) -> Result<Self, Refusal> {
        if !(1..=METHOD_PATTERNS).contains(&methods.len()) {
            let message = format!("a backend registers 1 to {METHOD_PATTERNS} patterns of methods");
            return Err(Refusal::invalid("methods", message));
        }
        let max_in_flight = match max_in_flight {
            0 => WORKER_COMMANDS,
            asked => asked.min(WORKER_COMMANDS_MAX),
        };
        Ok(Registration { methods, max_in_flight })
    }

    /// Whether a method is among those.
    fn covers(&self, method: &MethodName) -> bool {
        self.methods.iter().any(|pattern| method.is_matched_by(pattern))
    }
}

impl Workers {
    /// A table without workers.
    #[must_use]
    pub fn new(metrics: CommandMetrics) -> Self {
        let (table, offers) = (Mutex::default(), watch::Sender::new(()));
        Workers(Arc::new(Inner { table, offers, metrics }))
    }

    /// Takes a worker in. Commands that wait for one like it are its first.
    ///
    /// # Errors
    /// [`Reason::LimitExceeded`] when the node has all the workers that it takes.
    pub fn register(&self, registration: Registration) -> Result<Worker, Refusal> {
        let mut table = self.table();
        if table.connected().count() >= WORKERS {
            let message = format!("this node takes at most {WORKERS} workers");
            return Err(Refusal::new(Reason::LimitExceeded, message));
        }
        let worker = self.insert(&mut table, Entry::new(registration, Seat::Connected));
        self.0.offers.send_replace(());
        Ok(worker)
    }

    /// Takes in a backend that this node calls because its configuration says so. Other nodes are not told: they have the
    /// same configuration, and call it themselves.
    #[must_use]
    pub fn register_configured(&self, registration: Registration) -> Worker {
        self.insert(&mut self.table(), Entry::new(registration, Seat::Configured))
    }

    /// Takes in what stands for the workers of another node.
    pub(super) fn register_peer(&self, registration: Registration) -> Worker {
        self.insert(&mut self.table(), Entry::new(registration, Seat::Peer))
    }

    fn insert(&self, table: &mut Table, entry: Entry) -> Worker {
        let key = table.workers.insert(entry);
        table.fill(key);
        self.measure(table);
        Worker { workers: self.clone(), key }
    }

    /// What the workers of this node answer, for other nodes.
    pub(super) fn offers(&self) -> Vec<Registration> {
        self.table().offers()
    }

    /// Is told whenever [`offers`](Self::offers) may give another answer.
    pub(super) fn offers_changes(&self) -> watch::Receiver<()> {
        self.0.offers.subscribe()
    }

    /// As [`dispatch`](CommandRouter::dispatch), for a command that comes from another node.
    pub(super) fn dispatch_here(&self, command: Arc<Command>, sink: ReplySink) -> Ticket {
        self.give(Outstanding::new(command, sink, true))
    }

    fn give(&self, given: Outstanding) -> Ticket {
        let mut table = self.table();
        let id = given.id();
        match table.dispatch(given) {
            Ok(()) => {
                self.measure(&table);
                Ticket::new(GiveUp { workers: self.clone(), id })
            }
            Err(refused) => {
                let (given, error) = *refused;
                drop(table);
                given.fail(error);
                Ticket::spent()
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.0.table)
    }

    /// Brings the gauges up to date.
    fn measure(&self, table: &Table) {
        let Inner { metrics, .. } = &*self.0;
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.workers.set(count(table.connected().count()));
        metrics.outstanding.set(count(table.outstanding()));
        metrics.waiting.set(count(table.waiting.len()));
    }

    /// After a change of what is answered: says so, and refuses what nobody can have any more.
    fn settle(&self, table: MutexGuard<'_, Table>, refused: Vec<(Outstanding, CommandError)>) {
        self.measure(&table);
        drop(table);
        self.0.offers.send_replace(());
        for (outstanding, error) in refused {
            outstanding.fail(error);
        }
    }

    /// Nobody waits for a command any more.
    fn give_up(&self, id: CommandId) {
        let mut table = self.table();
        table.give_up(id);
        self.measure(&table);
    }
}

impl CommandRouter for Workers {
    fn load(&self, method: &MethodName) -> Option<Load> {
        self.table().load(method)
    }

    fn dispatch(&self, command: Arc<Command>, sink: ReplySink) -> Ticket {
        self.give(Outstanding::new(command, sink, false))
    }
}

/// Gives a command up when it is dropped.
struct GiveUp {
    workers: Workers,
    id: CommandId,
}

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.workers.give_up(self.id);
    }
}

impl Worker {
    /// How many commands it may have at a time.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.workers.table().workers[self.key].registration.max_in_flight
    }

    /// How many it has.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.workers.table().workers[self.key].outstanding.len()
    }

    /// What it is to be told next. To be asked by one task only.
    pub fn poll_order(&mut self, cx: &mut Context<'_>) -> Poll<Order> {
        self.workers.table().workers[self.key].poll_order(cx)
    }

    /// What it is to be told next.
    pub async fn order(&mut self) -> Order {
        std::future::poll_fn(|cx| self.poll_order(cx)).await
    }

    /// Whether a reply to a command is still waited for: to be asked before anything is done for it.
    ///
    /// # Errors
    /// It is not; that is counted.
    pub fn awaits(&self, id: CommandId) -> Result<(), LateReply> {
        if self.workers.table().workers[self.key].outstanding.contains_key(&id) {
            return Ok(());
        }
        self.workers.0.metrics.late_replies.inc();
        Err(LateReply)
    }

    /// Passes its reply on. After the last one the worker has room for another command.
    ///
    /// # Errors
    /// The reply goes nowhere; a late one is counted.
    pub fn reply(&self, id: CommandId, reply: Reply) -> Result<(), ReplyFault> {
        let mut table = self.workers.table();
        let last = !reply.more;
        let Some(outstanding) = table.workers[self.key].outstanding.get(&id) else {
            self.workers.0.metrics.late_replies.inc();
            return Err(LateReply.into());
        };
        let sent = outstanding.send(reply);
        if last || sent.is_err() {
            let _answered = table.take_back(self.key, id);
            table.fill(self.key);
            self.workers.measure(&table);
        }
        Ok(sent?)
    }

    /// Answers a command with an error.
    ///
    /// # Errors
    /// Nobody waits for it.
    pub fn fail(&self, id: CommandId, error: CommandError) -> Result<(), LateReply> {
        let mut table = self.workers.table();
        let Some(outstanding) = table.take_back(self.key, id) else {
            self.workers.0.metrics.late_replies.inc();
            return Err(LateReply);
        };
        table.fill(self.key);
        self.workers.measure(&table);
        drop(table);
        outstanding.fail(error);
        Ok(())
    }

    /// It did not take a command: another one has it, or its client is told that nobody does.
    pub(super) fn give_back(&self, id: CommandId) {
        let mut table = self.workers.table();
        let refused = table.give_back(self.key, id);
        table.fill(self.key);
        self.workers.measure(&table);
        drop(table);
        if let Some((outstanding, error)) = refused {
            outstanding.fail(error);
        }
    }

    /// It may have taken a command, and will not answer.
    pub(super) fn lose(&self, id: CommandId) {
        let mut table = self.workers.table();
        let _lost_by_dropping_it = table.take_back(self.key, id);
        table.fill(self.key);
        self.workers.measure(&table);
    }

    /// Goes on with another registration. What it has it keeps.
    pub fn replace(&self, registration: Registration) {
        let mut table = self.workers.table();
        table.workers[self.key].replace(registration);
        table.fill(self.key);
        let stranded = table.stranded();
        self.workers.settle(table, stranded);
    }

    /// It is given no more commands.
    pub fn drain(&self) {
        let mut table = self.workers.table();
        table.workers[self.key].draining = true;
        let stranded = table.stranded();
        self.workers.settle(table, stranded);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut table = self.workers.table();
        let refused = table.remove(self.key);
        self.workers.settle(table, refused);
    }
}

/// What a command is told that finds the line full.
fn no_room() -> CommandError {
    CommandError::limit("every backend that answers this method is busy, and so many wait already")
}

#[cfg(test)]
mod tests;
