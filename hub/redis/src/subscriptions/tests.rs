//! The table, with Redis played by the test.

use super::*;
use fanline_core::testing::channel;

fn live(name: &str) -> Live {
    name.as_bytes().into()
}

struct Fixture {
    table: Subscriptions,
    suspects: Suspects,
    connection: u64,
}

fn fixture() -> Fixture {
    let suspects = Suspects::default();
    let table = Subscriptions::new(suspects.clone());
    let connection = table.start_over();
    Fixture { table, suspects, connection }
}

impl Fixture {
    fn want(&self, name: &str) -> oneshot::Receiver<()> {
        self.table.want(live(name), &channel(name))
    }

    /// What would be sent, after which Redis confirms all of it.
    fn exchange(&self) -> (usize, usize) {
        let batch = self.table.batch();
        batch.enter.iter().for_each(|live| self.table.entered(self.connection, live));
        batch.leave.iter().for_each(|live| assert!(!self.table.left(self.connection, live)));
        self.table.settle(&batch);
        (batch.enter.len(), batch.leave.len())
    }

    fn suspected(&self) -> usize {
        self.suspects.take().len()
    }
}

#[test]
fn a_wish_is_answered_when_redis_has_confirmed_and_not_before() {
    let it = fixture();
    let mut first = it.want("a:b");
    assert!(first.try_recv().is_err());
    assert_eq!(it.exchange(), (1, 0));
    assert_eq!(first.try_recv(), Ok(()));
    assert_eq!(it.want("a:b").try_recv(), Ok(()), "it is heard already");
    assert_eq!((it.exchange(), it.suspected()), ((0, 0), 0));
}

#[test]
fn those_who_gave_up_waiting_are_not_kept() {
    let it = fixture();
    for _ in 0..100 {
        drop(it.want("a:b"));
    }
    let _answer = it.want("a:b");
    assert_eq!(it.table.lock().entries[b"a:b".as_slice()].waiters.len(), 1);
}

#[test]
fn the_last_wish_wins_whatever_is_under_way() {
    let it = fixture();
    let _answer = it.want("a:b");
    it.exchange();
    it.table.forget(live("a:b"));
    let leaving = it.table.batch();
    assert_eq!(leaving.leave.len(), 1);
    let mut again = it.want("a:b");
    assert!(again.try_recv().is_err(), "redis has not yet answered the leaving");
    assert!(!it.table.left(it.connection, b"a:b"));
    it.table.settle(&leaving);
    assert_eq!(it.exchange(), (1, 0));
    assert_eq!((again.try_recv(), it.suspected()), (Ok(()), 1));
}

#[test]
fn a_new_connection_asks_anew_and_suspects_what_was_heard() {
    let mut it = fixture();
    let _answers = [it.want("a:b"), it.want("a:c"), it.want("a:d")];
    it.exchange();
    it.table.forget(live("a:d"));
    let former = std::mem::replace(&mut it.connection, it.table.start_over());
    let batch = it.table.batch();
    assert_eq!((batch.enter.len(), batch.leave.len()), (2, 0));
    it.table.entered(former, b"a:b");
    assert_eq!(it.suspected(), 0, "the former connection has no say");
    it.table.settle(&batch);
    assert_eq!((it.exchange(), it.suspected()), ((2, 0), 2));
}

#[test]
fn what_redis_does_not_confirm_is_tried_again_and_what_it_gives_up_moves() {
    let it = fixture();
    let mut answer = it.want("a:b");
    it.table.settle(&it.table.batch());
    assert_eq!(it.exchange(), (1, 0), "not confirmed the first time");
    assert_eq!(answer.try_recv(), Ok(()));
    assert!(it.table.left(it.connection, b"a:b"), "nobody asked for it");
    let moved = it.table.take_out(|_| true);
    assert_eq!((moved.len(), it.table.heard().len()), (1, 0));
    let other = fixture();
    moved.into_iter().for_each(|moved| other.table.take_in(moved));
    assert_eq!((other.exchange(), other.suspected()), ((1, 0), 1));
    assert_eq!(other.table.take_out(|_| false).len(), 1);
}

#[test]
fn a_channel_that_went_on_unheard_is_suspected_once() {
    let it = fixture();
    let _answer = it.want("a:b");
    it.exchange();
    let at = |text: &str| text.parse::<Position>().unwrap();
    assert!(!it.table.compare(b"a:b", at("e-0")));
    assert!(it.table.compare(b"a:b", at("e-3")), "three went by since it is heard");
    assert!(!it.table.compare(b"a:b", at("e-3")));
    it.table.notice(b"a:b", Some(at("e-5")));
    assert!(!it.table.compare(b"a:b", at("e-4")), "noticed while the question was under way");
    assert!(it.table.compare(b"a:b", at("f-1")), "another epoch");
    assert_eq!(it.suspected(), 1);
}
