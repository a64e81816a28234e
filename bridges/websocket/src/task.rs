//! A connection as its task runs it, and as the fan-out may serve it in between.
//!
//! The task owns all decisions. The fan-out only asks an idle connection to take its news at once
//! ([`Connection::serve`]) and leaves everything else to the task.

use crate::connection::Connection;
use fanline_core::feed::{Express, Slot};
use fanline_edge::metrics::EdgeMetrics;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

/// The task of one connection. A defect met by one connection ends that one, and is counted.
pub(crate) struct ConnectionTask {
    shared: Arc<Shared>,
    metrics: EdgeMetrics,
}

/// The connection, for one at a time. The fan-out never waits for it, and the task only for one write that cannot block.
struct Shared(Mutex<Connection>);

impl ConnectionTask {
    /// The task of a connection that is given the way by which the fan-out reaches it.
    pub(crate) fn new(
        metrics: EdgeMetrics,
        connection: impl FnOnce(Weak<dyn Express>) -> Connection,
    ) -> Self {
        let shared = Arc::new_cyclic(|shared: &Weak<Shared>| {
            let express: Weak<dyn Express> = Weak::clone(shared) as Weak<dyn Express>;
            Shared(Mutex::new(connection(express)))
        });
        ConnectionTask { shared, metrics }
    }
}

/// Lives until the client or the hub ends the connection.
impl Future for ConnectionTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let turn = || self.shared.0.lock().map(|mut connection| connection.poll(cx));
        match catch_unwind(AssertUnwindSafe(turn)) {
            Ok(Ok(ended)) => ended,
            // Here, or before while the fan-out served it.
            Err(_) | Ok(Err(_)) => {
                self.metrics.panicked();
                Poll::Ready(())
            }
        }
    }
}

/// Leaves the channels before the connection is let go: the fan-out may be the last to hold it, at a moment at which it also
/// holds the list that the subscriptions of the connection would have to be taken off.
impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).leave_all();
    }
}

impl Express for Shared {
    fn serve(&self, slot: Slot) -> bool {
        // Busy: its task runs, and finds the news itself once it is woken.
        let Ok(mut connection) = self.0.try_lock() else { return false };
        // Moved in, so that a panic leaves the lock poisoned and the task knows.
        catch_unwind(AssertUnwindSafe(move || connection.serve(slot))).unwrap_or(false)
    }
}
