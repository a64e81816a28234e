//! A member that writes down what it gets, and holds it against the promise: each offset once and in order, or a gap
//! that names what is missing.
//!
//! The tests of whole nodes have the same rules in `tests/src/account.rs`, over what came on a wire; here they stand on
//! the values of the hub. Start with [`Observer`].

use super::until;
use fanline_core::broker::{PresenceChange, Published};
use fanline_core::catchup::Gap;
use fanline_core::channel::ChannelName;
use fanline_core::event::Event;
use fanline_core::feed::Outlet;
use fanline_core::{Epoch, Feed, Position};
use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// The member.
pub(crate) struct Observer {
    seen: Arc<Mutex<Seen>>,
    _task: AbortOnDropHandle<()>,
}

/// What it got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) start: Position,
    pub(crate) steps: Vec<Step>,
    pub(crate) presence: Vec<(bool, String)>,
}

/// One thing that it got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Event(Position, u64),
    Gap(Position, Position),
}

impl Observer {
    pub(crate) fn start(mut feed: Feed, start: Position, tasks: &TaskTracker) -> Self {
        let seen = Arc::new(Mutex::new(Seen { start, steps: Vec::new(), presence: Vec::new() }));
        let mut outlet = Writer(Arc::clone(&seen));
        let task = tasks.spawn(poll_fn(move |cx| {
            let _ready = feed.poll_deliver(cx, &mut outlet);
            Poll::<()>::Pending
        }));
        Observer { seen, _task: AbortOnDropHandle::new(task) }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().expect("whole").clone()
    }

    /// Waits until it has got that far.
    pub(crate) async fn reaches(&self, position: Position) {
        until(&format!("{position} arrives"), async || self.seen().end() == position).await;
    }

    /// What it got, which must be what was acknowledged: each event once, in order, at its position, or named in a gap.
    /// Gives how many events were lost in gaps.
    pub(crate) async fn holds(&self, acknowledged: &[Published]) -> u64 {
        let last = acknowledged.last().expect("something was published").position;
        self.reaches(last).await;
        let seen = self.seen();
        seen.is_continuous();
        seen.has_no_number_twice();
        let epochs = epochs(acknowledged);
        let mut lost = 0;
        for (index, published) in acknowledged.iter().enumerate() {
            let number = index as u64 + 1;
            let event = Step::Event(published.position, number);
            match seen.steps.iter().filter(|step| **step == event).count() {
                1 => {}
                0 if seen.names_as_lost(published.position, &epochs) => lost += 1,
                times => panic!("{number} at {} came {times} times", published.position),
            }
        }
        lost
    }

    /// Waits until it was told of so many changes of presence.
    pub(crate) async fn presence(&self, count: usize) -> Vec<(bool, String)> {
        until("changes of presence", async || self.seen().presence.len() >= count).await;
        self.seen().presence
    }
}

impl Seen {
    /// Where it is now.
    pub(crate) fn end(&self) -> Position {
        match self.steps.last() {
            Some(Step::Event(at, _)) | Some(Step::Gap(_, at)) => *at,
            None => self.start,
        }
    }

    pub(crate) fn gaps(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::Gap(..))).count()
    }

    fn is_continuous(&self) {
        let mut at = self.start;
        for step in &self.steps {
            match step {
                Step::Event(position, _) => {
                    assert_eq!(*position, at.at(at.offset.next()), "after {at}");
                    at = *position;
                }
                Step::Gap(from, to) => {
                    assert_eq!(*from, at, "a gap begins where the last event was");
                    at = *to;
                }
            }
        }
    }

    /// A number that is published again under its key in the same epoch is found again, and not sent again. A new epoch
    /// may have forgotten the key.
    fn has_no_number_twice(&self) {
        let mut came = HashSet::new();
        for step in &self.steps {
            if let Step::Event(position, number) = step {
                let is_first = came.insert((position.epoch, number));
                assert!(is_first, "{number} came a second time at {position}");
            }
        }
    }

    /// Whether a gap names a position; `epochs` are those in which something was acknowledged, in order.
    fn names_as_lost(&self, position: Position, epochs: &[Epoch]) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Gap(from, to) if from.epoch == to.epoch => {
                position.epoch == from.epoch
                    && (from.offset.next()..=to.offset).contains(&position.offset)
            }
            // The rest of an epoch, all of those that came and went meanwhile, and of the last what is not kept.
            Step::Gap(from, to) => {
                let place = |epoch: Epoch| epochs.iter().position(|known| *known == epoch);
                // An epoch in which nothing was acknowledged has no place: it lies at the edge that it was told of.
                let after = place(from.epoch).map_or(0, |place| place + 1);
                let before = place(to.epoch).unwrap_or(epochs.len());
                (position.epoch == from.epoch && position.offset > from.offset)
                    || (position.epoch == to.epoch && position.offset <= to.offset)
                    || place(position.epoch).is_some_and(|at| (after..before).contains(&at))
            }
            Step::Event(..) => false,
        })
    }
}

/// The epochs of what was acknowledged, in the order in which they began.
fn epochs(acknowledged: &[Published]) -> Vec<Epoch> {
    let mut epochs = Vec::new();
    for published in acknowledged {
        if !epochs.contains(&published.position.epoch) {
            epochs.push(published.position.epoch);
        }
    }
    epochs
}

struct Writer(Arc<Mutex<Seen>>);

impl Outlet for Writer {
    fn event(&mut self, event: &Arc<Event>) {
        let data = std::str::from_utf8(event.body.payload.data()).expect("a number");
        let step = Step::Event(event.position, data.parse().expect("a number"));
        self.0.lock().expect("whole").steps.push(step);
    }

    fn gap(&mut self, _channel: &ChannelName, gap: Gap) {
        self.0.lock().expect("whole").steps.push(Step::Gap(gap.from, gap.to));
    }

    fn presence(&mut self, change: &Arc<PresenceChange>) {
        let user = change.member.user.as_ref().map(ToString::to_string);
        self.0.lock().expect("whole").presence.push((change.joined, user.unwrap_or_default()));
    }

    fn is_full(&self) -> bool {
        false
    }
}
