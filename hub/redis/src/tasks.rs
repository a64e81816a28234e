//! The broker's work, on the tasks of the node.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Starts work. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    pub(crate) tracker: TaskTracker,
    /// Ends the broker, and the node with it.
    pub(crate) stop: CancellationToken,
}

impl Tasks {
    /// Starts work whose crash is the end of the node: without it the others would go on as half a broker, which looks like a
    /// whole one. It may end by itself.
    pub(crate) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        let our_crash_stops_the_process = self.stop.clone().drop_guard();
        self.tracker.spawn(async move {
            work.await;
            our_crash_stops_the_process.disarm();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_stopped_after(work: impl Future<Output = ()> + Send + 'static) -> bool {
        let tasks = Tasks { tracker: TaskTracker::new(), stop: CancellationToken::new() };
        tasks.start(work);
        tasks.tracker.close();
        tasks.tracker.wait().await;
        tasks.stop.is_cancelled()
    }

    #[tokio::test]
    async fn a_crash_stops_the_node_and_an_end_does_not() {
        assert!(is_stopped_after(async { panic!("a crash") }).await);
        assert!(!is_stopped_after(async {}).await);
    }
}
