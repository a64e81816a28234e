//! What happens, in which order, and how it is run.

use crate::network::{Delay, Fate, Network};
use crate::subscriber::{Subscriber, World};
use crate::truth::Truth;
use fanline_core::broker::notices;
use fanline_core::catchup::Start;
use fanline_core::clock::ManualClock;
use fanline_core::hub::{Hub, HubParts};
use fanline_core::metrics::HubMetrics;
use fanline_core::namespace::{LagPolicy, NamespaceOptions, Namespaces, Retention};
use fanline_core::random::Random;
use fanline_core::spans::NoSpans;
use fanline_core::{ChannelName, Epoch, Limits, Offset, Position};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longer than the hub waits between two tries to read history.
const LONG: Duration = Duration::from_secs(1);
/// Longer than one way of a call takes, and more ways than a join and its first pages need.
const ROUND: Duration = Duration::from_millis(5);
const ROUNDS: usize = 10;
/// Rounds in which everything must have come to rest after the last step.
const ROUNDS_MAX: usize = 500;

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) channels: Vec<Options>,
    /// What each subscriber's outlet takes at a time.
    pub(crate) capacities: Vec<usize>,
    pub(crate) ring_events: usize,
    pub(crate) page_max: usize,
    pub(crate) fates: Vec<Fate>,
    pub(crate) delays: Vec<Delay>,
    pub(crate) steps: Vec<Step>,
    /// Whether the broker checks every channel at the end, as it must when it may have lost a notice.
    pub(crate) checks_at_end: bool,
}

/// The options of one channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) size: usize,
    pub(crate) lag: LagPolicy,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Publish {
        channel: usize,
        events: usize,
    },
    /// The counter starts again, and counts so many.
    Reset {
        channel: usize,
        events: usize,
    },
    Expire {
        channel: usize,
        events: u64,
    },
    Outage {
        down: bool,
    },
    Release {
        choice: usize,
    },
    Suspect {
        channel: usize,
    },
    Join {
        subscriber: usize,
        channel: usize,
        wish: Wish,
    },
    Leave {
        subscriber: usize,
        channel: usize,
    },
    Reconnect {
        subscriber: usize,
    },
    Run {
        subscriber: usize,
    },
    /// Everybody runs until nothing is left to do that takes no longer than a few calls.
    RunAll,
    /// The hub's own tasks run until they wait.
    Turn,
    Pass {
        millis: u64,
    },
}

/// Where a subscriber wants to start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish {
    Start(Start),
    /// Where its last subscription got to.
    Seen,
    /// So many before the top of the epoch.
    Back(u64),
    /// So many after it.
    Future(u64),
    /// In an epoch that never was.
    Foreign,
}

impl Schedule {
    /// Runs the schedule on a hub, then heals everything and waits until nothing moves. Panics where a subscriber is
    /// told something that is not so, and where somebody was not told all. Gives the gaps that each subscriber was told
    /// of inside epochs.
    pub(crate) fn run(&self) -> Vec<usize> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing");
        runtime.block_on(self.play())
    }

    async fn play(&self) -> Vec<usize> {
        let (sender, receiver) = notices();
        let names: Vec<ChannelName> = (0..self.channels.len())
            .map(|number| format!("n{number}:x").parse().expect("a name"))
            .collect();
        let truths = names.iter().zip(&self.channels);
        let network = Arc::new(Network::new(
            truths.map(|(name, options)| Truth::new(name.clone(), options.size)).collect(),
            sender,
            self.page_max,
            self.fates.clone(),
            self.delays.clone(),
        ));
        let parts = HubParts {
            broker: Arc::clone(&network) as _,
            notices: receiver,
            namespaces: self.namespaces(),
            limits: Limits {
                ring_events: self.ring_events,
                ring_bytes: usize::MAX,
                ..Limits::default()
            },
            clock: Arc::new(ManualClock::default()),
            random: Random::seeded(0),
            metrics: HubMetrics::register(&mut Registry::default()),
            spans: Arc::new(NoSpans),
        };
        let hub = Hub::start(parts, &TaskTracker::new(), CancellationToken::new());
        let lags: Vec<_> = self.channels.iter().map(|options| options.lag).collect();
        let world = Arc::new(World { hub, network: Arc::clone(&network), names, lags });
        // Every other one lets the fan-out serve it.
        let capacities = self.capacities.iter().enumerate();
        let mut subscribers: Vec<_> = capacities
            .map(|(number, &capacity)| Subscriber::new(&world, capacity, number % 2 == 0))
            .collect();

        for step in &self.steps {
            take(step, &world, &mut subscribers).await;
        }
        network.heal();
        if self.checks_at_end {
            (0..world.names.len()).for_each(|channel| network.suspect(channel));
        }
        come_to_rest(&world, &mut subscribers).await;
        for subscriber in &subscribers {
            subscriber.assert_up_to_date(&world);
        }
        subscribers.iter().map(Subscriber::gaps_inside_epochs).collect()
    }

    fn namespaces(&self) -> Namespaces {
        let declared = self.channels.iter().enumerate().map(|(number, options)| {
            let retention = Retention { size: options.size, ..Retention::default() };
            let options =
                NamespaceOptions { retention, lag: options.lag, ..NamespaceOptions::default() };
            (format!("n{number}"), options)
        });
        Namespaces::new(declared, false)
    }
}

async fn take(step: &Step, world: &World, subscribers: &mut [Subscriber]) {
    let World { network, .. } = world;
    match *step {
        Step::Publish { channel, events } => (0..events).for_each(|_| network.publish_one(channel)),
        Step::Reset { channel, events } => {
            network.truth(channel, Truth::reset);
            (0..events).for_each(|_| network.publish_one(channel));
        }
        Step::Expire { channel, events } => network.truth(channel, |truth| truth.expire(events)),
        Step::Outage { down } => network.set_down(down),
        Step::Release { choice } => network.release(choice),
        Step::Suspect { channel } => network.suspect(channel),
        Step::Join { subscriber, channel, wish } => {
            let subscriber = &mut subscribers[subscriber];
            let top = network.truth(channel, |truth| truth.top());
            subscriber.join(world, channel, wish.start(top, subscriber.seen(channel)));
        }
        Step::Leave { subscriber, channel } => subscribers[subscriber].leave(world, channel),
        Step::Reconnect { subscriber } => subscribers[subscriber].reconnect(world),
        Step::Run { subscriber } => subscribers[subscriber].run(world),
        Step::RunAll => {
            for _ in 0..ROUNDS {
                subscribers.iter_mut().for_each(|subscriber| subscriber.run(world));
                tokio::time::sleep(ROUND).await;
            }
        }
        Step::Turn => tokio::task::yield_now().await,
        Step::Pass { millis } => tokio::time::advance(Duration::from_millis(millis)).await,
    }
}

impl Wish {
    fn start(self, top: Position, seen: Option<Position>) -> Start {
        let offset = top.offset.get();
        match self {
            Wish::Start(start) => start,
            Wish::Seen => seen.map_or(Start::Live, Start::After),
            Wish::Back(events) => Start::After(top.at(Offset::new(offset.saturating_sub(events)))),
            Wish::Future(events) => Start::After(top.at(Offset::new(offset + events))),
            Wish::Foreign => {
                let never: Epoch = "never".parse().expect("an epoch");
                Start::After(Position::new(never, top.offset))
            }
        }
    }
}

/// Runs whoever is woken, until nobody is for two rounds. Time passes only when nothing else is left to do.
async fn come_to_rest(world: &World, subscribers: &mut [Subscriber]) {
    let mut quiet = 0;
    for _ in 0..ROUNDS_MAX {
        let woken = subscribers.iter().any(Subscriber::is_awake);
        subscribers.iter_mut().for_each(|subscriber| subscriber.run(world));
        quiet = if woken { 0 } else { quiet + 1 };
        if quiet == 2 {
            return;
        }
        tokio::time::sleep(LONG).await;
    }
    panic!("it never comes to rest");
}
