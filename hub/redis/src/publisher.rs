//! Where publishes are handed in, and the work that takes them to Redis.
//!
//! All that wait go together: many share a round trip, a write and a wake-up. The order in which they are handed in is the
//! order in which they are published within a channel, whatever happens on the way. `worker` is where to read on.

mod batches;
mod lines;
mod worker;

use crate::call::Failure;
use crate::publish::Written;
use crate::server::Common;
use crate::servers::{CALL, Servers};
use fanline_core::broker::{BrokerError, Publication, Published};
use std::sync::Arc;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use worker::Worker;

/// Publishes that may be without an answer, by what they take: one place each, and one more for each KiB. 64 Ki small ones
/// are what Redis does in about a second; large ones hold up to 64 MiB here, once more as commands while under way.
const PLACES: usize = 64 * 1024;

/// The way in. Cheap to use from many tasks.
#[derive(Debug)]
pub(crate) struct Publisher {
    servers: Arc<Servers>,
    jobs: mpsc::Sender<Job>,
    places: Arc<Semaphore>,
}

/// A publish and who waits for it.
#[derive(Debug)]
struct Job {
    written: Written,
    /// When whoever waits is told that the outcome is unknown, if it is repeated.
    deadline: Instant,
    outcome: oneshot::Sender<Result<Published, Failure>>,
    _places: OwnedSemaphorePermit,
}

impl Publisher {
    /// Starts the work, until `stop`.
    pub(crate) fn start(servers: &Arc<Servers>, stop: &CancellationToken) -> Self {
        let (jobs, received) = mpsc::channel(PLACES);
        let work = Worker::new(Arc::clone(servers), received).run(stop.clone());
        servers.common.tasks.start(work);
        Publisher { servers: Arc::clone(servers), jobs, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// Publishes, after all that were handed in before. It is handed in when this is first polled.
    pub(crate) async fn publish(&self, publication: Publication) -> Result<Published, BrokerError> {
        let common = &self.servers.common;
        let written = Written::new(common, publication);
        let (sender, outcome) = oneshot::channel();
        // Nothing here waits before it is in line.
        let Some(places) = self.take_places(&written) else {
            common.outlet.metrics.publishes_refused.inc();
            return Err(BrokerError::Full("as many publishes wait for Redis as may"));
        };
        let job =
            Job { written, deadline: Instant::now() + CALL, outcome: sender, _places: places };
        match self.jobs.try_send(job) {
            Ok(()) => {}
            // As long as it is, it has room for all that have a place.
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                return Err(BrokerError::Unavailable);
            }
        }
        match outcome.await {
            Ok(outcome) => Ok(outcome?),
            Err(_stopped) => Err(BrokerError::Unavailable),
        }
    }

    fn take_places(&self, written: &Written) -> Option<OwnedSemaphorePermit> {
        let places = u32::try_from(1 + written.bytes() / 1024).ok()?;
        Arc::clone(&self.places).try_acquire_many_owned(places).ok()
    }
}

impl Job {
    /// Whether it is still worth sending: somebody waits, and not for too long.
    fn is_wanted(&self) -> bool {
        !self.outcome.is_closed() && Instant::now() < self.deadline
    }

    fn answer(self, common: &Common, answer: Result<redis::Value, Failure>) {
        let outcome = answer.and_then(|answer| self.written.read(common, answer));
        if let Err(failure) = &outcome {
            common.trouble.tell(&self.written.channel, failure);
        }
        // Whoever waited may be gone.
        let _gone = self.outcome.send(outcome);
    }
}
