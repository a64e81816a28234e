//! From running to ended: signals, the drain and its deadline.

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::join;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// Time for tasks to notice that they were stopped.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How the parts of the process learn that it ends. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown {
    /// Take nothing new, finish what you are at, say goodbye.
    pub(crate) drain: CancellationToken,
    /// Stop where you are.
    pub(crate) stop: CancellationToken,
}

impl Shutdown {
    /// For parts that go on through the drain, such as the hub itself and its health.
    pub(crate) fn stop_only(&self) -> Self {
        Shutdown { drain: self.stop.clone(), stop: self.stop.clone() }
    }

    /// Runs until a signal and the drain after it have ended, and tells how.
    ///
    /// `draining` are the tasks that end by themselves once they are told to; what is `last` comes after them. At `deadline`
    /// the process ends whatever they do, and at a second signal at once.
    pub(crate) async fn run(
        self,
        mut signals: Signals,
        draining: &TaskTracker,
        last: impl Future<Output = ()>,
        deadline: Duration,
    ) -> Ended {
        let mut last = pin!(last);
        let end = tokio::select! {
            name = signals.next() => {
                info!(signal = name, ?deadline, "draining");
                Ended::Drained
            }
            () = self.drain.cancelled() => Ended::Crashed,
            () = self.stop.cancelled() => Ended::Crashed,
        };
        if end == Ended::Crashed {
            error!("a part of the process ended that must not; draining");
        }
        self.drain.cancel();
        draining.close();
        tokio::select! {
            () = async { draining.wait().await; last.as_mut().await } => info!("drained"),
            () = sleep(deadline) => {
                warn!(tasks = draining.len(), "the drain deadline has passed; ending what is left");
                self.stop.cancel();
                drop(timeout(LAST_WORDS, join(draining.wait(), last)).await);
            }
            name = signals.next() => {
                warn!(signal = name, "told twice; ending at once");
                return Ended::ToldTwice;
            }
        }
        self.stop.cancel();
        end
    }
}

/// How the process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// As it was asked to, also where the deadline cut the drain short.
    Drained,
    /// A second signal came before the drain was over.
    ToldTwice,
    /// A part without which there is no hub ended by itself.
    Crashed,
}

impl From<Ended> for ExitCode {
    fn from(end: Ended) -> Self {
        match end {
            Ended::Drained => ExitCode::SUCCESS,
            Ended::ToldTwice | Ended::Crashed => ExitCode::FAILURE,
        }
    }
}

/// The signals that ask the process to end.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from here on.
    ///
    /// # Errors
    /// The operating system does not let us.
    pub(crate) fn take() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    const DEADLINE: Duration = Duration::from_secs(45);

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_part_that_must_not_end_is_a_crash() {
        let (shutdown, tasks) = (Shutdown::default(), TaskTracker::new());
        let drain = shutdown.drain.clone();
        tasks.spawn(async move { drop(drain.drop_guard()) });
        let end = shutdown.run(Signals::take().unwrap(), &tasks, ready(()), DEADLINE).await;
        assert_eq!(end, Ended::Crashed);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_deadline_it_ends_whatever_tasks_do_and_tells_them_to_stop() {
        let (shutdown, tasks) = (Shutdown::default(), TaskTracker::new());
        tasks.spawn(pending::<()>());
        shutdown.drain.cancel();
        let (start, stop) = (tokio::time::Instant::now(), shutdown.stop.clone());
        shutdown.run(Signals::take().unwrap(), &tasks, ready(()), DEADLINE).await;
        assert_eq!(start.elapsed(), DEADLINE + LAST_WORDS);
        assert!(stop.is_cancelled());
    }
}
