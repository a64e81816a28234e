//! Channels in which a publish did nothing and is to be repeated: while a slot moves, after scripts were flushed.
//!
//! What follows in such a channel waits in line behind it, and other channels go on. When the answers to what was sent
//! already are in, the line is worked off one by one. Whoever turns out to have been overtaken there is given up.

use super::Job;
use crate::call::Failure;
use crate::server::Lane;
use crate::servers::{PAUSE, Servers};
use fanline_core::channel::ChannelName;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The lines.
pub(super) struct Lines {
    servers: Arc<Servers>,
    /// As many as there are channels with a job in line or under way again.
    lines: HashMap<ChannelName, Line>,
    again: FuturesUnordered<BoxFuture<'static, Repeated>>,
}

/// A job that was sent once more, with what came of it.
pub(super) struct Repeated {
    pub(super) job: Job,
    pub(super) answer: Result<Value, Failure>,
}

struct Line {
    /// In the order of their coming.
    jobs: BTreeMap<u64, Job>,
    /// The server that has answers yet to come, and the last job that was sent to it by then.
    server: usize,
    sent: u64,
    /// What the repetition is for may take a moment.
    pause: bool,
    /// Being worked off.
    moves: bool,
}

impl Lines {
    pub(super) fn new(servers: Arc<Servers>) -> Self {
        Lines { servers, lines: HashMap::new(), again: FuturesUnordered::new() }
    }

    /// Takes a job that was sent and did nothing; `sent` is the last job that is on its way to the same server.
    pub(super) fn repeat(
        &mut self,
        server: usize,
        sent: u64,
        number: u64,
        job: Job,
        why: &Failure,
    ) {
        let pause = !matches!(why, Failure::Forgotten | Failure::Ask(_));
        if pause {
            // In a cluster the map may be to blame.
            self.servers.common.stale.notify_one();
        }
        let line = self.lines.entry(job.written.channel.clone()).or_insert(Line {
            jobs: BTreeMap::new(),
            server,
            sent,
            pause,
            moves: false,
        });
        line.jobs.insert(number, job);
    }

    /// Starts the line of a job whose slot nobody has: it is waited for, and nothing overtakes.
    pub(super) fn start(&mut self, number: u64, job: Job) {
        let channel = job.written.channel.clone();
        // Nothing is on its way, so that no server has to answer first.
        self.repeat(0, 0, number, job, &Failure::NotNow);
        self.next(&channel);
    }

    /// Takes a job whose channel has a line, else gives it back.
    pub(super) fn join(&mut self, number: u64, job: Job) -> Option<Job> {
        match self.lines.get_mut(&job.written.channel) {
            Some(line) => {
                line.jobs.insert(number, job);
                None
            }
            None => Some(job),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Gives up those in line before a job that has an outcome: to publish them now would be the wrong order.
    pub(super) fn overtake(&mut self, channel: &ChannelName, number: u64) {
        let Some(line) = self.lines.get_mut(channel) else { return };
        let behind = line.jobs.split_off(&number);
        for job in std::mem::replace(&mut line.jobs, behind).into_values() {
            job.answer(&self.servers.common, Err(Failure::NotNow));
        }
    }

    /// Starts to work off the lines of a server that has answered all up to a job.
    pub(super) fn move_on(&mut self, server: usize, answered: u64) {
        let ready: Vec<_> = self
            .lines
            .iter()
            .filter(|(_, line)| !line.moves && line.server == server && line.sent <= answered)
            .map(|(channel, _)| channel.clone())
            .collect();
        for channel in ready {
            self.next(&channel);
        }
    }

    /// Waits for a repetition that has an outcome, which is to be [settled](Self::settle) or
    /// [tried again](Self::try_again).
    pub(super) async fn repeated(&mut self) -> Repeated {
        match self.again.next().await {
            Some(repeated) => repeated,
            None => std::future::pending().await,
        }
    }

    /// Answers a job that was repeated, and goes on with its line.
    pub(super) fn settle(&mut self, Repeated { job, answer }: Repeated) {
        let channel = job.written.channel.clone();
        job.answer(&self.servers.common, answer);
        self.next(&channel);
    }

    /// Repeats a job once more; its line waits.
    pub(super) fn try_again(&mut self, job: Job) {
        self.again.push(Box::pin(again(Arc::clone(&self.servers), job, false)));
    }

    fn next(&mut self, channel: &ChannelName) {
        let Some(line) = self.lines.get_mut(channel) else { return };
        while let Some((_, job)) = line.jobs.pop_first() {
            if job.is_wanted() {
                let pause = line.pause && !line.moves;
                line.moves = true;
                self.again.push(Box::pin(again(Arc::clone(&self.servers), job, pause)));
                return;
            }
        }
        self.lines.remove(channel);
    }
}

async fn again(servers: Arc<Servers>, job: Job, pause: bool) -> Repeated {
    let repeating = async {
        if pause {
            tokio::time::sleep(PAUSE).await;
        }
        let arguments = job.written.arguments();
        servers.call(&job.written.channel, Lane::Publishes, &job.written.call(&arguments)).await
    };
    let answer = match tokio::time::timeout_at(job.deadline, repeating).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(Failure::Away),
    };
    Repeated { job, answer }
}
