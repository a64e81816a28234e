//! A broker that keeps the truth and answers calls with it, but slowly, and not at all during an outage; and that
//! drops, doubles, delays and reorders what it notices.

use crate::truth::Truth;
use fanline_core::ChannelName;
use fanline_core::broker::{
    Answer, Broker, BrokerError, Changes, ChannelsQuery, HistoryPage, HistoryQuery, Member, Nodes,
    Notes, Notice, NoticeSender, Publication, Published,
};
use fanline_core::clock::ManualClock;
use fanline_core::ids::ConnectionId;
use fanline_core::memory::{MemoryBroker, MemoryLimits};
use fanline_core::random::Random;
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Calls of [`Broker::history`] in one schedule: far more than the longest ones need. A busy loop ends here.
const READS_MAX: usize = 2_000;

/// The broker of one schedule.
pub(crate) struct Network {
    state: Mutex<State>,
    notices: NoticeSender,
    page_max: usize,
    alone: MemoryBroker,
}

struct State {
    channels: Vec<Truth>,
    subscribed: HashSet<ChannelName>,
    down: bool,
    reads: usize,
    fates: Cycle<Fate>,
    delays: Cycle<Delay>,
    held: Vec<Notice>,
}

/// What becomes of a notice.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Arrives,
    IsLost,
    ArrivesTwice,
    /// It waits until it is released: after later ones, in another epoch, or at the end.
    IsHeld,
}

/// Milliseconds until a call reaches the broker, and until its answer is back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delay {
    pub(crate) there: u8,
    pub(crate) back: u8,
}

impl Network {
    pub(crate) fn new(
        channels: Vec<Truth>,
        notices: NoticeSender,
        page_max: usize,
        fates: Vec<Fate>,
        delays: Vec<Delay>,
    ) -> Self {
        let state = State {
            channels,
            subscribed: HashSet::new(),
            down: false,
            reads: 0,
            fates: Cycle::new(fates),
            delays: Cycle::new(delays),
            held: Vec::new(),
        };
        let alone = MemoryBroker::start(
            notices.clone(),
            Arc::new(ManualClock::default()),
            Random::seeded(1),
            MemoryLimits::default(),
            &mut Registry::default(),
            &TaskTracker::new(),
            CancellationToken::new(),
        );
        Network { state: Mutex::new(state), notices, page_max, alone }
    }

    pub(crate) fn publish_one(&self, channel: usize) {
        let mut state = self.lock();
        let event = state.channels[channel].publish();
        if !state.subscribed.contains(&event.channel) {
            return;
        }
        let notice = Notice::Event(event);
        match state.fates.next() {
            Fate::IsLost => {}
            Fate::Arrives => self.notice(notice),
            Fate::ArrivesTwice => {
                self.notice(notice.clone());
                self.notice(notice);
            }
            Fate::IsHeld => state.held.push(notice),
        }
    }

    /// Lets one of the held notices arrive.
    pub(crate) fn release(&self, choice: usize) {
        let mut state = self.lock();
        if !state.held.is_empty() {
            let index = choice % state.held.len();
            let notice = state.held.swap_remove(index);
            self.notice(notice);
        }
    }

    /// What a broker's own check does when it cannot be sure that all was heard.
    pub(crate) fn suspect(&self, channel: usize) {
        let name = self.truth(channel, |truth| truth.name.clone());
        self.notice(Notice::Suspect(name));
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// From now on everything works, and what was held arrives.
    pub(crate) fn heal(&self) {
        let mut state = self.lock();
        state.down = false;
        state.fates = Cycle::new(vec![Fate::Arrives]);
        state.delays = Cycle::new(vec![Delay::default()]);
        state.held.drain(..).for_each(|notice| self.notice(notice));
    }

    pub(crate) fn truth<T>(&self, channel: usize, ask: impl FnOnce(&mut Truth) -> T) -> T {
        ask(&mut self.lock().channels[channel])
    }

    fn notice(&self, notice: Notice) {
        self.notices.try_send(notice).expect("a schedule is shorter than the queue");
    }

    async fn call<T>(&self, act: impl FnOnce(&mut State) -> T) -> Result<T, BrokerError> {
        let delay = self.lock().delays.next();
        pause(delay.there).await;
        let answer = {
            let mut state = self.lock();
            if state.down { Err(BrokerError::Unavailable) } else { Ok(act(&mut state)) }
        };
        pause(delay.back).await;
        answer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

async fn pause(millis: u8) {
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis.into())).await;
    }
}

impl Broker for Network {
    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery,
    ) -> Answer<'a, HistoryPage> {
        let reads = {
            let mut state = self.lock();
            state.reads += 1;
            state.reads
        };
        assert!(reads < READS_MAX, "history is read again and again");
        Box::pin(self.call(move |state| {
            let truth = state.channels.iter().find(|truth| truth.name == *channel);
            truth.expect("only known channels are joined").read(query, self.page_max)
        }))
    }

    fn subscribe<'a>(&'a self, channel: &'a ChannelName) -> Answer<'a, ()> {
        Box::pin(self.call(|state| {
            state.subscribed.insert(channel.clone());
        }))
    }

    fn unsubscribe(&self, channel: &ChannelName) {
        self.lock().subscribed.remove(channel);
    }

    // Events come from other nodes, and nobody is told of members: this node only follows.

    fn publish(&self, _: Publication) -> Answer<'_, Published> {
        unreachable!("this node does not publish")
    }

    fn enter<'a>(&'a self, _: &'a ChannelName, _: Member, _: bool) -> Answer<'a, ()> {
        unreachable!("this node has no members")
    }

    fn leave<'a>(&'a self, _: &'a ChannelName, _: ConnectionId) -> Answer<'a, ()> {
        unreachable!("this node has no members")
    }

    fn members<'a>(&'a self, _: &'a ChannelName) -> Answer<'a, Vec<Member>> {
        unreachable!("this node has no members")
    }

    fn channels(&self, _: ChannelsQuery) -> Answer<'_, Vec<ChannelName>> {
        unreachable!("this node lists nothing")
    }

    // What a hub asks for on its own is answered by a broker that knows no other node.

    fn nodes(&self) -> &dyn Nodes {
        self.alone.nodes()
    }

    fn notes(&self) -> &dyn Notes {
        self.alone.notes()
    }

    fn changes(&self) -> &dyn Changes {
        self.alone.changes()
    }
}

/// The same few things again and again.
struct Cycle<T> {
    things: Vec<T>,
    next: usize,
}

impl<T: Copy> Cycle<T> {
    fn new(things: Vec<T>) -> Self {
        Cycle { things, next: 0 }
    }

    fn next(&mut self) -> T {
        let thing = self.things[self.next % self.things.len()];
        self.next += 1;
        thing
    }
}
