//! From running to ended: signals, the drain and its deadline.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// Time for tasks to notice that they were stopped.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Exit code when the process was told twice, or a part of it crashed.
const FAILED: u8 = 1;

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
    /// `draining` are the tasks that end by themselves once they are told to. At `deadline` the process ends whatever
    /// they do, and at a second signal at once.
    pub(crate) async fn run(
        self,
        mut signals: Signals,
        draining: &TaskTracker,
        deadline: Duration,
    ) -> ExitCode {
        let crashed = tokio::select! {
            name = signals.next() => {
                info!(signal = name, ?deadline, "draining");
                false
            }
            () = self.drain.cancelled() => true,
            () = self.stop.cancelled() => true,
        };
        if crashed {
            error!("a part of the process ended that must not; draining");
        }
        self.drain.cancel();
        draining.close();
        tokio::select! {
            () = draining.wait() => info!("drained"),
            () = sleep(deadline) => {
                warn!(tasks = draining.len(), "the drain deadline has passed; ending what is left");
                self.stop.cancel();
                drop(timeout(LAST_WORDS, draining.wait()).await);
            }
            name = signals.next() => {
                warn!(signal = name, "told twice; ending at once");
                return ExitCode::from(FAILED);
            }
        }
        self.stop.cancel();
        if crashed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
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
