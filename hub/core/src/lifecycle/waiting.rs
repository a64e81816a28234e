//! The channels of which a node has something to tell: each once, and told of in the order of their coming.
//!
//! Nothing here asks the broker or waits. The type to read is [`Waiting`].

use crate::channel::ChannelName;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// Channels that may wait at one time: some 20 MiB. What finds no place is found later by a look.
pub(super) const CHANNELS: usize = 100_000;
/// How long a channel rests after a try that failed.
const PAUSE: Duration = Duration::from_millis(500);

/// The channels. One that failed keeps none of the others.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    states: HashMap<ChannelName, State>,
    /// Those that are [`State::Ready`].
    ready: VecDeque<ChannelName>,
    /// Those that are [`State::Paused`], with the end of that, in its order.
    paused: VecDeque<(Instant, ChannelName)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Ready,
    Telling,
    /// Something came up that may not have been read yet.
    TellingWithNews,
    Paused,
}

/// What became of telling a page of a channel's changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// There was nothing after it.
    Told,
    /// More pages follow.
    More,
    /// It is to be tried again.
    Failed,
}

impl Waiting {
    /// Something is to be told of a channel. False: as many as `most` wait already, and it is none of them.
    pub(super) fn add(&mut self, channel: &ChannelName, most: usize) -> bool {
        let is_full = self.states.len() >= most;
        match self.states.get_mut(channel) {
            Some(state @ State::Telling) => *state = State::TellingWithNews,
            Some(State::Ready | State::TellingWithNews | State::Paused) => {}
            None if is_full => return false,
            None => self.queue(channel.clone()),
        }
        true
    }

    /// The channel to tell of now, until [`settle`](Self::settle) says what became of it.
    pub(super) fn take(&mut self) -> Option<ChannelName> {
        let channel = self.ready.pop_front()?;
        self.states.insert(channel.clone(), State::Telling);
        Some(channel)
    }

    /// Says what became of a channel that was taken.
    pub(super) fn settle(&mut self, channel: ChannelName, outcome: Outcome, now: Instant) {
        let with_news = self.states.get(&channel) == Some(&State::TellingWithNews);
        match outcome {
            Outcome::Told if !with_news => {
                self.states.remove(&channel);
            }
            Outcome::Told | Outcome::More => self.queue(channel),
            Outcome::Failed => {
                self.states.insert(channel.clone(), State::Paused);
                self.paused.push_back((now + PAUSE, channel));
            }
        }
    }

    /// Lets those go on whose pause is over; says when that of the next one ends.
    pub(super) fn wake(&mut self, now: Instant) -> Option<Instant> {
        while self.paused.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, channel)) = self.paused.pop_front() {
                self.queue(channel);
            }
        }
        self.paused.front().map(|(until, _)| *until)
    }

    fn queue(&mut self, channel: ChannelName) {
        self.states.insert(channel.clone(), State::Ready);
        self.ready.push_back(channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::channel;

    fn waiting(names: &[&str]) -> Waiting {
        let mut waiting = Waiting::default();
        assert!(names.iter().all(|name| waiting.add(&channel(name), CHANNELS)));
        waiting
    }

    #[tokio::test(start_paused = true)]
    async fn each_waits_once_in_the_order_of_its_coming_and_is_told_of_once_at_a_time() {
        let mut waiting = waiting(&["hall:b", "hall:a", "hall:b"]);
        let [a, b] = ["hall:a", "hall:b"].map(channel);
        assert_eq!(
            [waiting.take(), waiting.take(), waiting.take()],
            [Some(b.clone()), Some(a.clone()), None]
        );
        assert!(waiting.add(&a, CHANNELS));
        assert_eq!(waiting.take(), None, "it is being told of");
        waiting.settle(a.clone(), Outcome::Told, Instant::now());
        waiting.settle(b.clone(), Outcome::More, Instant::now());
        assert_eq!([waiting.take(), waiting.take()], [Some(a.clone()), Some(b.clone())]);
        waiting.settle(a, Outcome::Told, Instant::now());
        waiting.settle(b, Outcome::Told, Instant::now());
        assert_eq!((waiting.take(), waiting.states.len()), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_failed_rests_and_holds_up_none_of_the_others() {
        let mut waiting = waiting(&["hall:a", "hall:b"]);
        let [a, b] = ["hall:a", "hall:b"].map(channel);
        let start = Instant::now();
        assert_eq!(waiting.take(), Some(a.clone()));
        waiting.settle(a.clone(), Outcome::Failed, start);
        assert_eq!(waiting.take(), Some(b));
        assert!(waiting.add(&a, CHANNELS));
        assert_eq!(waiting.wake(start), Some(start + PAUSE));
        assert_eq!(waiting.take(), None, "news cut its pause not short");
        assert_eq!(waiting.wake(start + PAUSE), None);
        assert_eq!(waiting.take(), Some(a));
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_bound_those_that_wait_already_are_not_turned_away() {
        let mut waiting = Waiting::default();
        let name = |number: usize| channel(&format!("hall:{number}"));
        assert!((0..CHANNELS).all(|number| waiting.add(&name(number), CHANNELS)));
        assert!(!waiting.add(&name(CHANNELS), CHANNELS));
        assert!(waiting.add(&name(7), CHANNELS));
        let first = waiting.take().unwrap();
        waiting.settle(first, Outcome::Told, Instant::now());
        assert!(waiting.add(&name(CHANNELS), CHANNELS));
    }
}
