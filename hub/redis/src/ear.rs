//! The connection that hears the live messages of one server, and comes back when it is lost.
//!
//! A connection that is open proves nothing: a failover may leave it with a server that nobody publishes to. So when it
//! was silent for a while, a probe is published through the primary and must arrive here. Only that counts as hearing.

use crate::backoff::Backoff;
use crate::link::Link;
use crate::place::Place;
use crate::reader::{LastHeard, Outlet, Reader};
use crate::server::PubSub;
use crate::subscriptions::{Batch, Live, Subscriptions};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisResult, Value, cmd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Silence before a probe, and between two looks at the silence.
const SILENCE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(500);
/// Longest way of a probe, and longest wait for the confirmation of a batch.
const ANSWER: Duration = Duration::from_secs(2);

/// What others see of it.
#[derive(Debug)]
pub(crate) struct Ear {
    pub(crate) subscriptions: Arc<Subscriptions>,
    /// The last try to connect failed.
    away: Arc<AtomicBool>,
    last: LastHeard,
}

/// What an ear is made of.
pub(crate) struct EarParts {
    pub(crate) place: Place,
    /// Where probes are published: the way that publishes go.
    pub(crate) probes: Link,
    /// The pub/sub channel of the probes.
    pub(crate) probe: String,
    pub(crate) pubsub: PubSub,
    pub(crate) outlet: Outlet,
    /// Told when channels seem to live elsewhere.
    pub(crate) stale: Arc<Notify>,
    pub(crate) backoff: Backoff,
}

impl Ear {
    /// Makes an ear and the work that keeps it open, until `stop`.
    pub(crate) fn new(
        parts: EarParts,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let ear = Ear {
            subscriptions: Arc::new(Subscriptions::new(parts.outlet.suspects.clone())),
            away: Arc::default(),
            last: LastHeard::default(),
        };
        let worker = Worker {
            parts,
            subscriptions: Arc::clone(&ear.subscriptions),
            away: Arc::clone(&ear.away),
            last: ear.last.clone(),
        };
        (ear, worker.run(stop))
    }

    /// Whether it is known to hear nothing, so that waiting for a confirmation makes no sense.
    pub(crate) fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// Whether it has proved lately that it hears.
    pub(crate) fn hears(&self) -> bool {
        self.last.at().is_some_and(|last| last.elapsed() < SILENCE + ANSWER + 2 * LOOK)
    }
}

struct Worker {
    parts: EarParts,
    subscriptions: Arc<Subscriptions>,
    away: Arc<AtomicBool>,
    last: LastHeard,
}

impl Worker {
    async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep_open()).await;
        self.give_up();
    }

    async fn keep_open(&mut self) {
        loop {
            match self.open().await {
                Ok((mut connection, ended)) => {
                    self.away.store(false, Ordering::Release);
                    self.parts.backoff.reset();
                    let listening = ended.run_until_cancelled(self.listen(&mut connection));
                    let why = listening.await.unwrap_or("the connection is closed");
                    tracing::warn!(server = %self.parts.place, why, "no longer hears Redis; connecting again");
                    self.parts.outlet.metrics.reconnects.inc();
                    self.last.set(None);
                }
                Err(error) => {
                    if !self.away.load(Ordering::Acquire) {
                        tracing::warn!(server = %self.parts.place, %error, "cannot hear Redis; trying again");
                    }
                    self.give_up();
                }
            }
            tokio::time::sleep(self.parts.backoff.next()).await;
        }
    }

    /// Says that nothing is heard, then tells those who wait: whoever comes between the two sees the former.
    fn give_up(&self) {
        self.away.store(true, Ordering::Release);
        self.subscriptions.disappoint();
    }

    async fn open(&self) -> RedisResult<(MultiplexedConnection, CancellationToken)> {
        let address = self.parts.place.find().await?;
        let ended = CancellationToken::new();
        let reader = Reader {
            connection: self.subscriptions.start_over(),
            subscriptions: Arc::clone(&self.subscriptions),
            outlet: self.parts.outlet.clone(),
            last: self.last.clone(),
            stale: Arc::clone(&self.parts.stale),
            ended: ended.clone(),
        };
        let connection =
            self.parts.place.dialer.dial(&address, move |push| reader.take(push)).await?;
        Ok((connection, ended))
    }

    /// Sends what is to be sent, and probes, until the connection is of no use; says why.
    async fn listen(&self, connection: &mut MultiplexedConnection) -> &'static str {
        let Worker { parts, subscriptions, .. } = self;
        let probe: Live = parts.probe.as_bytes().into();
        match self.send(connection, &Batch { enter: vec![probe], leave: Vec::new() }).await {
            Some(0) => {}
            Some(_) => return "it does not let us listen to our probes",
            None => return "it does not answer",
        }
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut probed = None;
        loop {
            tokio::select! {
                () = subscriptions.changed() => {
                    let batch = subscriptions.batch();
                    let Some(refused) = self.send(connection, &batch).await else {
                        return "a subscription was not answered";
                    };
                    subscriptions.settle(&batch);
                    if refused > 0 {
                        // They live elsewhere, or not yet here: the next look tries them again.
                        parts.stale.notify_one();
                    }
                }
                _ = looks.tick() => {
                    subscriptions.retry();
                    let last = self.last.at();
                    probed = probed.filter(|probed| last.is_none_or(|last| last < *probed));
                    match probed {
                        Some(probed) if probed.elapsed() >= ANSWER => return "a probe did not arrive",
                        Some(_) => {}
                        None if last.is_some_and(|last| last.elapsed() < SILENCE) => {}
                        None => probed = self.publish_probe().await,
                    }
                }
            }
        }
    }

    /// Sends a batch in one packet. Gives how many of it the server refused, or nothing if it did not answer in time.
    async fn send(&self, connection: &mut MultiplexedConnection, batch: &Batch) -> Option<usize> {
        let (enter, leave) = match self.parts.pubsub {
            PubSub::Plain => ("SUBSCRIBE", "UNSUBSCRIBE"),
            PubSub::Sharded => ("SSUBSCRIBE", "SUNSUBSCRIBE"),
        };
        // A command for each: one with many channels would have to keep to one slot.
        let mut pipeline = Pipeline::with_capacity(batch.enter.len() + batch.leave.len());
        for live in &batch.enter {
            pipeline.cmd(enter).arg(&live[..]);
        }
        for live in &batch.leave {
            pipeline.cmd(leave).arg(&live[..]);
        }
        let count = pipeline.len();
        if count == 0 {
            return Some(0);
        }
        let sent = connection.send_packed_commands(&pipeline, 0, count);
        let answers = tokio::time::timeout(ANSWER, sent).await.ok()?.ok()?;
        Some(answers.iter().filter(|answer| matches!(answer, Value::ServerError(_))).count())
    }

    /// Publishes a probe; gives when, or nothing if there is no way to publish: then it is not the ear that is deaf.
    async fn publish_probe(&self) -> Option<Instant> {
        let now = Instant::now();
        let deadline = now + ANSWER;
        let session = self.parts.probes.session(deadline).await.ok()?;
        let mut probe = cmd(self.parts.pubsub.publish());
        probe.arg(&self.parts.probe).arg("");
        let published = tokio::time::timeout_at(deadline, session.command(&probe)).await;
        published.ok()?.ok().map(|_| now)
    }
}
