//! The naive model: what one subscription was told, held against the truth item by item.

use crate::truth::Truth;
use fanline_core::broker::ChannelState;
use fanline_core::catchup::{Gap, LossReason, Recovery, Start};
use fanline_core::event::Event;
use fanline_core::feed::Joined;
use fanline_core::namespace::LagPolicy;
use fanline_core::{Offset, Position};
use std::sync::Arc;

/// A subscription as its subscriber sees it: everything up to `cursor` has come, or was named as lost.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) cursor: Position,
    /// The last event seen: what a subscriber resumes from.
    pub(crate) seen: Option<Position>,
    pub(crate) gaps_inside_epochs: usize,
}

impl View {
    /// Begins with the answer to a join that was asked for when the channel stood at `asked`.
    pub(crate) fn begin(start: Start, asked: ChannelState, joined: Joined, truth: &Truth) -> Self {
        let Joined { position, recovery } = joined;
        assert!(truth.is_issued(position), "{position} was never given away");
        match (start, recovery) {
            (Start::Live, None) => {}
            (Start::Earliest, None) => {
                assert_was_held_after(position, asked);
                assert_nothing_held_up_to(position, truth);
            }
            (Start::Last(count), None) => check_last(count as u64, asked, position, truth),
            (Start::Invalid, Some(Recovery::Lost(LossReason::Invalid))) => {}
            (Start::After(after), Some(recovery)) => {
                check_resume(after, asked, position, recovery, truth);
            }
            (start, recovery) => panic!("{start:?} was answered with {recovery:?}"),
        }
        View { cursor: position, seen: None, gaps_inside_epochs: 0 }
    }

    /// Takes the next event: the one after the cursor and no other.
    pub(crate) fn event(&mut self, event: &Arc<Event>, truth: &Truth) {
        assert_eq!(event.position, self.cursor.at(self.cursor.offset.next()), "order");
        let published = truth.event(event.position).expect("only what was published comes");
        assert!(Arc::ptr_eq(event, published), "another event at {}", event.position);
        self.cursor = event.position;
        self.seen = Some(event.position);
    }

    /// Takes a loss, which starts at the cursor and names nothing that could still be read.
    pub(crate) fn gap(&mut self, gap: Gap, lag: LagPolicy, truth: &Truth) {
        let Gap { from, to, reason } = gap;
        assert_eq!(from, self.cursor, "a gap starts where the subscriber stands");
        assert!(truth.is_issued(to), "{to} was never given away");
        let inside = from.epoch == to.epoch;
        let lost_after = if inside { from.offset } else { Offset::ZERO };
        match reason {
            LossReason::EpochChanged => {
                assert!(truth.age(from.epoch) < truth.age(to.epoch), "epochs go forward");
            }
            LossReason::Expired | LossReason::Trimmed | LossReason::NoHistory => {
                assert!(inside && from.offset < to.offset, "{gap:?} has nothing inside");
            }
            LossReason::Future | LossReason::Invalid => panic!("{reason:?} is no loss"),
        }
        // What left history never comes back: held now means held when it was read.
        match lag {
            LagPolicy::Gap => {
                assert!(!truth.holds_any(lost_after, to), "{gap:?} can still be read");
            }
            LagPolicy::Latest if inside => {
                let first = from.at(from.offset.next());
                assert!(!truth.holds_any(from.offset, first), "{gap:?} did not lag so far");
            }
            LagPolicy::Latest => {}
        }
        self.gaps_inside_epochs += usize::from(inside);
        self.cursor = to;
    }
}

/// A start after a position is a recovery if and only if everything after it can be read.
fn check_resume(
    after: Position,
    asked: ChannelState,
    position: Position,
    recovery: Recovery,
    truth: &Truth,
) {
    let state = truth.state();
    let is_known = truth.is_issued(after);
    if is_known && after.epoch == state.top.epoch && after.offset.next() >= state.oldest {
        let was_future = after.epoch == asked.top.epoch && after.offset > asked.top.offset;
        assert!(recovery == Recovery::Recovered || was_future, "all of it could be read");
    }
    match recovery {
        Recovery::Recovered => assert!(position == after && is_known, "{after} recovered"),
        Recovery::Lost(LossReason::EpochChanged) => {
            assert_ne!(after.epoch, state.top.epoch);
            assert_nothing_held_up_to(position, truth);
        }
        Recovery::Lost(LossReason::Future) => {
            assert!(after.epoch == position.epoch && after.offset > position.offset);
        }
        Recovery::Lost(LossReason::Expired | LossReason::Trimmed | LossReason::NoHistory) => {
            assert!(after.epoch == position.epoch && after.offset < position.offset);
            assert_nothing_held_up_to(position, truth);
        }
        Recovery::Lost(LossReason::Invalid) => panic!("{after} is a position"),
    }
}

/// A start with the newest events is as far back as was asked for, or as history reaches, and no further.
fn check_last(count: u64, asked: ChannelState, position: Position, truth: &Truth) {
    assert_was_held_after(position, asked);
    let reach = position.offset.get() + count;
    if position.epoch == asked.top.epoch {
        assert!(reach >= asked.top.offset.get(), "more than the last {count}");
    }
    if position.epoch == truth.top().epoch && reach > truth.top().offset.get() {
        assert_nothing_held_up_to(position, truth);
    }
}

fn assert_was_held_after(position: Position, asked: ChannelState) {
    let reaches = position.epoch != asked.top.epoch || position.offset.next() >= asked.oldest;
    assert!(reaches, "history had lost events after {position} before it was asked");
}

fn assert_nothing_held_up_to(position: Position, truth: &Truth) {
    assert!(!truth.holds_any(Offset::ZERO, position), "history holds events up to {position}");
}
