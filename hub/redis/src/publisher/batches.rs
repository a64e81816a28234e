//! The publishes to one server: those in line, and those under way to it, a batch to a round trip.
//!
//! Batches are sent and answered in order, as they share one connection at a time. A few are under way at once, so that
//! Redis has the next one while the answers to the former travel; what comes meanwhile gathers into larger ones.

use super::Job;
use crate::Durability;
use crate::call::Failure;
use crate::scripts::Script;
use crate::server::{Lane, Server};
use crate::servers::CALL;
use crate::session::Session;
use futures_util::future::{BoxFuture, FutureExt, ready};
use futures_util::poll;
use futures_util::stream::{FuturesOrdered, StreamExt};
use redis::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::coop::unconstrained;
use tokio::time::Instant;

/// Batches under way: one that Redis works on, one that waits there, and what travels.
const BATCHES: usize = 4;
/// Of those that wait for replicas: the second would wait behind the first, as would the look at whether the server is there.
const WAITING_BATCHES: usize = 1;
/// Publishes of one batch, and about their bytes: what Redis does in a millisecond or two, so that an answer is not kept
/// waiting for the rest of its batch for long.
const BATCH: usize = 128;
const BATCH_BYTES: usize = 1024 * 1024;

/// The publishes to one server.
pub(super) struct Batches {
    pub(super) server: Arc<Server>,
    /// Each with its number in the order of all.
    pub(super) queue: VecDeque<(u64, Job)>,
    under_way: FuturesOrdered<BoxFuture<'static, Batch>>,
    /// The one that is under way waits for a connection. It does so alone: others might get it sooner.
    connecting: bool,
    /// The server forgot how to publish. It is told again when all that it got before is answered: what it gets after
    /// that would overtake what it could not do.
    pub(super) forgotten: bool,
    /// The number of the last job that was sent, and of the last that was answered.
    pub(super) sent: u64,
    pub(super) answered: u64,
}

/// Publishes that shared a round trip, with what came of each.
pub(super) struct Batch {
    pub(super) jobs: Vec<(u64, Job)>,
    /// As many as there are jobs, unless none was answered.
    pub(super) answers: Result<Vec<Result<Value, Failure>>, Failure>,
}

impl Batches {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Batches {
            server,
            queue: VecDeque::new(),
            under_way: FuturesOrdered::new(),
            connecting: false,
            forgotten: false,
            sent: 0,
            answered: 0,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Sends as much as may be under way. Waits for nothing.
    pub(super) async fn send(&mut self) {
        if self.forgotten {
            if !self.is_idle() {
                return;
            }
            self.forgotten = false;
            // A connection that is yet to be made loads all scripts.
            if let Some(session) = self.server.link(Lane::Publishes).current() {
                self.start(load(session)).await;
            }
        }
        let batches = match self.server.place.durability {
            Durability::Wait(_) => WAITING_BATCHES,
            Durability::Volatile | Durability::AofAlways => BATCHES,
        };
        while !self.queue.is_empty() && self.under_way.len() < batches && !self.connecting {
            let session = self.server.link(Lane::Publishes).current();
            if session.is_none() && !self.is_idle() {
                return;
            }
            let jobs = self.next_batch();
            let Some((number, _)) = jobs.last() else { return };
            self.sent = *number;
            self.connecting = session.is_none();
            self.start(run(Arc::clone(&self.server), session, jobs)).await;
        }
    }

    /// Sends something. Waits for nothing.
    async fn start(&mut self, batch: impl Future<Output = Batch> + Send + 'static) {
        // The first poll hands it to the connection: before any later one.
        let mut batch = unconstrained(batch).boxed();
        let batch = match poll!(&mut batch) {
            Poll::Ready(batch) => ready(batch).boxed(),
            Poll::Pending => batch,
        };
        self.under_way.push_back(batch);
    }

    /// The next batch that has an outcome, if any is under way.
    pub(super) fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<Batch> {
        match self.under_way.poll_next_unpin(cx) {
            Poll::Ready(Some(batch)) => {
                self.connecting = false;
                if let Some((number, _)) = batch.jobs.last() {
                    self.answered = *number;
                }
                Poll::Ready(batch)
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn next_batch(&mut self) -> Vec<(u64, Job)> {
        let (mut jobs, mut bytes) = (Vec::with_capacity(self.queue.len().min(BATCH)), 0);
        while jobs.len() < BATCH && bytes < BATCH_BYTES {
            let Some((number, job)) = self.queue.pop_front() else { break };
            if job.is_wanted() {
                bytes += job.written.bytes();
                jobs.push((number, job));
            }
        }
        jobs
    }
}

/// Makes the server know how to publish. Has no jobs, but its place among those that have.
async fn load(session: Arc<Session>) -> Batch {
    let loading = session.load(Script::Publish);
    // A server that does not answer is noticed by whoever publishes next.
    let _loaded = tokio::time::timeout(CALL, loading).await;
    Batch { jobs: Vec::new(), answers: Ok(Vec::new()) }
}

async fn run(server: Arc<Server>, session: Option<Arc<Session>>, jobs: Vec<(u64, Job)>) -> Batch {
    let deadline = Instant::now() + CALL;
    let answers = async {
        let session = match session {
            Some(session) => session,
            None => server.link(Lane::Publishes).session(deadline).await?,
        };
        let arguments: Vec<_> = jobs.iter().map(|(_, job)| job.written.arguments()).collect();
        let calls: Vec<_> = jobs
            .iter()
            .zip(&arguments)
            .map(|((_, job), arguments)| job.written.call(arguments))
            .collect();
        match tokio::time::timeout_at(deadline, session.run_all(&calls)).await {
            Ok(answers) => answers,
            Err(_elapsed) => Err(Failure::Away),
        }
    };
    Batch { answers: answers.await, jobs }
}
