//! What happens, in which order: made up by proptest, run step by step.

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
use fanline_core::{ChannelName, Epoch, Limits, Offset, Position};
use prometheus_client::registry::Registry;
use proptest::array::uniform6;
use proptest::collection::vec;
use proptest::prelude::*;
use std::ops::{Range, RangeInclusive};
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
    channels: Vec<Options>,
    /// What each subscriber's outlet takes at a time.
    capacities: Vec<usize>,
    ring_events: usize,
    page_max: usize,
    fates: Vec<Fate>,
    delays: Vec<Delay>,
    steps: Vec<Step>,
    /// Whether the broker checks every channel at the end, as it must when it may have lost a notice.
    checks_at_end: bool,
}

/// The options of one channel.
#[derive(Clone, Copy, Debug)]
struct Options {
    size: usize,
    lag: LagPolicy,
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
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
enum Wish {
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

/// Everything at once: short histories or none, epochs that end, outages, expiry.
pub(crate) fn mixed() -> impl Strategy<Value = Schedule> {
    let lag = prop_oneof![4 => Just(LagPolicy::Gap), 1 => Just(LagPolicy::Latest)];
    let size = prop_oneof![Just(0), Just(1), Just(3), Just(1000)];
    let options = (size, lag).prop_map(|(size, lag)| Options { size, lag });
    let step = prop_oneof![
        20 => any_step(),
        1 => reset(0..3),
        1 => (CHANNEL, 1..4_u64).prop_map(|(channel, events)| Step::Expire { channel, events }),
        1 => any::<bool>().prop_map(|down| Step::Outage { down }),
    ];
    schedule(options, 1..=8, fates(), some_joins(), step)
}

/// History holds everything, and every notice arrives in the end: nobody has to check anything.
pub(crate) fn full_history() -> impl Strategy<Value = Schedule> {
    let options = Just(Options { size: 1000, lag: LagPolicy::Gap });
    let step = prop_oneof![
        20 => any_step(),
        1 => reset(1..3),
        1 => any::<bool>().prop_map(|down| Step::Outage { down }),
    ];
    let fate = prop_oneof![
        2 => Just(Fate::Arrives),
        1 => Just(Fate::ArrivesTwice),
        1 => Just(Fate::IsHeld),
    ];
    schedule(options, 1..=8, fate, some_joins(), step)
        .prop_map(|schedule| Schedule { checks_at_end: false, ..schedule })
}

/// Notices come complete and in order, some twice, and rings hold them all. Only history is short, and what it holds
/// is compared with the logs at the worst times. All but the guest follow both channels from the first event on.
pub(crate) fn faithful_notices() -> impl Strategy<Value = Schedule> {
    let options = (0..3_usize).prop_map(|size| Options { size, lag: LagPolicy::Gap });
    let fate = prop_oneof![Just(Fate::Arrives), Just(Fate::ArrivesTwice)];
    let join = (CHANNEL, wish()).prop_map(|(channel, wish)| Step::Join {
        subscriber: GUEST,
        channel,
        wish,
    });
    let step = prop_oneof![
        6 => publish(),
        4 => CHANNEL.prop_map(|channel| Step::Suspect { channel }),
        2 => join,
        1 => Just(Step::Reconnect { subscriber: GUEST }),
        6 => run(),
        4 => Just(Step::Turn),
        4 => pass(),
    ];
    let everybody_live = Just([Some(Wish::Start(Start::Live)); PAIRS]);
    schedule(options, 1000..=1000, fate, everybody_live, step)
        .prop_map(|schedule| Schedule { checks_at_end: false, ..schedule })
}

const CHANNEL: Range<usize> = 0..2;
const SUBSCRIBER: Range<usize> = 0..3;
const PAIRS: usize = CHANNEL.end * SUBSCRIBER.end;
/// The subscriber that comes and goes in [`faithful_notices`].
pub(crate) const GUEST: usize = SUBSCRIBER.end - 1;

/// A schedule that begins with joins, one for each pair of subscriber and channel that has a wish.
fn schedule(
    options: impl Strategy<Value = Options>,
    ring_events: RangeInclusive<usize>,
    fate: impl Strategy<Value = Fate>,
    joins: impl Strategy<Value = [Option<Wish>; PAIRS]>,
    step: impl Strategy<Value = Step>,
) -> impl Strategy<Value = Schedule> {
    let delay = (0..4_u8, 0..4_u8).prop_map(|(there, back)| Delay { there, back });
    (
        vec(options, CHANNEL.end),
        vec(1..6_usize, SUBSCRIBER.end),
        ring_events,
        1..5_usize,
        vec(fate, 1..8),
        vec(delay, 1..6),
        joins,
        vec(step, 1..80),
    )
        .prop_map(
            |(channels, capacities, ring_events, page_max, fates, delays, joins, rest)| {
                let joins = joins.into_iter().enumerate().filter_map(|(pair, wish)| {
                    let (subscriber, channel) = (pair / CHANNEL.end, pair % CHANNEL.end);
                    Some(Step::Join { subscriber, channel, wish: wish? })
                });
                let steps = joins.chain([Step::RunAll]).chain(rest).collect();
                Schedule {
                    channels,
                    capacities,
                    ring_events,
                    page_max,
                    fates,
                    delays,
                    steps,
                    checks_at_end: true,
                }
            },
        )
}

fn some_joins() -> impl Strategy<Value = [Option<Wish>; PAIRS]> {
    uniform6(proptest::option::weighted(0.7, wish()))
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Arrives),
        1 => Just(Fate::IsLost),
        1 => Just(Fate::ArrivesTwice),
        1 => Just(Fate::IsHeld),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        3 => Just(Wish::Start(Start::Live)),
        1 => Just(Wish::Start(Start::Earliest)),
        1 => (0..6_usize).prop_map(|count| Wish::Start(Start::Last(count))),
        1 => Just(Wish::Start(Start::Invalid)),
        4 => Just(Wish::Seen),
        1 => (0..12_u64).prop_map(Wish::Back),
        1 => (1..4_u64).prop_map(Wish::Future),
        1 => Just(Wish::Foreign),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let pair = (SUBSCRIBER, CHANNEL);
    prop_oneof![
        10 => publish(),
        3 => any::<usize>().prop_map(|choice| Step::Release { choice }),
        1 => CHANNEL.prop_map(|channel| Step::Suspect { channel }),
        4 => (pair.clone(), wish()).prop_map(|((subscriber, channel), wish)| {
            Step::Join { subscriber, channel, wish }
        }),
        1 => pair.prop_map(|(subscriber, channel)| Step::Leave { subscriber, channel }),
        1 => SUBSCRIBER.prop_map(|subscriber| Step::Reconnect { subscriber }),
        8 => run(),
        3 => Just(Step::RunAll),
        3 => Just(Step::Turn),
        4 => pass(),
    ]
}

fn publish() -> impl Strategy<Value = Step> {
    (CHANNEL, 1..6_usize).prop_map(|(channel, events)| Step::Publish { channel, events })
}

fn reset(events: Range<usize>) -> impl Strategy<Value = Step> {
    (CHANNEL, events).prop_map(|(channel, events)| Step::Reset { channel, events })
}

fn run() -> impl Strategy<Value = Step> {
    SUBSCRIBER.prop_map(|subscriber| Step::Run { subscriber })
}

/// Mostly about as long as a call takes; sometimes a retry, sometimes until an idle log is given up.
fn pass() -> impl Strategy<Value = Step> {
    let millis = prop_oneof![8 => 1..4_u64, 1 => Just(700), 1 => Just(7000)];
    millis.prop_map(|millis| Step::Pass { millis })
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
        };
        let hub = Hub::start(parts, &TaskTracker::new(), CancellationToken::new());
        let lags: Vec<_> = self.channels.iter().map(|options| options.lag).collect();
        let world = World { hub: &hub, network: &network, names: &names, lags: &lags };
        let mut subscribers: Vec<_> =
            self.capacities.iter().map(|&capacity| Subscriber::new(&hub, capacity)).collect();

        for step in &self.steps {
            take(step, &world, &mut subscribers).await;
        }
        network.heal();
        if self.checks_at_end {
            (0..names.len()).for_each(|channel| network.suspect(channel));
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

async fn take(step: &Step, world: &World<'_>, subscribers: &mut [Subscriber]) {
    let World { network, .. } = *world;
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
async fn come_to_rest(world: &World<'_>, subscribers: &mut [Subscriber]) {
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
