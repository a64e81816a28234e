//! A connection: a feed, driven by hand as its task would be, only when something woke it. Some let the fan-out serve
//! them in between.

use crate::network::Network;
use crate::view::View;
use fanline_core::broker::{ChannelState, PresenceChange};
use fanline_core::catchup::{Gap, Start};
use fanline_core::event::Event;
use fanline_core::feed::{Express, Opened, Outlet, Slot, open};
use fanline_core::namespace::LagPolicy;
use fanline_core::{ChannelName, Feed, Hub, Position, Refusal};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll, Wake, Waker};

/// One subscriber.
pub(crate) struct Subscriber {
    reader: Arc<Shared>,
    joins: Vec<Join>,
    /// Where the last subscription to a channel got to.
    seen: HashMap<usize, Position>,
    awake: Arc<Awake>,
    gaps_inside_epochs: usize,
    /// Whether it lets the fan-out serve it.
    express: bool,
}

/// What its task and the fan-out share.
struct Shared(Mutex<Reader>);

struct Reader {
    world: Arc<World>,
    feed: Feed,
    views: HashMap<usize, View>,
    /// Items that its socket takes at a time.
    capacity: usize,
}

/// A join on its way.
struct Join {
    channel: usize,
    start: Start,
    asked: ChannelState,
    opening: Pin<Box<dyn Future<Output = Result<Opened, Refusal>>>>,
}

/// What a subscriber needs to know of its surroundings.
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) network: Arc<Network>,
    pub(crate) names: Vec<ChannelName>,
    pub(crate) lags: Vec<LagPolicy>,
}

impl Subscriber {
    pub(crate) fn new(world: &Arc<World>, capacity: usize, express: bool) -> Self {
        let feed = Feed::new(world.hub.clone(), None);
        let reader = Reader { world: Arc::clone(world), feed, views: HashMap::new(), capacity };
        let subscriber = Subscriber {
            reader: Arc::new(Shared(Mutex::new(reader))),
            joins: Vec::new(),
            seen: HashMap::new(),
            awake: Arc::default(),
            gaps_inside_epochs: 0,
            express,
        };
        subscriber.serve_by_fan_out();
        subscriber
    }

    fn serve_by_fan_out(&self) {
        if self.express {
            let weak = Arc::downgrade(&self.reader);
            self.reader.lock().feed.serve_by(weak as Weak<dyn Express>);
        }
    }

    /// Asks to join a channel, unless it has.
    pub(crate) fn join(&mut self, world: &World, channel: usize, start: Start) {
        let asks_already = self.joins.iter().any(|join| join.channel == channel);
        if asks_already || self.reader.lock().views.contains_key(&channel) {
            return;
        }
        let asked = world.network.truth(channel, |truth| truth.state());
        let opening = Box::pin(open(world.hub.clone(), world.names[channel].clone(), start));
        self.joins.push(Join { channel, start, asked, opening });
        self.awake.set();
    }

    /// Leaves a channel, or gives up joining it.
    pub(crate) fn leave(&mut self, world: &World, channel: usize) {
        self.joins.retain(|join| join.channel != channel);
        let mut reader = self.reader.lock();
        let view = reader.views.remove(&channel);
        assert_eq!(reader.feed.leave(&world.names[channel]), view.is_some());
        drop(reader);
        if let Some(view) = view {
            self.remember(channel, &view);
        }
    }

    /// Loses its connection, and has another.
    pub(crate) fn reconnect(&mut self, world: &World) {
        let views = std::mem::take(&mut self.reader.lock().views);
        for (channel, view) in views {
            self.remember(channel, &view);
        }
        self.joins.clear();
        self.reader.lock().feed = Feed::new(world.hub.clone(), None);
        self.serve_by_fan_out();
        self.awake.set();
    }

    /// The position to resume a channel from.
    pub(crate) fn seen(&self, channel: usize) -> Option<Position> {
        self.seen.get(&channel).copied()
    }

    /// Whether its task would run.
    pub(crate) fn is_awake(&self) -> bool {
        self.awake.is_set()
    }

    /// Runs its task if that is awake, until the outlet is full or there is nothing but to wait.
    pub(crate) fn run(&mut self, world: &World) {
        if !self.awake.take() {
            return;
        }
        let waker = Waker::from(Arc::clone(&self.awake));
        let mut cx = Context::from_waker(&waker);
        self.poll_joins(&mut cx, world);
        let mut reader = self.reader.lock();
        let (feed, mut recorder) = reader.parts();
        if feed.poll_deliver(&mut cx, &mut recorder).is_ready() {
            assert!(recorder.room == 0, "it stopped although there was room");
            self.awake.set();
        }
    }

    /// Whether every subscription stands at the top of its channel.
    pub(crate) fn assert_up_to_date(&self, world: &World) {
        assert!(self.joins.is_empty(), "every join is answered");
        for (&channel, view) in &self.reader.lock().views {
            let top = world.network.truth(channel, |truth| truth.top());
            assert_eq!(view.cursor, top, "something is left in {}", world.names[channel]);
        }
    }

    /// Gaps that did not come with a new epoch, in all subscriptions so far.
    pub(crate) fn gaps_inside_epochs(&self) -> usize {
        let open: usize =
            self.reader.lock().views.values().map(|view| view.gaps_inside_epochs).sum();
        self.gaps_inside_epochs + open
    }

    fn poll_joins(&mut self, cx: &mut Context<'_>, world: &World) {
        let mut reader = self.reader.lock();
        let Reader { feed, views, .. } = &mut *reader;
        self.joins.retain_mut(|join| match join.opening.as_mut().poll(cx) {
            Poll::Pending => true,
            // During an outage; it may ask again.
            Poll::Ready(Err(_refused)) => false,
            Poll::Ready(Ok(opened)) => {
                let joined = feed.insert(opened);
                let view = world.network.truth(join.channel, |truth| {
                    View::begin(join.start, join.asked, joined, truth)
                });
                views.insert(join.channel, view);
                false
            }
        });
    }

    fn remember(&mut self, channel: usize, view: &View) {
        self.gaps_inside_epochs += view.gaps_inside_epochs;
        self.seen.insert(channel, view.seen.unwrap_or(view.cursor));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Reader> {
        self.0.lock().expect("what went wrong before ends the schedule")
    }
}

impl Express for Shared {
    fn serve(&self, slot: Slot) -> bool {
        let mut reader = self.lock();
        let (feed, mut recorder) = reader.parts();
        // A socket that is full is the task's to wait for.
        feed.deliver_now(slot, &mut recorder) && recorder.room > 0
    }
}

impl Reader {
    fn parts(&mut self) -> (&mut Feed, Recorder<'_>) {
        let recorder = Recorder { views: &mut self.views, world: &self.world, room: self.capacity };
        (&mut self.feed, recorder)
    }
}

/// Hands what a feed delivers to the views, and is full after so many items.
struct Recorder<'a> {
    views: &'a mut HashMap<usize, View>,
    world: &'a World,
    room: usize,
}

impl Recorder<'_> {
    fn take(&mut self, name: &ChannelName) -> (usize, &mut View) {
        self.room = self.room.saturating_sub(1);
        let channel = self.world.names.iter().position(|known| known == name);
        let channel = channel.expect("only known channels are joined");
        (channel, self.views.get_mut(&channel).expect("nothing comes of a channel that was left"))
    }
}

impl Outlet for Recorder<'_> {
    fn event(&mut self, event: &Arc<Event>) {
        let world = self.world;
        let (channel, view) = self.take(&event.channel);
        world.network.truth(channel, |truth| view.event(event, truth));
    }

    fn gap(&mut self, name: &ChannelName, gap: Gap) {
        let World { network, lags, .. } = self.world;
        let (channel, view) = self.take(name);
        network.truth(channel, |truth| view.gap(gap, lags[channel], truth));
    }

    fn presence(&mut self, change: &Arc<PresenceChange>) {
        unreachable!("there are no members: {change:?}");
    }

    fn is_full(&self) -> bool {
        self.room == 0
    }
}

/// Whether the task was woken since it last ran.
struct Awake(AtomicBool);

impl Awake {
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Default for Awake {
    fn default() -> Self {
        Awake(AtomicBool::new(true))
    }
}

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}
