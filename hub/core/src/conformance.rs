//! What every broker promises, as a suite that runs on any of them.
//!
//! A broker's own tests call [`run`] with a way to make a fresh [`Subject`], and, if several nodes can share it,
//! [`run_on_two`]. Each promise is a function, named as the sentence it checks.
//! The suite of event validators stands in [`validator`].

mod changes;
mod nodes;
mod notes;
pub mod validator;

use crate::broker::{
    Broker, ChannelsQuery, HistoryQuery, HistoryRange, Member, Notice, NoticeReceiver,
    PresenceChange, Publication, Published,
};
use crate::channel::ChannelName;
use crate::clock::{Clock, Timestamp};
use crate::event::Event;
use crate::ids::{ConnectionId, EventId, UserId};
use crate::namespace::Retention;
use crate::pattern::Pattern;
use crate::random::Random;
use crate::testing::{KEEPS_10, body, channel};
use crate::{Offset, Position};
use futures_util::future::{join_all, maybe_done};
use futures_util::poll;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a notice.
const DEADLINE: Duration = Duration::from_secs(20);

/// A broker under test.
pub struct Subject {
    /// The broker, with no channel in it.
    pub broker: Arc<dyn Broker>,
    /// What it notices.
    pub notices: NoticeReceiver,
    /// Its wall clock.
    pub clock: Arc<dyn Clock>,
    /// Lets time pass for the broker.
    pub pass: PassTime,
}

/// Lets time pass: moves a clock, or really waits.
pub type PassTime = Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Runs the whole suite, each promise on a fresh broker.
pub async fn run<F, S>(start: F)
where
    F: Fn() -> S,
    S: Future<Output = Subject>,
{
    offsets_count_from_one_in_one_epoch_per_channel(start().await).await;
    concurrent_publishers_share_offsets_without_holes_or_twins(start().await).await;
    publishes_take_their_places_in_the_order_of_their_first_poll(start().await).await;
    the_same_key_gets_the_first_answer_within_its_window(start().await).await;
    racing_publishes_with_one_key_publish_once(start().await).await;
    history_keeps_the_newest_up_to_its_size(start().await).await;
    history_lets_go_of_what_is_too_old(start().await).await;
    an_event_with_its_own_time_to_live_leaves_sooner(start().await).await;
    a_channel_without_history_still_counts(start().await).await;
    pages_go_both_ways_and_say_if_there_is_more(start().await).await;
    a_page_is_bounded_in_bytes_but_never_empty(start().await).await;
    an_empty_channel_has_a_position_that_stays(start().await).await;
    an_event_survives_the_broker_whole(start().await).await;
    subscribed_channels_are_noticed_in_order_and_others_not(start().await).await;
    members_are_listed_in_the_order_of_joining_and_their_changes_noticed(start().await).await;
    live_channels_are_listed_by_name_in_pages(start().await).await;
    changes::changes_of_tracked_channels_are_kept_until_they_are_forgotten(start().await).await;
    nodes::a_node_is_listed_with_what_it_last_announced(start().await).await;
    nodes::a_message_reaches_the_node_that_it_is_for(start().await).await;
    nodes::a_user_is_found_on_the_nodes_where_it_is_attached(start().await).await;
    notes::a_note_is_taken_once_and_not_after_its_time(start().await).await;
    notes::of_many_who_take_a_note_one_gets_it(start().await).await;
    notes::revocations_are_listed_once_in_order_until_their_time_is_over(start().await).await;
    notes::a_revocation_is_noticed(start().await).await;
    notes::a_revocation_that_lasts_longer_takes_the_place_of_the_former(start().await).await;
    notes::revocations_come_in_pages(start().await).await;
}

/// Runs what is promised when two nodes share a broker, each promise on a fresh pair.
pub async fn run_on_two<F, S>(start: F)
where
    F: Fn() -> S,
    S: Future<Output = (Subject, Subject)>,
{
    let pair = start().await;
    nodes::two_nodes_know_and_reach_each_other(pair.0, pair.1).await;
    let pair = start().await;
    notes::a_note_of_one_node_is_taken_on_another(pair.0, pair.1).await;
    let pair = start().await;
    notes::a_revocation_on_one_node_is_noticed_on_another(pair.0, pair.1).await;
}

async fn offsets_count_from_one_in_one_epoch_per_channel(subject: Subject) {
    let first = subject.publish("a:1").await;
    assert_eq!(first.position.offset, Offset::new(1));
    assert_eq!(subject.publish("a:1").await.position, first.position.at(Offset::new(2)));
    let other = subject.publish("a:2").await;
    assert_eq!(other.position.offset, Offset::new(1));
    assert_ne!(other.position.epoch, first.position.epoch);
}

async fn concurrent_publishers_share_offsets_without_holes_or_twins(subject: Subject) {
    let published = join_all((0..100).map(|_| subject.publish("a:1"))).await;
    let mut offsets: Vec<_> =
        published.iter().map(|published| published.position.offset.get()).collect();
    offsets.sort_unstable();
    assert_eq!(offsets, (1..=100).collect::<Vec<_>>());
}

async fn publishes_take_their_places_in_the_order_of_their_first_poll(subject: Subject) {
    // More than most queues and batches hold.
    const EACH: usize = 1000;
    let names = ["a:1", "a:2"];
    let mut under_way: Vec<_> = (0..EACH)
        .flat_map(|_| names)
        .map(|name| maybe_done(subject.broker.publish(publication(name))))
        .collect();
    for publish in &mut under_way {
        let _pending_or_done = poll!(publish);
    }
    // Answers may be asked for in any order.
    for publish in under_way.iter_mut().rev() {
        publish.await;
    }
    let mut places = names.map(|_| Vec::new());
    for (turn, publish) in under_way.into_iter().enumerate() {
        let published = Pin::new(&mut { publish }).take_output().expect("it was awaited");
        places[turn % names.len()].push(published.expect("published").position.offset.get());
    }
    for places in places {
        assert_eq!(places, (1..=EACH as u64).collect::<Vec<_>>());
    }
}

async fn the_same_key_gets_the_first_answer_within_its_window(subject: Subject) {
    let window = Duration::from_secs(5);
    let keyed = |name: &str| Publication {
        idempotency_key: Some("k".into()),
        idempotency_window: window,
        ..publication(name)
    };
    let first = subject.put(keyed("a:1")).await;
    subject.publish("a:1").await;
    assert_eq!(subject.put(keyed("a:1")).await, Published { duplicate: true, ..first });
    assert!(!subject.put(keyed("a:2")).await.duplicate, "a key counts in its own channel");
    (subject.pass)(window).await;
    let later = subject.put(keyed("a:1")).await;
    assert_eq!((later.duplicate, later.position.offset), (false, Offset::new(3)));
}

async fn racing_publishes_with_one_key_publish_once(subject: Subject) {
    let keyed = || Publication { idempotency_key: Some("k".into()), ..publication("a:1") };
    let published = join_all((0..20).map(|_| subject.put(keyed()))).await;
    assert_eq!(published.iter().filter(|published| !published.duplicate).count(), 1);
    assert!(
        published.iter().all(|published| published.position == published_first(published.position))
    );
    assert_eq!(subject.offsets("a:1").await, [1]);
}

async fn history_keeps_the_newest_up_to_its_size(subject: Subject) {
    subject.publish_many("a:1", 25).await;
    let page = subject.page("a:1", HistoryRange::After(Offset::ZERO), 100).await;
    assert_eq!(numbers(&page.events), (16..=25).collect::<Vec<_>>());
    assert_eq!((page.state.oldest, page.state.top.offset), (Offset::new(16), Offset::new(25)));
}

async fn history_lets_go_of_what_is_too_old(subject: Subject) {
    let short = Retention { ttl: Duration::from_secs(3), ..KEEPS_10 };
    let published = subject.put(Publication { retention: short, ..publication("a:1") }).await;
    (subject.pass)(short.ttl).await;
    let page = subject.page("a:1", HistoryRange::After(Offset::ZERO), 100).await;
    assert_eq!((page.events.len(), page.state.top), (0, published.position));
    assert_eq!(page.state.oldest, published.position.offset.next());
    assert_eq!(
        subject.publish("a:1").await.position,
        published.position.at(Offset::new(2)),
        "the counter goes on"
    );
}

async fn an_event_with_its_own_time_to_live_leaves_sooner(subject: Subject) {
    let ttl = Duration::from_secs(3);
    subject.publish("a:1").await;
    subject.put(Publication { ttl: Some(ttl), ..publication("a:1") }).await;
    subject.publish("a:1").await;
    (subject.pass)(ttl).await;
    assert_eq!(subject.offsets("a:1").await, [1, 3]);
}

async fn a_channel_without_history_still_counts(subject: Subject) {
    let none = Retention { size: 0, ..KEEPS_10 };
    for offset in 1..=2 {
        let published = subject.put(Publication { retention: none, ..publication("a:1") }).await;
        assert_eq!(published.position.offset, Offset::new(offset));
    }
    let page = subject.page("a:1", HistoryRange::After(Offset::ZERO), 100).await;
    assert_eq!((page.events.len(), page.state.top.offset), (0, Offset::new(2)));
    assert_eq!(page.state.oldest, Offset::new(3));
}

async fn pages_go_both_ways_and_say_if_there_is_more(subject: Subject) {
    subject.publish_many("a:1", 10).await;
    let table = [
        (HistoryRange::After(Offset::ZERO), 4, vec![1, 2, 3, 4], true),
        (HistoryRange::After(Offset::new(4)), 6, vec![5, 6, 7, 8, 9, 10], false),
        (HistoryRange::After(Offset::new(10)), 4, vec![], false),
        (HistoryRange::After(Offset::new(99)), 4, vec![], false),
        (HistoryRange::Before(Offset::new(11)), 3, vec![10, 9, 8], true),
        (HistoryRange::Before(Offset::new(3)), 3, vec![2, 1], false),
        (HistoryRange::Before(Offset::new(1)), 3, vec![], false),
        (HistoryRange::After(Offset::ZERO), 0, vec![], true),
    ];
    for (range, limit, expected, more) in table {
        let page = subject.page("a:1", range, limit).await;
        assert_eq!((numbers(&page.events), page.more), (expected, more), "{range:?} {limit}");
    }
}

async fn a_page_is_bounded_in_bytes_but_never_empty(subject: Subject) {
    subject.publish_many("a:1", 4).await;
    let name = channel("a:1");
    let page = subject
        .broker
        .history(&name, HistoryQuery::after(Offset::ZERO, 10, 1))
        .await
        .expect("a page");
    assert_eq!((numbers(&page.events), page.more), (vec![1], true));
}

async fn an_empty_channel_has_a_position_that_stays(subject: Subject) {
    let before = subject.page("a:1", HistoryRange::After(Offset::ZERO), 10).await.state;
    assert_eq!((before.top.offset, before.oldest), (Offset::ZERO, Offset::new(1)));
    let published = subject.publish("a:1").await;
    assert_eq!(
        published.position,
        before.top.at(Offset::new(1)),
        "whoever saw no event resumes too"
    );
}

async fn an_event_survives_the_broker_whole(subject: Subject) {
    let mut sent = publication("a:1");
    let random = Random::seeded(9);
    sent.body.user = UserId::new("ada");
    sent.body.headers = Box::new([("trace".into(), "1\n2".into())]);
    sent.body.exclude = Box::new([ConnectionId::new(Timestamp::default(), &random)]);
    let published = subject.put(sent.clone()).await;
    let page = subject.page("a:1", HistoryRange::After(Offset::ZERO), 10).await;
    let event = &page.events[0];
    assert_eq!(
        (event.id, event.position, event.time),
        (published.id, published.position, sent.time)
    );
    assert_eq!(event.body.exclude, sent.body.exclude);
    let json = |event: &Event| {
        let mut out = Vec::new();
        event.write_json(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    };
    let original = Event::new(sent.channel, published.position, sent.id, sent.time, sent.body);
    assert_eq!(json(event), json(&original));
}

async fn subscribed_channels_are_noticed_in_order_and_others_not(mut subject: Subject) {
    let name = channel("a:1");
    subject.publish("a:1").await;
    subject.broker.subscribe(&name).await.expect("subscribed");
    for _ in 0..5 {
        subject.publish("a:2").await;
        subject.publish("a:1").await;
    }
    let mut noticed = Vec::new();
    while noticed.len() < 5 {
        if let Notice::Event(event) = subject.notice().await {
            assert_eq!(event.channel, name);
            noticed.push(event);
        }
    }
    assert_eq!(numbers(&noticed), [2, 3, 4, 5, 6]);

    subject.broker.unsubscribe(&name);
    subject.broker.subscribe(&name).await.expect("the order of the calls decides");
    subject.publish("a:1").await;
    let Notice::Event(event) = subject.notice().await else { panic!("an event was published") };
    assert_eq!(event.position.offset, Offset::new(7));
}

async fn members_are_listed_in_the_order_of_joining_and_their_changes_noticed(
    mut subject: Subject,
) {
    let name = channel("room:1");
    let (random, broker) = (Random::seeded(3), Arc::clone(&subject.broker));
    let member = |user: &str, millis| Member {
        connection: ConnectionId::new(Timestamp::from_millis(millis), &random),
        user: UserId::new(user),
        info: Some(r#"{"name":"x"}"#.into()),
        joined_at: Timestamp::from_millis(millis),
    };
    let (ada, bob) = (member("ada", 1), member("", 2));
    broker.subscribe(&name).await.expect("subscribed");
    broker.enter(&name, ada.clone(), false).await.expect("entered");
    broker.enter(&name, bob.clone(), false).await.expect("entered");
    assert_eq!(broker.members(&name).await.expect("members"), [ada.clone(), bob.clone()]);
    broker.leave(&name, ada.connection).await.expect("left");
    broker.leave(&name, ada.connection).await.expect("leaving twice is leaving");
    assert_eq!(broker.members(&name).await.expect("members"), std::slice::from_ref(&bob));

    for (member, joined) in [(ada.clone(), true), (bob, true), (ada, false)] {
        let Notice::Presence(change) = subject.notice().await else {
            panic!("a change of membership")
        };
        assert_eq!(*change, PresenceChange { channel: name.clone(), member, joined });
    }
}

async fn live_channels_are_listed_by_name_in_pages(subject: Subject) {
    for name in ["b:2", "a:1", "b:1", "b:3"] {
        subject.publish(name).await;
    }
    // Being asked for does not make a channel live.
    subject.page("b:0", HistoryRange::After(Offset::ZERO), 1).await;
    let list = async |after: Option<&str>, limit| {
        let pattern: Pattern = "b:*".parse().expect("a pattern");
        let query = ChannelsQuery { pattern, after: after.map(channel), limit };
        let names = subject.broker.channels(query).await.expect("names");
        names.iter().map(ChannelName::to_string).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 2).await, ["b:1", "b:2"]);
    assert_eq!(list(Some("b:2"), 2).await, ["b:3"]);
}

impl Subject {
    async fn put(&self, publication: Publication) -> Published {
        self.broker.publish(publication).await.expect("published")
    }

    async fn publish(&self, name: &str) -> Published {
        self.put(publication(name)).await
    }

    async fn publish_many(&self, name: &str, count: usize) {
        for _ in 0..count {
            self.publish(name).await;
        }
    }

    async fn page(
        &self,
        name: &str,
        range: HistoryRange,
        limit: usize,
    ) -> crate::broker::HistoryPage {
        let query = HistoryQuery { range, limit, bytes: usize::MAX };
        self.broker.history(&channel(name), query).await.expect("a page")
    }

    async fn offsets(&self, name: &str) -> Vec<u64> {
        numbers(&self.page(name, HistoryRange::After(Offset::ZERO), 100).await.events)
    }

    /// The next notice about a channel.
    async fn notice(&mut self) -> Notice {
        loop {
            match self.any_notice().await {
                Notice::Control { .. } | Notice::Nodes | Notice::Revocations => {}
                notice @ (Notice::Event(_) | Notice::Presence(_) | Notice::Suspect(_)) => {
                    return notice;
                }
            }
        }
    }

    /// The next notice of any kind.
    async fn any_notice(&mut self) -> Notice {
        let notice = tokio::time::timeout(DEADLINE, self.notices.recv()).await;
        notice.expect("a notice in time").expect("the broker is there")
    }
}

/// Waits until something is so that becomes so without a notice.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "not in time: {what}");
}

fn publication(name: &str) -> Publication {
    let random = Random::from_system().expect("randomness");
    let time = Timestamp::from_millis(1_795_512_600_000);
    Publication {
        channel: channel(name),
        id: EventId::new(time, &random),
        time,
        body: body(7),
        idempotency_key: None,
        idempotency_window: Duration::from_secs(60),
        retention: KEEPS_10,
        ttl: None,
    }
}

fn published_first(position: Position) -> Position {
    position.at(Offset::new(1))
}

fn numbers(events: &[Arc<Event>]) -> Vec<u64> {
    events.iter().map(|event| event.position.offset.get()).collect()
}
