//! Catch up from history, then follow live: the one algorithm behind every resume.
//!
//! A reconnecting client, a new subscription, a lagging member and a node that repairs itself all do the same: they
//! stand at a position, read a page of history after it, and step over it with [`step_over`]. What history no longer
//! holds becomes a [`Gap`]; nothing is skipped in silence and nothing comes twice, because the position is the only
//! thing that decides. No I/O and no waiting here: callers read the pages.

use crate::broker::{ChannelState, HistoryPage};
use crate::event::Event;
use crate::namespace::{LagPolicy, Retention};
use crate::{Offset, Position};
use std::sync::Arc;

/// Events that were lost for good: after `from`, up to and including `to`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gap {
    /// The last position before the loss.
    pub from: Position,
    /// The last position lost.
    pub to: Position,
    /// Why.
    pub reason: LossReason,
}

/// Why a position could not be resumed from, or events were lost.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LossReason {
    /// They outlived the age limit of history.
    Expired,
    /// Newer events took their place.
    Trimmed,
    /// The channel's counter started again.
    EpochChanged,
    /// The position was never given away.
    Future,
    /// The text is no position.
    Invalid,
    /// The channel keeps no history.
    NoHistory,
}

impl LossReason {
    /// Every reason.
    pub const ALL: [LossReason; 6] = [
        LossReason::Expired,
        LossReason::Trimmed,
        LossReason::EpochChanged,
        LossReason::Future,
        LossReason::Invalid,
        LossReason::NoHistory,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LossReason::Expired => "expired",
            LossReason::Trimmed => "trimmed",
            LossReason::EpochChanged => "epoch_changed",
            LossReason::Future => "future",
            LossReason::Invalid => "invalid",
            LossReason::NoHistory => "no_history",
        }
    }

    /// What happened, in one sentence for the documents.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            LossReason::Expired => "The events outlived the age limit of history.",
            LossReason::Trimmed => "Newer events took their place in history.",
            LossReason::EpochChanged => "The channel's counter started again.",
            LossReason::Future => "The position was never given away; only new events follow.",
            LossReason::Invalid => "The text is no position; only new events follow.",
            LossReason::NoHistory => "The channel keeps no history.",
        }
    }
}

/// Where a subscriber wants to start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// With the next event.
    Live,
    /// With all that history holds.
    Earliest,
    /// With the newest events, at most so many.
    Last(usize),
    /// After a position that it has seen.
    After(Position),
    /// After a text that turned out to be no position.
    Invalid,
}

impl Start {
    /// Reads the `since` of a client: a position, `earliest`, or `last:N`. Anything else is [`Start::Invalid`].
    #[must_use]
    pub fn from_since(since: &str) -> Self {
        if since == "earliest" {
            return Start::Earliest;
        }
        match since.strip_prefix("last:") {
            // Digits alone: what reads numbers would also take a sign.
            Some(count) if count.starts_with('+') => Start::Invalid,
            Some(count) => count.parse().map_or(Start::Invalid, Start::Last),
            None => since.parse().map_or(Start::Invalid, Start::After),
        }
    }
}

/// Where a subscription starts, and whether that is where it was asked to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Resumption {
    /// The stream starts after this.
    pub position: Position,
    /// Present when a position was asked for.
    pub recovery: Option<Recovery>,
}

/// Whether everything after the asked position follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recovery {
    /// It does.
    Recovered,
    /// It does not; what history still holds follows.
    Lost(LossReason),
}

/// Decides where a subscription starts in a channel that stands at `state`. One rule for every transport.
#[must_use]
pub fn resume(start: Start, state: &ChannelState, retention: &Retention) -> Resumption {
    let top = state.top;
    let before_oldest = top.at(state.oldest.previous());
    let plain = |position| Resumption { position, recovery: None };
    let lost = |position, reason| Resumption { position, recovery: Some(Recovery::Lost(reason)) };
    match start {
        Start::Live => plain(top),
        Start::Earliest => plain(before_oldest),
        Start::Last(count) => {
            let wanted = top.offset.get().saturating_sub(count as u64);
            plain(top.at(before_oldest.offset.max(Offset::new(wanted))))
        }
        Start::Invalid => lost(top, LossReason::Invalid),
        Start::After(position) if position.epoch != top.epoch => {
            lost(before_oldest, LossReason::EpochChanged)
        }
        Start::After(position) if position.offset > top.offset => lost(top, LossReason::Future),
        Start::After(position) if position.offset >= before_oldest.offset => {
            Resumption { position, recovery: Some(Recovery::Recovered) }
        }
        Start::After(_) => lost(before_oldest, why_gone(state, retention)),
    }
}

/// Whether history has lost the event after a position.
pub(crate) fn is_lost(position: Position, state: &ChannelState) -> bool {
    position.epoch == state.top.epoch && position.offset.next() < state.oldest
}

/// Why an offset below the oldest is gone.
fn why_gone(state: &ChannelState, retention: &Retention) -> LossReason {
    let kept = state.top.offset.next().get() - state.oldest.get();
    if retention.size == 0 {
        LossReason::NoHistory
    } else if kept >= retention.size as u64 {
        LossReason::Trimmed
    } else {
        LossReason::Expired
    }
}

/// What is met on the way through a page.
#[derive(Clone, Debug)]
pub enum Step {
    /// The next event.
    Event(Arc<Event>),
    /// Events that are gone.
    Gap(Gap),
}

/// Whether history holds more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Read on after the cursor.
    More,
    /// The cursor stands at the top that the page saw.
    CaughtUp,
}

/// How to step over pages.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What the channel keeps.
    pub retention: &'a Retention,
    /// What to do about a loss.
    pub lag: LagPolicy,
}

/// Moves `cursor` over a page that was read after it, and hands on each event once and each loss named, in order.
///
/// The cursor may have moved on since the page was asked for; what it passed already is not handed on again.
pub fn step_over(
    cursor: &mut Position,
    page: &HistoryPage,
    rules: Rules<'_>,
    mut hand_on: impl FnMut(Step),
) -> Progress {
    let state = &page.state;
    let gap_to = |cursor: &mut Position, to: Position, reason, hand_on: &mut dyn FnMut(Step)| {
        hand_on(Step::Gap(Gap { from: *cursor, to, reason }));
        *cursor = to;
    };
    if cursor.epoch != state.top.epoch {
        let to = match rules.lag {
            LagPolicy::Gap => state.oldest.previous(),
            LagPolicy::Latest => state.oldest.max(state.top.offset).previous(),
        };
        gap_to(cursor, state.top.at(to), LossReason::EpochChanged, &mut hand_on);
        // The page was read after an offset of another epoch: it says nothing about this one.
        return if cursor.offset < state.top.offset { Progress::More } else { Progress::CaughtUp };
    }
    if cursor.offset > state.top.offset && !page.more {
        // No broker that keeps its promises comes here. A named loss is better than a cursor that waits for ever.
        gap_to(cursor, state.top, LossReason::Future, &mut hand_on);
    }
    // Below the oldest the channel's own bounds took it; above, its own time to live ran out.
    let why = |cursor: Position| match is_lost(cursor, state) {
        true => why_gone(state, rules.retention),
        false => LossReason::Expired,
    };
    let holds_any = state.oldest <= state.top.offset;
    if rules.lag == LagPolicy::Latest && is_lost(*cursor, state) && holds_any {
        let latest = state.top.at(state.top.offset.previous());
        gap_to(cursor, latest, why(*cursor), &mut hand_on);
    }
    for event in &page.events {
        let offset = event.position.offset;
        if offset <= cursor.offset {
            continue;
        }
        if offset > cursor.offset.next() {
            gap_to(cursor, state.top.at(offset.previous()), why(*cursor), &mut hand_on);
        }
        hand_on(Step::Event(Arc::clone(event)));
        cursor.offset = offset;
    }
    if page.more && cursor.offset < state.top.offset {
        return Progress::More;
    }
    if cursor.offset < state.top.offset {
        // The page was the last one and does not reach the top: nothing of the rest is kept.
        gap_to(cursor, state.top, why(*cursor), &mut hand_on);
    }
    Progress::CaughtUp
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{epoch, event};
    use std::time::Duration;

    const KEEPS_4: Retention =
        Retention { size: 4, ttl: Duration::from_secs(60), epoch_ttl: Duration::from_secs(60) };
    const KEEPS_NONE: Retention = Retention { size: 0, ..KEEPS_4 };

    fn at(epoch_name: &str, offset: u64) -> Position {
        Position::new(epoch(epoch_name), Offset::new(offset))
    }

    fn state(oldest: u64, top: u64) -> ChannelState {
        ChannelState { top: at("e", top), oldest: Offset::new(oldest) }
    }

    fn page(oldest: u64, top: u64, events: &[u64]) -> HistoryPage {
        let events: Vec<_> = events.iter().map(|&offset| event("a:b", at("e", offset))).collect();
        HistoryPage { state: state(oldest, top), events, more: false }
    }

    /// Steps over a page and writes down what was met: `5` for an event, `3..4 trimmed` for a loss.
    fn walk(
        from: Position,
        page: &HistoryPage,
        lag: LagPolicy,
    ) -> (Vec<String>, Position, Progress) {
        let (mut cursor, mut met) = (from, Vec::new());
        let progress = step_over(&mut cursor, page, Rules { retention: &KEEPS_4, lag }, |step| {
            met.push(match step {
                Step::Event(event) => event.position.offset.to_string(),
                Step::Gap(gap) => {
                    format!("{}..{} {}", gap.from.offset.next(), gap.to.offset, gap.reason.as_str())
                }
            });
        });
        (met, cursor, progress)
    }

    #[test]
    fn one_rule_says_where_a_subscription_starts() {
        use Recovery::{Lost, Recovered};
        let table = [
            (Start::Live, state(7, 10), &KEEPS_4, 10, None),
            (Start::Earliest, state(7, 10), &KEEPS_4, 6, None),
            (Start::Earliest, state(11, 10), &KEEPS_4, 10, None),
            (Start::Last(2), state(7, 10), &KEEPS_4, 8, None),
            (Start::Last(0), state(7, 10), &KEEPS_4, 10, None),
            (Start::Last(99), state(7, 10), &KEEPS_4, 6, None),
            (Start::After(at("e", 10)), state(7, 10), &KEEPS_4, 10, Some(Recovered)),
            (Start::After(at("e", 6)), state(7, 10), &KEEPS_4, 6, Some(Recovered)),
            (Start::After(at("e", 0)), state(1, 0), &KEEPS_4, 0, Some(Recovered)),
            (Start::After(at("e", 10)), state(11, 10), &KEEPS_NONE, 10, Some(Recovered)),
            (Start::After(at("e", 5)), state(7, 10), &KEEPS_4, 6, Some(Lost(LossReason::Trimmed))),
            (Start::After(at("e", 5)), state(9, 10), &KEEPS_4, 8, Some(Lost(LossReason::Expired))),
            (
                Start::After(at("e", 9)),
                state(11, 10),
                &KEEPS_NONE,
                10,
                Some(Lost(LossReason::NoHistory)),
            ),
            (Start::After(at("e", 11)), state(7, 10), &KEEPS_4, 10, Some(Lost(LossReason::Future))),
            (
                Start::After(at("f", 8)),
                state(7, 10),
                &KEEPS_4,
                6,
                Some(Lost(LossReason::EpochChanged)),
            ),
            (Start::Invalid, state(7, 10), &KEEPS_4, 10, Some(Lost(LossReason::Invalid))),
        ];
        for (start, state, retention, offset, recovery) in table {
            let expected = Resumption { position: at("e", offset), recovery };
            assert_eq!(resume(start, &state, retention), expected, "{start:?} at {state:?}");
        }
    }

    #[test]
    fn a_since_is_a_position_or_a_word() {
        assert_eq!(Start::from_since("earliest"), Start::Earliest);
        assert_eq!(Start::from_since("last:20"), Start::Last(20));
        assert_eq!(Start::from_since("e-7"), Start::After(at("e", 7)));
        for garbage in ["", "last:", "last:-1", "last:+1", "latest", "e-"] {
            assert_eq!(Start::from_since(garbage), Start::Invalid, "{garbage}");
        }
    }

    #[test]
    fn a_page_is_handed_on_once_and_in_order() {
        let (met, cursor, progress) = walk(at("e", 7), &page(7, 10, &[8, 9, 10]), LagPolicy::Gap);
        assert_eq!(
            (met.join(" "), cursor, progress),
            ("8 9 10".into(), at("e", 10), Progress::CaughtUp)
        );
        // The cursor moved on while the page was read.
        assert_eq!(walk(at("e", 9), &page(7, 10, &[8, 9, 10]), LagPolicy::Gap).0, ["10"]);
        let first_of_two = HistoryPage { more: true, ..page(7, 10, &[8, 9]) };
        let (met, cursor, progress) = walk(at("e", 7), &first_of_two, LagPolicy::Gap);
        assert_eq!((met.join(" "), cursor, progress), ("8 9".into(), at("e", 9), Progress::More));
    }

    #[test]
    fn what_history_lost_is_named() {
        assert_eq!(
            walk(at("e", 4), &page(7, 10, &[7, 8, 9, 10]), LagPolicy::Gap).0,
            ["5..6 trimmed", "7", "8", "9", "10"]
        );
        assert_eq!(
            walk(at("e", 7), &page(7, 10, &[8, 10]), LagPolicy::Gap).0,
            ["8", "9..9 expired", "10"]
        );
        assert_eq!(
            walk(at("e", 6), &page(7, 10, &[7, 8, 9]), LagPolicy::Gap).0,
            ["7", "8", "9", "10..10 expired"]
        );
        let (met, cursor, _) = walk(at("e", 8), &page(11, 10, &[]), LagPolicy::Gap);
        assert_eq!((met.join(" "), cursor), ("9..10 expired".into(), at("e", 10)));
    }

    #[test]
    fn a_new_epoch_is_a_gap_and_then_read_from_its_start() {
        let (met, cursor, progress) = walk(at("old", 50), &page(7, 10, &[]), LagPolicy::Gap);
        assert_eq!(
            (met.join(" "), cursor, progress),
            ("51..6 epoch_changed".into(), at("e", 6), Progress::More)
        );
    }

    #[test]
    fn a_ticker_jumps_to_its_latest_event() {
        let (met, cursor, progress) =
            walk(at("e", 2), &page(7, 10, &[7, 8, 9, 10]), LagPolicy::Latest);
        assert_eq!(
            (met.join(" "), cursor, progress),
            ("3..9 trimmed 10".into(), at("e", 10), Progress::CaughtUp)
        );
        let (met, cursor, _) = walk(at("e", 2), &page(11, 10, &[]), LagPolicy::Latest);
        assert_eq!((met.join(" "), cursor), ("3..10 expired".into(), at("e", 10)), "if it is kept");
    }
}
