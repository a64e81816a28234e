//! When a command is sent to a handler once more.

use super::attempt::Job;
use super::failure::Failure;
use fanline_core::random::Random;
use futures_util::future::BoxFuture;
use prometheus_client::metrics::counter::Counter;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tower::retry::Policy;

/// The pause before the second try; each further one is twice as long. A handler that restarts is often back within it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The tries that a command has left. Cloned for each command.
#[derive(Clone, Debug)]
pub(super) struct Retries {
    left: u32,
    pause: Duration,
    random: Random,
    counter: Counter,
}

impl Retries {
    pub(super) fn new(retries: u32, random: Random, counter: Counter) -> Self {
        Retries { left: retries, pause: FIRST_PAUSE, random, counter }
    }
}

impl<Reply> Policy<Job, Reply, Failure> for Retries {
    type Future = BoxFuture<'static, ()>;

    fn retry(
        &mut self,
        job: &mut Job,
        result: &mut Result<Reply, Failure>,
    ) -> Option<Self::Future> {
        let failure = result.as_ref().err()?;
        // Commands that failed together do not come back together.
        let pause = self.random.between(self.pause / 2, self.pause);
        let in_time = Instant::now() + pause < job.until;
        if self.left == 0 || !in_time || !failure.may_retry(job.has_key()) {
            return None;
        }
        self.left -= 1;
        self.pause *= 2;
        self.counter.inc();
        Some(Box::pin(sleep(pause)))
    }

    fn clone_request(&mut self, job: &Job) -> Option<Job> {
        Some(job.clone())
    }
}
