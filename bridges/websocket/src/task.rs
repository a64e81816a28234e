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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::CloseCode;
    use crate::io::Io;
    use crate::limits::LINGER;
    use crate::socket::Socket;
    use crate::timer::Timer;
    use fanline_edge::Subprotocols;
    use fanline_edge::metrics::Transport;
    use fanline_edge::testing::TestEdge;
    use http::Request;
    use std::net::Ipv4Addr;
    use std::time::Duration;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    /// A connection that is let in, and the socket of its client.
    async fn connection(edge: &TestEdge) -> (ConnectionTask, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        let bearer = format!("Bearer {}", edge.token("ada", Duration::from_secs(60)));
        let (request, ()) =
            Request::builder().header("authorization", bearer).body(()).unwrap().into_parts();
        let entrance = edge.enter(peer.ip(), &request, &Subprotocols::default()).await.unwrap();
        let counted = edge.metrics.connected(Transport::WebSocket);
        let socket = Socket::new(Io::Tcp(server), Vec::new(), 1024, 1024);
        let task = ConnectionTask::new(edge.metrics.clone(), |express| {
            Connection::new((**edge).clone(), entrance, counted, socket, express)
        });
        (task, client)
    }

    #[tokio::test]
    async fn who_is_let_go_follows_nothing_however_long_the_fan_out_holds_it() {
        let edge = TestEdge::start();
        let (task, _client) = connection(&edge).await;
        let held_by_the_fan_out = Arc::clone(&task.shared);
        let follows = || held_by_the_fan_out.0.lock().unwrap().session.is_some();
        assert!(follows());
        drop(task);
        assert!(!follows());
    }

    #[tokio::test]
    async fn a_close_is_the_last_word_and_a_client_that_does_not_answer_it_is_let_go() {
        let edge = TestEdge::start();
        let (task, mut client) = connection(&edge).await;
        {
            let mut connection = task.shared.0.lock().unwrap();
            // Due while the client's end is waited for.
            for timer in [Timer::Ping, Timer::Expiry] {
                connection.timers.set(timer, LINGER / 2);
            }
            connection.close(CloseCode::Timeout, "the last word");
        }
        timeout(Duration::from_secs(30), task).await.expect("the connection ends by itself");
        let mut sent = Vec::new();
        client.read_to_end(&mut sent).await.unwrap();
        assert!(sent.ends_with(b"the last word"));
    }
}
