//! Spans on their way to the collector: in batches, with back-off while it is away, and the rest at the end.

use std::future::pending;
use std::mem;
use std::time::Duration;

use fanline_core::random::Random;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::metrics::{Loss, SpanMetrics};

/// Spans of one request to the collector.
const BATCH_SPANS: usize = 512;
/// The longest that a span waits for others: soon enough for whoever looks on, and a request a second at most while there
/// is little to tell.
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// The pause after a batch that was not taken, before jitter: doubled each time, up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Exports spans as they end.
pub(super) struct Export {
    queue: mpsc::Receiver<SpanData>,
    batch: Vec<SpanData>,
    exporter: SpanExporter,
    collector: String,
    random: Random,
    metrics: SpanMetrics,
    /// The next pause. None: the last batch was taken.
    pause: Option<Duration>,
}

/// Exports what waits at the end of the process.
#[derive(Debug)]
pub(crate) struct Flush {
    tasks: TaskTracker,
    token: CancellationToken,
}

impl Flush {
    pub(super) fn of(tasks: TaskTracker, export: Export) -> Self {
        let token = CancellationToken::new();
        tasks.spawn(export.run(token.clone()));
        tasks.close();
        Flush { tasks, token }
    }

    /// Waits until all spans that ended are exported, or are not taken.
    pub(crate) async fn run(self) {
        self.token.cancel();
        self.tasks.wait().await;
    }
}

impl Export {
    pub(super) fn new(
        queue: mpsc::Receiver<SpanData>,
        exporter: SpanExporter,
        collector: String,
        random: Random,
        metrics: SpanMetrics,
    ) -> Self {
        let batch = Vec::with_capacity(BATCH_SPANS);
        Export { queue, batch, exporter, collector, random, metrics, pause: None }
    }

    /// Exports until `flush`, and then what is left.
    async fn run(mut self, flush: CancellationToken) {
        while flush.run_until_cancelled(self.gather()).await.is_some() {
            self.send().await;
            if let Some(pause) = self.pause {
                let pause = self.random.around(pause, 0.2);
                let _or_flush = flush.run_until_cancelled(sleep(pause)).await;
            }
        }
        self.queue.close();
        self.pause = None;
        while self.pause.is_none() && self.fill() {
            self.send().await;
        }
        let left = self.batch.len() + self.queue.len();
        self.metrics.lost(Loss::NotTaken, left);
    }

    /// Waits for a batch: a full one, or what came within a while.
    ///
    /// # Cancel safety
    /// What was gathered stays in the batch.
    async fn gather(&mut self) {
        if self.batch.is_empty() {
            self.take().await;
        }
        let enough = async {
            while self.batch.len() < BATCH_SPANS {
                self.take().await;
            }
        };
        let _full_or_late = timeout(BATCH_DELAY, enough).await;
    }

    /// Waits for more, and takes as much as has room.
    async fn take(&mut self) {
        let room = BATCH_SPANS.saturating_sub(self.batch.len());
        if self.queue.recv_many(&mut self.batch, room).await == 0 {
            // Nobody will ever send: what is left is to wait for the flush.
            pending::<()>().await;
        }
    }

    /// Takes what is there. Says whether that is anything.
    fn fill(&mut self) -> bool {
        while self.batch.len() < BATCH_SPANS {
            match self.queue.try_recv() {
                Ok(span) => self.batch.push(span),
                Err(_none) => break,
            }
        }
        !self.batch.is_empty()
    }

    async fn send(&mut self) {
        let batch = mem::replace(&mut self.batch, Vec::with_capacity(BATCH_SPANS));
        let spans = batch.len();
        match self.exporter.export(batch).await {
            Ok(()) => {
                self.metrics.exported.inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
                if self.pause.take().is_some() {
                    info!(collector = self.collector, "spans are exported again");
                }
            }
            Err(error) => {
                self.metrics.lost(Loss::NotTaken, spans);
                let (first, longest) = PAUSE;
                if self.pause.is_none() {
                    warn!(collector = self.collector, %error, "spans are not taken, and dropped until they are");
                }
                self.pause = Some(self.pause.map_or(first, |pause| (pause * 2).min(longest)));
            }
        }
    }
}
