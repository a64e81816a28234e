//! A TCP proxy between two parties, by which a test cuts, silences or delays what they say.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanline_test_redis::{DEADLINE, within};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Bytes that are on their way in one direction of a connection. Little, so that a silence is felt at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// A proxy in front of one address. Dropping it ends its connections.
#[derive(Debug)]
pub struct Proxy {
    /// Where to connect to it.
    pub address: SocketAddr,
    line: watch::Sender<Line>,
    /// Bytes that have come back from the target, over all connections.
    returned: watch::Sender<u64>,
    lost: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

/// What the line does with what is sent over it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Line {
    /// Connections are ended at each new number.
    cut: u64,
    /// The connection over which this byte comes back is ended behind it, counted over all connections.
    cut_at: Option<u64>,
    /// New ones are ended at once.
    down: bool,
    /// Nothing passes, and nobody is told.
    silent: bool,
    /// How much later everything arrives.
    delay: Duration,
    /// Of a hundred connections, so many bring their question there, and the beginning of the answer back at most.
    loss: u32,
}

impl Proxy {
    /// A proxy to `target`, which may not be there yet.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (line, state) = watch::channel(Line::default());
        let returned = watch::Sender::new(0);
        let lost = Arc::new(AtomicUsize::new(0));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, target, state, returned.clone(), Arc::clone(&lost)));
        Self { address, line, returned, lost, _accepting: accepting }
    }

    /// Ends all connections; new ones pass.
    pub fn cut(&self) {
        self.line.send_modify(|line| line.cut += 1);
    }

    /// Ends the connection over which the target answers, once it has sent so many more bytes: those still arrive.
    pub fn cut_after(&self, bytes: u64) {
        let cut_at = *self.returned.borrow() + bytes;
        self.line.send_modify(|line| line.cut_at = Some(cut_at));
    }

    /// Waits until the target has sent so many more bytes.
    pub async fn returned(&self, bytes: u64) {
        let mut returned = self.returned.subscribe();
        let enough = *returned.borrow() + bytes;
        let what = format!("{bytes} more bytes");
        let passed = within(DEADLINE, &what, returned.wait_for(|all| *all >= enough)).await;
        passed.expect("the proxy holds the sender");
    }

    /// Ends all connections, and new ones at once, until [`restore`](Self::restore).
    pub fn take_down(&self) {
        self.line.send_modify(|line| {
            line.cut += 1;
            line.down = true;
        });
    }

    /// Holds back everything without ending anything, until [`restore`](Self::restore).
    pub fn silence(&self) {
        self.line.send_modify(|line| line.silent = true);
    }

    /// Loses the answers of so many of a hundred connections, or the end of them, whereas what is asked arrives. Which
    /// ones is the same at each run.
    pub fn lose_answers(&self, loss: u32) {
        self.line.send_modify(|line| line.loss = loss);
    }

    /// How many answers were lost.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    /// Delays everything in both directions.
    pub fn delay(&self, delay: Duration) {
        self.line.send_modify(|line| line.delay = delay);
    }

    /// Lets everything pass again, at once.
    pub fn restore(&self) {
        self.line.send_modify(|line| *line = Line { cut: line.cut, ..Line::default() });
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    line: watch::Receiver<Line>,
    returned: watch::Sender<u64>,
    lost: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    let mut rng = StdRng::seed_from_u64(0);
    loop {
        let Ok((near, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        let Line { down, loss, .. } = *line.borrow();
        if down {
            continue;
        }
        if rng.random_range(0..100) < loss {
            let arrives = [0, rng.random_range(0..512)][rng.random_range(0..2)];
            connections.spawn(lose(near, target, arrives, Arc::clone(&lost)));
        } else {
            connections.spawn(carry(near, target, line.clone(), returned.clone()));
        }
    }
}

async fn carry(
    near: TcpStream,
    target: SocketAddr,
    mut line: watch::Receiver<Line>,
    returned: watch::Sender<u64>,
) {
    let cut = line.borrow().cut;
    let Ok(far) = TcpStream::connect(target).await else { return };
    // Without it the proxy would delay by itself.
    let _best_effort = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let there = pass(near_in, far_out, line.clone(), None);
    let back = pass(far_in, near_out, line.clone(), Some(returned));
    tokio::select! {
        _ = line.wait_for(|line| line.cut != cut) => {}
        () = there => {}
        () = back => {}
    }
}

/// Carries a question there, and of the answer only so many bytes back.
async fn lose(near: TcpStream, target: SocketAddr, arrives: u64, lost: Arc<AtomicUsize>) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let answer = async {
        // Once it has begun to come, the question has been taken.
        let begun = far_in.readable().await;
        let _arrived = copy(&mut (&mut far_in).take(arrives), &mut near_out).await;
        lost.fetch_add(usize::from(begun.is_ok()), Ordering::Relaxed);
    };
    let question = async {
        let _carried = copy(&mut near_in, &mut far_out).await;
        // A question that has ended still has an answer coming.
        pending().await
    };
    tokio::select! {
        () = question => {}
        () = answer => {}
    }
}

/// Carries one direction until it ends, or until it is cut where its bytes are counted.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
    counted: Option<watch::Sender<u64>>,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let Ok(bytes @ 1..) = from.read(&mut chunk).await else { return };
        let delay = line.borrow().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        if line.wait_for(|line| !line.silent).await.is_err() {
            return;
        }
        let cut = counted.as_ref().and_then(|counted| {
            let left = line.borrow().cut_at?.checked_sub(*counted.borrow())?;
            usize::try_from(left).ok().filter(|left| (1..=bytes).contains(left))
        });
        let bytes = cut.unwrap_or(bytes);
        if to.write_all(&chunk[..bytes]).await.is_err() {
            return;
        }
        if let Some(counted) = &counted {
            counted.send_modify(|all| *all += bytes as u64);
        }
        if cut.is_some() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair() -> (Proxy, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let proxy = Proxy::to(listener.local_addr().expect("bound")).await;
        let near = TcpStream::connect(proxy.address).await.expect("connected");
        let (far, _) = listener.accept().await.expect("carried");
        (proxy, near, far)
    }

    #[tokio::test]
    async fn a_silence_holds_back_and_loses_nothing() {
        let (proxy, mut near, mut far) = pair().await;
        proxy.silence();
        near.write_all(b"hello").await.expect("written");
        let mut five = [0; 5];
        let early = tokio::time::timeout(Duration::from_millis(100), far.read_exact(&mut five));
        early.await.expect_err("nothing passes");
        proxy.restore();
        far.read_exact(&mut five).await.expect("it arrives");
        assert_eq!(&five, b"hello");
    }

    #[tokio::test]
    async fn a_cut_after_some_bytes_lets_those_through_and_no_more() {
        let (proxy, mut near, mut far) = pair().await;
        far.write_all(b"hel").await.expect("written");
        near.read_exact(&mut [0; 3]).await.expect("it passes");
        proxy.returned(0).await;
        proxy.cut_after(1);
        far.write_all(b"lo").await.expect("written");
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.expect("an end");
        assert_eq!(rest, b"l");
    }

    #[tokio::test]
    async fn an_answer_that_is_lost_was_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let proxy = Proxy::to(listener.local_addr().expect("bound")).await;
        proxy.lose_answers(100);
        let mut near = TcpStream::connect(proxy.address).await.expect("connected");
        near.write_all(b"question").await.expect("written");
        let (mut far, _) = listener.accept().await.expect("carried");
        let mut question = [0; 8];
        far.read_exact(&mut question).await.expect("it arrives");
        let answer = [7; 1024];
        far.write_all(&answer).await.expect("written");
        let mut arrived = Vec::new();
        let _ended = near.read_to_end(&mut arrived).await;
        assert!(arrived.len() < answer.len());
        assert_eq!((&question, proxy.lost()), (b"question", 1));
    }

    #[tokio::test]
    async fn a_cut_ends_both_sides() {
        let (proxy, mut near, mut far) = pair().await;
        proxy.cut();
        let mut byte = [0];
        assert!(matches!(near.read(&mut byte).await, Ok(0) | Err(_)));
        assert!(matches!(far.read(&mut byte).await, Ok(0) | Err(_)));
    }
}
