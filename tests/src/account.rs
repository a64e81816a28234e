//! What became of the events that were acknowledged: the promise, as a model.
//!
//! Each offset comes once and in order; what does not come is named in a gap; no position is given away twice; all members
//! agree. [`Account::of`] holds the records of all members against it.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::position::Position;
use crate::steady::{Acknowledged, Ledger};
use crate::witness::{Record, Step};

/// The account of a scenario.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// Events that were acknowledged.
    pub acknowledged: usize,
    /// Tries whose outcome stayed open.
    pub unknown: u64,
    /// Epochs in which something was acknowledged.
    pub epochs: usize,
    /// What each member got of the acknowledged events.
    pub members: Vec<Share>,
}

/// What one member got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Share {
    /// Delivered, each once.
    pub delivered: usize,
    /// Not delivered, and named in a gap.
    pub lost: usize,
    /// Gaps that were told.
    pub gaps: usize,
}

impl Account {
    /// Makes the account.
    ///
    /// # Errors
    ///
    /// Whatever is not as promised, in words.
    pub fn of(ledgers: &[Ledger], records: &[Record]) -> Result<Self, String> {
        let mut acknowledged: Vec<&Acknowledged> =
            ledgers.iter().flat_map(|ledger| &ledger.acknowledged).collect();
        acknowledged.sort_by_key(|event| event.at);
        for ledger in ledgers {
            is_ascending(&ledger.acknowledged)?;
        }
        let mut contents = Contents::default();
        for event in &acknowledged {
            let repeated = contents.note(&event.position, &event.data)?;
            if repeated {
                return Err(format!("{} was given away twice", event.position));
            }
        }
        let mut epochs: Vec<&str> = Vec::new();
        for event in &acknowledged {
            if !epochs.contains(&&*event.position.epoch) {
                epochs.push(&event.position.epoch);
            }
        }
        let mut members = Vec::new();
        for (number, record) in records.iter().enumerate() {
            let share = share(record, &acknowledged, &epochs, &mut contents);
            members.push(share.map_err(|error| format!("member {number}: {error}"))?);
        }
        Ok(Self {
            acknowledged: acknowledged.len(),
            unknown: ledgers.iter().map(|ledger| ledger.unknown).sum(),
            epochs: epochs.len(),
            members,
        })
    }

    /// Whether each event came to each member, and nobody was told of a gap.
    pub fn is_whole(&self) -> bool {
        self.members.iter().all(|member| (member.lost, member.gaps) == (0, 0))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, unknown, epochs, members } = self;
        write!(f, "{acknowledged} acknowledged in {epochs} epochs, {unknown} tries left open")?;
        // Members who got the same are named together.
        for same in members.chunk_by(|one, other| one == other) {
            let Share { delivered, lost, gaps } = same[0];
            let count = same.len();
            write!(f, "; {count} members: {delivered} came, {lost} lost in {gaps} gaps")?;
        }
        Ok(())
    }
}

/// What is at each position, as far as anybody was told.
#[derive(Default)]
struct Contents(HashMap<Position, String>);

impl Contents {
    /// Notes what somebody was told; says whether somebody else was told before, who must have been told the same.
    fn note(&mut self, position: &Position, data: &str) -> Result<bool, String> {
        match self.0.insert(position.clone(), data.to_owned()) {
            None => Ok(false),
            Some(known) if known == data => Ok(true),
            Some(known) => Err(format!("{known} and {data} are both at {position}")),
        }
    }
}

fn is_ascending(acknowledged: &[Acknowledged]) -> Result<(), String> {
    for pair in acknowledged.windows(2) {
        let [first, second] = [&pair[0].position, &pair[1].position];
        if first.epoch == second.epoch && first.offset >= second.offset {
            return Err(format!("{second} was acknowledged after {first}"));
        }
    }
    Ok(())
}

fn share(
    record: &Record,
    acknowledged: &[&Acknowledged],
    epochs: &[&str],
    contents: &mut Contents,
) -> Result<Share, String> {
    if record.ended {
        return Err("its connection has ended".to_owned());
    }
    is_continuous(record)?;
    let mut came: HashSet<&Position> = HashSet::new();
    let mut published: HashSet<(&str, &str)> = HashSet::new();
    for step in &record.steps {
        if let Step::Event(at, data) = step {
            contents.note(at, data)?;
            came.insert(at);
            if !published.insert((&at.epoch, data)) {
                return Err(format!("{data} came a second time at {at}"));
            }
        }
    }
    let gaps = record.steps.iter().filter(|step| matches!(step, Step::Gap(..))).count();
    let mut share = Share { gaps, ..Share::default() };
    for event in acknowledged {
        if record.start.is_past(&event.position) {
            // Before it joined.
            continue;
        }
        if came.contains(&event.position) {
            share.delivered += 1;
        } else if record.steps.iter().any(|step| names(step, &event.position, epochs)) {
            share.lost += 1;
        } else {
            return Err(format!("{} at {} is missing", event.data, event.position));
        }
    }
    Ok(share)
}

/// Each event is the next, and each gap begins where the member was; no epoch comes back.
fn is_continuous(record: &Record) -> Result<(), String> {
    let mut at = &record.start;
    let mut left = HashSet::new();
    for step in &record.steps {
        match step {
            Step::Event(position, _) if *position == at.plus(1) => {}
            Step::Event(position, _) => return Err(format!("{position} came after {at}")),
            Step::Gap(from, to) if from != at => {
                return Err(format!("a gap from {from} to {to} was told at {at}"));
            }
            Step::Gap(from, to) if from.epoch == to.epoch => {
                if to.offset <= from.offset {
                    return Err(format!("a gap from {from} to {to} is none"));
                }
            }
            Step::Gap(from, to) => {
                left.insert(&from.epoch);
                if left.contains(&to.epoch) {
                    return Err(format!("an epoch comes back at {to}"));
                }
            }
        }
        at = step.end();
    }
    Ok(())
}

/// Whether a step names a position as lost. A gap from one epoch to another also passes over those that came and went
/// between them.
fn names(step: &Step, position: &Position, epochs: &[&str]) -> bool {
    if step.names(position) {
        return true;
    }
    let Step::Gap(from, to) = step else { return false };
    let place = |epoch: &str| epochs.iter().position(|known| *known == epoch);
    // An epoch in which nothing was acknowledged has no place: it lies at the edge that it was told of.
    let after = place(&from.epoch).map_or(0, |place| place + 1);
    let before = place(&to.epoch).unwrap_or(epochs.len());
    from.epoch != to.epoch
        && place(&position.epoch).is_some_and(|place| (after..before).contains(&place))
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// Positions with what is there.
    type Published = [(&'static str, &'static str)];

    fn at(text: &str) -> Position {
        text.parse().expect("a position")
    }

    fn event(text: &str, data: &str) -> Step {
        Step::Event(at(text), data.to_owned())
    }

    fn gap(from: &str, to: &str) -> Step {
        Step::Gap(at(from), at(to))
    }

    fn ledger(published: &Published) -> Ledger {
        let acknowledged = published.iter().map(|(position, data)| Acknowledged {
            data: (*data).to_owned(),
            position: at(position),
            at: Instant::now(),
        });
        Ledger { acknowledged: acknowledged.collect(), unknown: 0 }
    }

    fn account(published: &Published, steps: Vec<Step>) -> Result<Share, String> {
        let record = Record { start: at("a-0"), steps, ended: false };
        Account::of(&[ledger(published)], &[record]).map(|account| account.members[0])
    }

    #[test]
    fn what_a_gap_names_counts_as_lost_and_the_rest_as_delivered() {
        let published = [("a-1", "x1"), ("a-2", "x2"), ("b-1", "x3")];
        let steps = vec![event("a-1", "x1"), gap("a-1", "b-0"), event("b-1", "x3")];
        assert_eq!(account(&published, steps), Ok(Share { delivered: 2, lost: 1, gaps: 1 }));
    }

    #[test]
    fn a_gap_passes_over_an_epoch_that_came_and_went() {
        let published = [("a-1", "x1"), ("b-1", "x2"), ("c-1", "x3")];
        let steps = vec![event("a-1", "x1"), gap("a-1", "c-0"), event("c-1", "x3")];
        assert_eq!(account(&published, steps), Ok(Share { delivered: 2, lost: 1, gaps: 1 }));
    }

    #[test]
    fn what_came_before_a_member_joined_is_none_of_its_share() {
        let start = at("a-1");
        let record = Record { start, steps: vec![event("a-2", "x2")], ended: false };
        let acknowledged = ledger(&[("a-1", "x1"), ("a-2", "x2")]);
        let account = Account::of(&[acknowledged], &[record]).expect("whole");
        assert_eq!(account.members, [Share { delivered: 1, lost: 0, gaps: 0 }]);
    }

    #[test]
    fn what_breaks_the_promise_is_seen() {
        let one = ("a-1", "x1");
        let two = ("a-2", "x2");
        let cases: [(&Published, Vec<Step>, &str); 8] = [
            (&[one, two], vec![event("a-1", "x1")], "is missing"),
            (&[one], vec![event("a-1", "x1"), event("a-1", "x1")], "came after"),
            (&[one], vec![event("a-1", "x1"), event("a-3", "x3")], "came after"),
            (&[one], vec![event("a-1", "y1")], "are both at"),
            (&[one, ("a-1", "x1")], vec![event("a-1", "x1")], "was acknowledged after"),
            (&[one], vec![event("a-1", "x1"), event("a-2", "x1")], "a second time"),
            (&[one], vec![event("a-1", "x1"), gap("a-0", "b-0")], "was told at"),
            (&[], vec![gap("a-0", "b-0"), gap("b-0", "a-7")], "comes back"),
        ];
        for (published, steps, expected) in cases {
            let error = account(published, steps).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
