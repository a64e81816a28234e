//! The hub of one node: what the bridges and the gRPC front talk to.

use crate::broker::{
    Broker, BrokerError, ChannelState, HistoryPage, HistoryQuery, Notice, NoticeReceiver,
};
use crate::channel::ChannelName;
use crate::clock::Clock;
use crate::command::Commands;
use crate::connections::{self, Remote, Revoked, Table};
use crate::control::{Switchboard, Topic};
use crate::fanout;
use crate::lifecycle::{self, Teller};
use crate::limits::Limits;
use crate::log::{ChannelLog, Filled};
use crate::log_table::{Lease, LogTable};
use crate::metrics::HubMetrics;
use crate::namespace::{NamespaceOptions, Namespaces};
use crate::random::Random;
use crate::spans::SpanLinks;
use crate::validator::{EventValidator, NoCatalog};
use crate::{Offset, Refusal};
use bytes::Bytes;
use futures_util::FutureExt;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::task::coop;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Events of one page of catch-up, and their bytes: what a reader holds while its outlet takes them.
const CATCH_UP_EVENTS: usize = 64;
const CATCH_UP_BYTES: usize = 256 * 1024;
/// Between two sweeps of logs that nobody follows.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Between two tries to read history from a broker that is away, before jitter.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// What a notice may be on its way when history has already forgotten its event. Long for a burst in the queue, short
/// for those who wait to be told of a loss.
const NOTICE_DELAY: Duration = Duration::from_millis(250);

/// The hub of one node. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

/// What a hub is made of.
pub struct HubParts {
    /// What carries events between nodes.
    pub broker: Arc<dyn Broker>,
    /// What that broker notices.
    pub notices: NoticeReceiver,
    /// The declared namespaces.
    pub namespaces: Namespaces,
    /// The limits.
    pub limits: Limits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub random: Random,
    /// The counters.
    pub metrics: HubMetrics,
    /// How spans are connected with those of others: [`NoSpans`](crate::spans::NoSpans) where nobody collects them.
    pub spans: Arc<dyn SpanLinks>,
}

struct Inner {
    broker: Arc<dyn Broker>,
    namespaces: RwLock<Arc<Namespaces>>,
    validator: RwLock<Arc<dyn EventValidator>>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    random: Random,
    metrics: HubMetrics,
    spans: Arc<dyn SpanLinks>,
    logs: Arc<LogTable>,
    switchboard: Switchboard,
    commands: Commands,
    table: Table,
    remote: Remote,
    revoked: Revoked,
    teller: Teller,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Hub {
    /// Starts a hub, its tasks on `tasks`, until `stop`.
    #[must_use]
    pub fn start(parts: HubParts, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let HubParts { broker, notices, namespaces, limits, clock, random, metrics, spans } = parts;
        let commands = Commands::new(metrics.commands.clone());
        let hub = Hub(Arc::new(Inner {
            broker,
            namespaces: RwLock::new(Arc::new(namespaces)),
            validator: RwLock::new(Arc::new(NoCatalog)),
            limits,
            clock,
            random,
            metrics,
            spans,
            logs: Arc::default(),
            switchboard: Switchboard::new(),
            commands,
            table: Table::default(),
            remote: Remote::default(),
            revoked: Revoked::default(),
            teller: Teller::default(),
            tasks: tasks.clone(),
            stop: stop.clone(),
        }));
        // It goes on until it has served its burst, whatever the runtime thinks a task may do in one go: it yields by itself.
        let fan_out = coop::unconstrained(fanout::run(hub.clone(), notices, stop.clone()));
        tasks.spawn(as_old_as_the_process(fan_out, stop.clone()));
        tasks.spawn(as_old_as_the_process(sweep(hub.clone(), stop.clone()), stop.clone()));
        // A broker that answers at once, as the one in memory does, leaves no moment in which nobody is let in.
        let _or_later = connections::learn(&hub).now_or_never();
        let following = connections::follow(hub.clone(), stop.clone());
        tasks.spawn(as_old_as_the_process(following, stop.clone()));
        let telling = lifecycle::run(hub.clone(), stop.clone());
        tasks.spawn(as_old_as_the_process(telling, stop.clone()));
        if let Some(told) = hub.listen(Topic::Connections) {
            let answering = connections::answer(hub.clone(), told, stop.clone());
            tasks.spawn(as_old_as_the_process(answering, stop));
        }
        hub
    }

    /// The options that rule a channel.
    ///
    /// # Errors
    /// [`UnknownNamespace`](crate::Reason::UnknownNamespace).
    pub fn options(&self, channel: &ChannelName) -> Result<Arc<NamespaceOptions>, Refusal> {
        let namespaces = self.0.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.options(channel).cloned()
    }

    /// Replaces the namespaces: for what is decided from now on. Logs that exist keep their options.
    pub fn replace_namespaces(&self, namespaces: Namespaces) {
        *self.0.namespaces.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(namespaces);
    }

    /// What checks events before they are published: [`NoCatalog`] until it is replaced.
    pub(crate) fn validator(&self) -> Arc<dyn EventValidator> {
        Arc::clone(&self.0.validator.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces what checks events, for all that are published from now on.
    pub fn replace_validator(&self, validator: Arc<dyn EventValidator>) {
        *self.0.validator.write().unwrap_or_else(PoisonError::into_inner) = validator;
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The randomness.
    #[must_use]
    pub fn random(&self) -> &Random {
        &self.0.random
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &HubMetrics {
        &self.0.metrics
    }

    /// How spans are connected with those of others.
    #[must_use]
    pub fn spans(&self) -> &Arc<dyn SpanLinks> {
        &self.0.spans
    }

    /// Runs a small piece of work to its end, also while the hub stops.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(work);
    }

    pub(crate) fn switchboard(&self) -> &Switchboard {
        &self.0.switchboard
    }

    pub(crate) fn teller(&self) -> &Teller {
        &self.0.teller
    }

    /// The declared namespaces of which it is told who comes and goes, in the order of their names.
    #[must_use]
    pub fn lifecycle_namespaces(&self) -> Vec<String> {
        let namespaces = self.0.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = namespaces.with_lifecycle().cloned().collect();
        names.sort();
        names
    }

    /// Whether there are any.
    pub(crate) fn tells_lifecycle(&self) -> bool {
        let namespaces = self.0.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.with_lifecycle().next().is_some()
    }

    pub(crate) fn table(&self) -> &Table {
        &self.0.table
    }

    pub(crate) fn remote(&self) -> &Remote {
        &self.0.remote
    }

    pub(crate) fn revoked(&self) -> &Revoked {
        &self.0.revoked
    }

    /// Takes in what the broker says that is about no channel.
    pub(crate) fn take_word(&self, notice: Notice) {
        match notice {
            Notice::Control { from, message } => {
                self.0.switchboard.deliver(from, message, &self.0.metrics);
            }
            Notice::Nodes => self.0.switchboard.nodes_changed(),
            Notice::Revocations => self.0.revoked.look(),
            Notice::Event(_) | Notice::Presence(_) | Notice::Suspect(_) => {}
        }
    }

    pub(crate) fn commands(&self) -> &Commands {
        &self.0.commands
    }

    pub(crate) fn broker(&self) -> &dyn Broker {
        &*self.0.broker
    }

    /// The log of a channel, open: the broker has confirmed that its events come here.
    pub(crate) async fn open_log(&self, channel: &ChannelName) -> Result<Lease, Refusal> {
        let options = self.options(channel)?;
        let lease = self
            .0
            .logs
            .lease(channel, || ChannelLog::new(channel.clone(), options, &self.0.limits));
        let log = lease.log();
        // Whoever asks first opens it and the others wait; if that one fails or goes away, the next one tries.
        log.opened.get_or_try_init(|| self.open(log)).await?;
        Ok(lease)
    }

    async fn open(&self, log: &Arc<ChannelLog>) -> Result<(), Refusal> {
        self.broker().subscribe(&log.channel).await?;
        let state = self.state(&log.channel).await?;
        if log.open(state.top) {
            self.repair(Arc::clone(log));
        }
        Ok(())
    }

    pub(crate) fn find_log(&self, channel: &ChannelName) -> Option<Arc<ChannelLog>> {
        self.0.logs.find(channel)
    }

    /// Where a channel stands.
    ///
    /// # Errors
    /// A broker that is not available.
    pub async fn state(&self, channel: &ChannelName) -> Result<ChannelState, Refusal> {
        Ok(self.broker().history(channel, HistoryQuery::state()).await?.state)
    }

    /// Keeps a value under a key for a time, for whichever node [takes](Self::take_note) it first.
    ///
    /// # Errors
    /// A broker that is full, or not available.
    pub async fn keep_note(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
    ) -> Result<(), BrokerError> {
        self.broker().notes().keep(key, value, life).await
    }

    /// Takes a value that some node keeps: of all that ask for a key, one gets it.
    ///
    /// # Errors
    /// A broker that is not available: it may have been taken.
    pub async fn take_note(&self, key: &str) -> Result<Option<Bytes>, BrokerError> {
        self.broker().notes().take(key).await
    }

    /// A page of history for whoever catches up. A broker that is away is asked again until it answers: those who
    /// wait for events wait with it.
    pub(crate) async fn page_after(self, channel: ChannelName, offset: Offset) -> HistoryPage {
        loop {
            let query = HistoryQuery::after(offset, CATCH_UP_EVENTS, CATCH_UP_BYTES);
            match self.broker().history(&channel, query).await {
                Ok(page) => return page,
                Err(error) => {
                    tracing::debug!(%channel, %error, "history is not readable now; trying again")
                }
            }
            tokio::time::sleep(RETRY_INTERVAL.mul_f64(0.5 + self.0.random.fraction())).await;
        }
    }

    /// Lets a log catch up with history, once for all of its members.
    pub(crate) fn repair(&self, log: Arc<ChannelLog>) {
        self.0.metrics.repairs.inc();
        let (hub, stop) = (self.clone(), self.0.stop.clone());
        self.0.tasks.spawn(async move {
            let repair = async {
                while let Some(top) = log.top() {
                    let page = hub.clone().page_after(log.channel.clone(), top.offset).await;
                    let mut filled = log.fill(top, &page);
                    if filled == Filled::Early {
                        tokio::time::sleep(NOTICE_DELAY).await;
                        filled = log.end_wait(top, &page);
                    }
                    if filled == Filled::CaughtUp {
                        break;
                    }
                    log.wake();
                }
                log.wake();
            };
            stop.run_until_cancelled(repair).await;
        });
    }
}

/// Work without which the hub would be deaf, or never forget: its end is the end of all.
pub(crate) async fn as_old_as_the_process(work: impl Future<Output = ()>, stop: CancellationToken) {
    let _our_crash_stops_the_process = stop.drop_guard();
    work.await;
}

/// Gives up the logs that nobody came back to.
async fn sweep(hub: Hub, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        hub.0.logs.sweep(|channel| hub.broker().unsubscribe(channel));
        hub.0.metrics.logs.set(i64::try_from(hub.0.logs.len()).unwrap_or(i64::MAX));
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}
