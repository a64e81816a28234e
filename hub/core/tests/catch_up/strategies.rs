//! Which schedules proptest makes up: one strategy for each property.

use crate::network::{Delay, Fate};
use crate::schedule::{Options, Schedule, Step, Wish};
use fanline_core::catchup::Start;
use fanline_core::namespace::LagPolicy;
use proptest::array::uniform6;
use proptest::collection::vec;
use proptest::prelude::*;
use std::ops::{Range, RangeInclusive};

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
