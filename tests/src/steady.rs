//! A publisher that goes on whatever happens: each event with an idempotency key, again and again until it is
//! acknowledged, as a careful backend does.

use std::time::Duration;

use fanline_test_redis::within;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::position::Position;
use crate::rpc::{Publication, Rpc};

/// Longest wait for one more acknowledgement: elections and restarts lie between.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for an answer: more than the hub takes, for when it has stopped to answer.
const ANSWER: Duration = Duration::from_secs(8);
/// Between two tries of the same event.
const PAUSE: Duration = Duration::from_millis(20);

/// The publisher. It ends with this value.
#[derive(Debug)]
pub struct Steady {
    stop: watch::Sender<bool>,
    count: watch::Receiver<usize>,
    publishing: JoinSet<Ledger>,
}

/// What it was told.
#[derive(Debug, Default)]
pub struct Ledger {
    /// In the order of publication.
    pub acknowledged: Vec<Acknowledged>,
    /// Tries whose outcome stayed open, each followed by another with the same key.
    pub unknown: u64,
}

/// An event that was published for certain.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// What was published: the publisher's name and a number that grows from 1.
    pub data: String,
    /// Where it is.
    pub position: Position,
    /// When this was known.
    pub at: Instant,
}

impl Steady {
    /// Publishes into a channel, one event after the other, one in each period; what an outage held up follows at once.
    /// When a node does not answer, the next one is tried. Publishers of one channel have different names, as their
    /// idempotency keys begin with them.
    pub fn start(nodes: Vec<Rpc>, channel: &str, name: &str, period: Duration) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (counter, count) = watch::channel(0);
        let (channel, name) = (channel.to_owned(), name.to_owned());
        let mut publishing = JoinSet::new();
        publishing.spawn(async move {
            let mut nodes = nodes;
            let mut ledger = Ledger::default();
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for number in 1.. {
                ticks.tick().await;
                if *stopped.borrow() {
                    break;
                }
                let data = format!("{name}{number}");
                let publication = Publication::to(&channel, &*data).key(&data);
                let position = surely(&mut nodes, publication, &mut ledger.unknown).await;
                ledger.acknowledged.push(Acknowledged { data, position, at: Instant::now() });
                counter.send_replace(ledger.acknowledged.len());
            }
            ledger
        });
        Self { stop, count, publishing }
    }

    /// Waits until so many more are acknowledged.
    pub async fn publishes(&mut self, more: usize) {
        let enough = *self.count.borrow() + more;
        let reached = self.count.wait_for(|count| *count >= enough);
        within(PATIENCE, "publishes to be acknowledged", reached).await.expect("it goes on");
    }

    /// Stops after the event that is under way.
    pub async fn stop(mut self) -> Ledger {
        self.stop.send_replace(true);
        let end = within(PATIENCE, "the last publish", self.publishing.join_next()).await;
        end.expect("there is a publisher").expect("it does not panic")
    }
}

async fn surely(nodes: &mut [Rpc], publication: Publication, unknown: &mut u64) -> Position {
    loop {
        match timeout(ANSWER, nodes[0].try_publish(publication.clone())).await {
            Ok(Ok(response)) => return response.position.expect("it has a position").into(),
            Ok(Err(status)) => assert!(may_have_happened(&status), "{publication:?}: {status:?}"),
            Err(_elapsed) => {}
        }
        *unknown += 1;
        nodes.rotate_left(1);
        sleep(PAUSE).await;
    }
}

/// Whether the outcome is open: the hub says so, or the connection broke before it said anything.
fn may_have_happened(status: &Status) -> bool {
    let ours = status.get_details_error_info().is_some();
    !ours || matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
}
