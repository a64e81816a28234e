//! A feed over a real hub and the memory broker, with time standing still.

use super::*;
use crate::broker::Member;
use crate::catchup::LossReason;
use crate::clock::Timestamp;
use crate::event::EventType;
use crate::ids::UserId;
use crate::publish::{Draft, Origin};
use crate::testing::{TestHub, body, channel};
use crate::{Limits, Offset, Reason};
use futures_util::FutureExt;
use std::future::poll_fn;
use std::task::Waker;
use std::time::Duration;
use tokio::task::coop::unconstrained;
use tokio::time::timeout;

/// Longer than anything here waits for, in time that passes only when nothing else happens.
const LONG: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn what_is_published_after_a_join_is_delivered_in_order() {
    let hub = TestHub::start();
    publish(&hub, "a:1", 2).await;
    let mut feed = feed(&hub);
    let joined = feed.join(&channel("a:1"), Start::Live).await.unwrap();
    assert_eq!((joined.position.offset.get(), joined.recovery), (2, None));
    publish(&hub, "a:1", 3).await;
    assert_eq!(received(&mut feed).await, ["a:1 3", "a:1 4", "a:1 5"]);
}

#[tokio::test(start_paused = true)]
async fn a_resume_within_the_log_asks_nobody() {
    let hub = TestHub::start();
    let mut first = feed(&hub);
    let start = first.join(&channel("a:1"), Start::Live).await.unwrap().position;
    publish(&hub, "a:1", 4).await;
    received(&mut first).await;
    let reads = hub.broker.reads();

    let mut second = feed(&hub);
    let seen = start.at(Offset::new(2));
    let joined = second.join(&channel("a:1"), Start::After(seen)).await.unwrap();
    assert_eq!(joined, Joined { position: seen, recovery: Some(Recovery::Recovered) });
    assert_eq!(received(&mut second).await, ["a:1 3", "a:1 4"]);
    assert_eq!(hub.broker.reads(), reads);
}

#[tokio::test(start_paused = true)]
async fn a_start_before_the_log_reads_history_and_then_follows() {
    let hub = TestHub::start();
    publish(&hub, "a:1", 3).await;
    let mut feed = feed(&hub);
    feed.join(&channel("a:1"), Start::Last(2)).await.unwrap();
    assert_eq!(received(&mut feed).await, ["a:1 2", "a:1 3"]);
    publish(&hub, "a:1", 1).await;
    assert_eq!(received(&mut feed).await, ["a:1 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_lagging_subscriber_catches_up_from_history() {
    let hub = TestHub::with_limits(tiny_ring());
    let mut slow = feed(&hub);
    slow.join(&channel("a:1"), Start::Live).await.unwrap();
    publish(&hub, "a:1", 8).await;
    assert_eq!(received(&mut slow).await, numbered("a:1", 1..=8));
    assert_eq!(hub.metrics().lagged.get(), 1);
    publish(&hub, "a:1", 1).await;
    assert_eq!(received(&mut slow).await, ["a:1 9"], "from the log again");
}

#[tokio::test(start_paused = true)]
async fn who_lags_beyond_history_is_told_of_the_gap() {
    let hub = TestHub::with_limits(tiny_ring());
    let mut slow = feed(&hub);
    slow.join(&channel("a:1"), Start::Live).await.unwrap();
    slow.join(&channel("none:1"), Start::Live).await.unwrap();
    publish(&hub, "a:1", 15).await;
    publish(&hub, "none:1", 5).await;
    let mut expected =
        vec!["none:1 lost 1..5 no_history".to_owned(), "a:1 lost 1..5 trimmed".into()];
    expected.extend(numbered("a:1", 6..=15));
    let mut told = received(&mut slow).await;
    told.sort_by_key(|line| line.starts_with("a:1"));
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn a_ticker_that_lagged_beyond_history_gets_its_latest_event() {
    let hub = TestHub::with_limits(tiny_ring());
    let mut slow = feed(&hub);
    slow.join(&channel("ticker:1"), Start::Live).await.unwrap();
    publish(&hub, "ticker:1", 15).await;
    assert_eq!(received(&mut slow).await, ["ticker:1 lost 1..14 trimmed", "ticker:1 15"]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_longer_than_history_reaches_members_while_another_reads_history() {
    let hub = TestHub::start();
    let mut member = feed(&hub);
    member.join(&channel("a:1"), Start::Live).await.unwrap();
    // All of it waits in the queue of notices while the newcomer reads history, which ends far ahead of the log.
    publish_in_one_go(&hub, "a:1", 200);
    let mut newcomer = feed(&hub);
    newcomer.join(&channel("a:1"), Start::Earliest).await.unwrap();
    assert_eq!(poll_once(&mut newcomer), numbered("a:1", 191..=200), "far ahead of the log");
    assert_eq!(received(&mut member).await, numbered("a:1", 1..=200));
}

#[tokio::test(start_paused = true)]
async fn the_connection_that_an_event_excludes_passes_over_it() {
    let hub = TestHub::start();
    let [ada, bob] = connections();
    let mut feeds = [ada, bob].map(|connection| Feed::new(hub.clone(), Some(connection)));
    for feed in &mut feeds {
        feed.join(&channel("a:1"), Start::Live).await.unwrap();
    }
    publish(&hub, "a:1", 1).await;
    hub.publish(Draft { exclude: vec![ada], ..draft("a:1") }).await.unwrap();
    publish(&hub, "a:1", 1).await;
    assert_eq!(received(&mut feeds[0]).await, ["a:1 1", "a:1 3"]);
    assert_eq!(received(&mut feeds[1]).await, ["a:1 1", "a:1 2", "a:1 3"]);

    let mut from_history = Feed::new(hub.clone(), Some(ada));
    from_history.join(&channel("a:1"), Start::Earliest).await.unwrap();
    assert_eq!(received(&mut from_history).await, ["a:1 1", "a:1 3"]);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_a_page_is_under_way_gets_nothing_of_it() {
    let hub = TestHub::start();
    publish(&hub, "a:1", 3).await;
    publish(&hub, "a:2", 3).await;
    let mut feed = feed(&hub);
    feed.join(&channel("a:1"), Start::Earliest).await.unwrap();
    feed.join(&channel("a:2"), Start::Earliest).await.unwrap();
    hub.broker.hold();
    assert!(poll_once(&mut feed).is_empty());
    assert!(feed.leave(&channel("a:1")));
    assert!(!feed.leave(&channel("a:1")), "it left already");
    hub.broker.switch_on();
    assert_eq!(received(&mut feed).await, numbered("a:2", 1..=3));

    feed.join(&channel("a:1"), Start::Last(1)).await.unwrap();
    assert_eq!(received(&mut feed).await, ["a:1 3"]);
}

#[tokio::test(start_paused = true)]
async fn two_channels_take_turns_when_the_outlet_is_small() {
    let hub = TestHub::start();
    let mut feed = feed(&hub);
    feed.join(&channel("a:1"), Start::Live).await.unwrap();
    feed.join(&channel("a:2"), Start::Live).await.unwrap();
    publish(&hub, "a:1", 3).await;
    publish(&hub, "a:2", 3).await;
    let expected = ["a:1 1", "a:2 1", "a:1 2", "a:2 2", "a:1 3", "a:2 3"];
    assert_eq!(received_in_steps_of(1, &mut feed).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_outlet_that_is_full_already_gets_nothing() {
    let hub = TestHub::start();
    let mut feed = feed(&hub);
    feed.join(&channel("a:1"), Start::Live).await.unwrap();
    publish(&hub, "a:1", 1).await;
    let mut full = Lines { room: 0, ..Lines::default() };
    let mut cx = Context::from_waker(Waker::noop());
    assert!(feed.poll_deliver(&mut cx, &mut full).is_ready());
    assert!(full.lines.is_empty());
    assert_eq!(received(&mut feed).await, ["a:1 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_membership_reaches_the_others() {
    let hub = TestHub::start();
    let room = channel("room:1");
    let [ada, bob] = connections();
    let mut ada_feed = Feed::new(hub.clone(), Some(ada));
    let mut bob_feed = Feed::new(hub.clone(), Some(bob));
    ada_feed.join(&room, Start::Live).await.unwrap();
    let _ada_is_here = hub.enter(&room, member(ada, "ada")).await.unwrap();
    settle().await;
    bob_feed.join(&room, Start::Live).await.unwrap();
    // Before either feed has read anything.
    let bob_is_here = hub.enter(&room, member(bob, "bob")).await.unwrap();
    assert_eq!(received(&mut ada_feed).await, ["room:1 +bob"], "not itself");
    assert_eq!(received(&mut bob_feed).await, [""; 0], "nor those who were there before");
    drop(bob_is_here);
    assert_eq!(received(&mut ada_feed).await, ["room:1 -bob"]);
}

#[tokio::test(start_paused = true)]
async fn a_join_during_an_outage_is_refused_and_the_next_one_works() {
    let hub = TestHub::start();
    let mut feed = feed(&hub);
    hub.broker.switch_off();
    let refusal = feed.join(&channel("a:1"), Start::Live).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::BrokerUnavailable);
    assert!(!feed.contains(&channel("a:1")));
    hub.broker.switch_on();
    feed.join(&channel("a:1"), Start::Live).await.unwrap();
    publish(&hub, "a:1", 1).await;
    assert_eq!(received(&mut feed).await, ["a:1 1"]);
}

#[tokio::test(start_paused = true)]
async fn who_catches_up_during_an_outage_gets_its_events_after_it() {
    let hub = TestHub::start();
    publish(&hub, "a:1", 3).await;
    let mut feed = feed(&hub);
    feed.join(&channel("a:1"), Start::Earliest).await.unwrap();
    hub.broker.switch_off();
    assert_eq!(received(&mut feed).await, [""; 0]);
    hub.broker.switch_on();
    assert_eq!(received(&mut feed).await, numbered("a:1", 1..=3));
}

#[tokio::test(start_paused = true)]
async fn a_join_that_is_given_up_leaves_nothing_behind() {
    let hub = TestHub::start();
    let name = channel("a:1");
    let mut feed = feed(&hub);
    hub.broker.hold();
    assert!(feed.join(&name, Start::Live).now_or_never().is_none());
    assert!(hub.find_log(&name).is_some());
    hub.broker.switch_on();
    tokio::time::sleep(10 * LONG).await;
    assert!(hub.find_log(&name).is_none() && feed.is_empty());

    // Given up after the broker had confirmed.
    let opened = open(hub.clone(), name.clone(), Start::Live).await.unwrap();
    assert!(hub.broker.is_subscribed(&name));
    drop(opened);
    tokio::time::sleep(10 * LONG).await;
    assert!(hub.find_log(&name).is_none() && !hub.broker.is_subscribed(&name));
}

#[tokio::test(start_paused = true)]
async fn coming_and_going_does_not_make_the_ready_list_grow() {
    let hub = TestHub::start();
    let mut feed = feed(&hub);
    for _ in 0..100 {
        feed.join(&channel("a:1"), Start::Live).await.unwrap();
        feed.leave(&channel("a:1"));
    }
    feed.inbox.collect(Waker::noop(), |slot| panic!("{slot:?} is still listed"));
}

fn tiny_ring() -> Limits {
    Limits { ring_events: 2, ..Limits::default() }
}

fn feed(hub: &TestHub) -> Feed {
    Feed::new((*hub).clone(), None)
}

fn connections() -> [ConnectionId; 2] {
    let random = crate::random::Random::seeded(7);
    [(); 2].map(|()| ConnectionId::new(Timestamp::default(), &random))
}

fn member(connection: ConnectionId, user: &str) -> Member {
    Member { connection, user: UserId::new(user), info: None, joined_at: Timestamp::default() }
}

fn draft(name: &str) -> Draft {
    Draft {
        channel: channel(name),
        event_type: EventType::message(),
        payload: body(0).payload,
        headers: Vec::new(),
        origin: Origin::Backend,
        idempotency_key: None,
        exclude: Vec::new(),
        ttl: None,
    }
}

/// Publishes, and lets the hub take in what it is told.
pub(super) async fn publish(hub: &TestHub, name: &str, events: usize) {
    publish_in_one_go(hub, name, events);
    settle().await;
}

/// Lets the hub take in what it is told.
async fn settle() {
    tokio::task::yield_now().await;
}

/// Publishes before the hub's own tasks can run.
fn publish_in_one_go(hub: &TestHub, name: &str, events: usize) {
    let publishing = unconstrained(async {
        for _ in 0..events {
            hub.publish(draft(name)).await.unwrap();
        }
    });
    publishing.now_or_never().expect("the memory broker answers at once");
}

/// What a feed has to say until it is silent for long.
async fn received(feed: &mut Feed) -> Vec<String> {
    received_in_steps_of(usize::MAX, feed).await
}

/// The same through an outlet that takes so many items at a time.
async fn received_in_steps_of(step: usize, feed: &mut Feed) -> Vec<String> {
    let mut out = Lines::default();
    loop {
        out.room = step;
        if timeout(LONG, poll_fn(|cx| feed.poll_deliver(cx, &mut out))).await.is_err() {
            return out.lines;
        }
    }
}

/// What a feed has to say at once.
fn poll_once(feed: &mut Feed) -> Vec<String> {
    let mut out = Lines { room: usize::MAX, ..Lines::default() };
    let _waits = feed.poll_deliver(&mut Context::from_waker(Waker::noop()), &mut out);
    out.lines
}

fn numbered(name: &str, offsets: std::ops::RangeInclusive<u64>) -> Vec<String> {
    offsets.map(|offset| format!("{name} {offset}")).collect()
}

/// Writes a line for each item.
#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    room: usize,
}

impl Lines {
    fn write(&mut self, line: String) {
        self.lines.push(line);
        self.room -= 1;
    }
}

impl Outlet for Lines {
    fn event(&mut self, event: &Arc<Event>) {
        self.write(format!("{} {}", event.channel, event.position.offset));
    }

    fn gap(&mut self, name: &ChannelName, gap: Gap) {
        let reason: LossReason = gap.reason;
        let (from, to) = (gap.from.offset.next(), gap.to.offset);
        self.write(format!("{name} lost {from}..{to} {}", reason.as_str()));
    }

    fn presence(&mut self, change: &Arc<PresenceChange>) {
        let sign = if change.joined { '+' } else { '-' };
        let user = change.member.user.as_ref().map_or("", UserId::as_str);
        self.write(format!("{} {sign}{user}", change.channel));
    }

    fn is_full(&self) -> bool {
        self.room == 0
    }
}
