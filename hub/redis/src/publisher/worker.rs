//! The work: from the way in, to the server of each channel, and back with the answers.

use super::Job;
use super::batches::{Batch, Batches};
use super::lines::{Lines, Repeated};
use crate::call::Failure;
use crate::servers::{Map, Servers};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Jobs that are taken in at once.
const INTAKE: usize = 256;

/// The one task through which all publishes of a node go: that is what keeps their order.
pub(super) struct Worker {
    servers: Arc<Servers>,
    jobs: mpsc::Receiver<Job>,
    intake: Vec<Job>,
    /// How many were taken in.
    count: u64,
    map: Arc<Map>,
    /// One for each server of the map.
    servers_batches: Vec<Batches>,
    lines: Lines,
}

/// What happened.
enum Step {
    Taken,
    Answered(usize, Batch),
    Repeated(Box<Repeated>),
}

impl Worker {
    pub(super) fn new(servers: Arc<Servers>, jobs: mpsc::Receiver<Job>) -> Self {
        let map = servers.map();
        Worker {
            jobs,
            intake: Vec::with_capacity(INTAKE),
            count: 0,
            servers_batches: batches(&map),
            map,
            lines: Lines::new(Arc::clone(&servers)),
            servers,
        }
    }

    /// Works until `stop`, or until nobody can hand in any more.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(step)) = stop.run_until_cancelled(self.step()).await {
            match step {
                Step::Taken => {}
                Step::Answered(server, batch) => self.settle(server, batch),
                Step::Repeated(repeated) => self.settle_repeated(*repeated),
            }
            if self.follow_the_map() {
                self.route();
                for batches in &mut self.servers_batches {
                    batches.send().await;
                }
            }
        }
    }

    /// Waits for the next thing to happen; none: nobody hands in any more.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped: what is received stands in `intake`.
    async fn step(&mut self) -> Option<Step> {
        let batches = &mut self.servers_batches;
        let answered = poll_fn(|cx| {
            for (server, batches) in batches.iter_mut().enumerate() {
                if let Poll::Ready(batch) = batches.poll_answered(cx) {
                    return Poll::Ready((server, batch));
                }
            }
            Poll::Pending
        });
        tokio::select! {
            // What has come goes with what an answer lets go.
            biased;
            // What was taken in is not routed while the map changes.
            taken = self.jobs.recv_many(&mut self.intake, INTAKE), if self.intake.is_empty() => {
                (taken > 0).then_some(Step::Taken)
            }
            (server, batch) = answered => Some(Step::Answered(server, batch)),
            repeated = self.lines.repeated() => Some(Step::Repeated(Box::new(repeated))),
        }
    }

    /// Takes over a new map once nothing is under way by the old one: a channel that moved is on its way to one server
    /// only. Answers whether the map in use is the newest.
    fn follow_the_map(&mut self) -> bool {
        let map = self.servers.map();
        if Arc::ptr_eq(&map, &self.map) {
            return true;
        }
        if !self.servers_batches.iter().all(Batches::is_idle) {
            return false;
        }
        for server in 0..self.servers_batches.len() {
            self.lines.move_on(server, u64::MAX);
        }
        let mut queued: Vec<_> =
            self.servers_batches.iter_mut().flat_map(|batches| batches.queue.drain(..)).collect();
        queued.sort_unstable_by_key(|(number, _)| *number);
        self.servers_batches = batches(&map);
        self.map = map;
        for (number, job) in queued {
            self.put(number, job);
        }
        true
    }

    fn route(&mut self) {
        for job in std::mem::take(&mut self.intake) {
            self.count += 1;
            self.put(self.count, job);
        }
    }

    /// Puts a job in line, in its channel's if there is one.
    fn put(&mut self, number: u64, job: Job) {
        let job = match self.lines.is_empty() {
            true => job,
            false => match self.lines.join(number, job) {
                Some(job) => job,
                None => return,
            },
        };
        match self.home(&job) {
            Some(batches) => batches.queue.push_back((number, job)),
            None => self.lines.start(number, job),
        }
    }

    /// The publishes to the server of a job; none: nobody has its slot.
    fn home(&mut self, job: &Job) -> Option<&mut Batches> {
        let tag = self.servers.common.keys.tag(&job.written.channel);
        self.servers_batches.get_mut(self.map.placing.server(&tag)?)
    }

    fn settle_repeated(&mut self, repeated: Repeated) {
        let is_forgotten = repeated.answer == Err(Failure::Forgotten);
        if is_forgotten && repeated.job.is_wanted() {
            // It is loaded in its turn, and this one finds it then.
            if let Some(batches) = self.home(&repeated.job) {
                batches.forgotten = true;
            }
            self.lines.try_again(repeated.job);
        } else {
            self.lines.settle(repeated);
        }
    }

    fn settle(&mut self, server: usize, Batch { jobs, answers }: Batch) {
        let Some(batches) = self.servers_batches.get_mut(server) else { return };
        let sent = batches.sent;
        let mut has_new_lines = false;
        let mut answers = match answers {
            Ok(answers) => answers.into_iter(),
            Err(failure) => vec![Err(failure); jobs.len()].into_iter(),
        };
        for (number, job) in jobs {
            match answers.next().unwrap_or(Err(Failure::Away)) {
                Err(failure) if failure.may_be_repeated() && job.is_wanted() => {
                    batches.forgotten |= failure == Failure::Forgotten;
                    self.lines.repeat(server, sent, number, job, &failure);
                    has_new_lines = true;
                }
                answer => {
                    self.lines.overtake(&job.written.channel, number);
                    job.answer(&self.servers.common, answer);
                }
            }
        }
        if !self.lines.is_empty() {
            self.lines.move_on(server, batches.answered);
        }
        // What waited in the queue before there was a line joins it; what came later did so on its way in.
        if has_new_lines {
            batches.queue = std::mem::take(&mut batches.queue)
                .into_iter()
                .filter_map(|(number, job)| Some((number, self.lines.join(number, job)?)))
                .collect();
        }
    }
}

fn batches(map: &Map) -> Vec<Batches> {
    map.servers.iter().map(|server| Batches::new(Arc::clone(server))).collect()
}
