//! What is promised about notes and revocations.

use super::{Subject, until};
use crate::broker::{BrokerError, Notes, Notice, Revocation, RevocationPage, Subject as Whom};
use crate::clock::Timestamp;
use crate::ids::UserId;
use crate::limits::{NOTE_BYTES, NOTE_KEY_BYTES, REVOCATIONS_PAGE};
use bytes::Bytes;
use futures_util::future::join_all;
use std::time::Duration;

const LIFE: Duration = Duration::from_secs(3);

impl Subject {
    fn notes(&self) -> &dyn Notes {
        self.broker.notes()
    }

    fn until(&self, life: Duration) -> Timestamp {
        Timestamp::from_millis(self.clock.wall().millis() + life.as_millis() as u64)
    }

    fn revocation(&self, user: &str, life: Duration) -> Revocation {
        let user = UserId::new(user).expect("a name");
        Revocation { subject: Whom::User(user), issued_before: None, until: self.until(life) }
    }

    async fn revoke(&self, revocation: &Revocation) {
        self.notes().revoke(revocation.clone()).await.expect("revoked");
    }

    /// Whether a revocation is noticed soon.
    async fn notices_a_revocation(&mut self) -> bool {
        let noticed = async { while !matches!(self.any_notice().await, Notice::Revocations) {} };
        tokio::time::timeout(Duration::from_millis(500), noticed).await.is_ok()
    }

    async fn revocations(&self) -> RevocationPage {
        self.notes().revocations(None).await.expect("a page")
    }
}

pub(super) async fn a_note_is_taken_once_and_not_after_its_time(subject: Subject) {
    let notes = subject.notes();
    let value = Bytes::from_static(b"one\n\x00\xff");
    notes.keep("a}b c", value.clone(), LIFE * 10).await.expect("kept");
    assert_eq!(notes.take("a}b").await, Ok(None));
    assert_eq!(notes.take("a}b c").await, Ok(Some(value)));
    assert_eq!(notes.take("a}b c").await, Ok(None));

    notes.keep("k", "old".into(), LIFE * 10).await.expect("kept");
    notes.keep("k", "new".into(), LIFE).await.expect("replaced");
    notes.keep("l", "late".into(), LIFE).await.expect("kept");
    assert_eq!(notes.take("k").await, Ok(Some("new".into())));
    (subject.pass)(LIFE * 2).await;
    assert_eq!(notes.take("l").await, Ok(None));

    let large = Bytes::from(vec![7; NOTE_BYTES]);
    let long = "k".repeat(NOTE_KEY_BYTES);
    notes.keep(&long, large.clone(), LIFE * 10).await.expect("as large as may be");
    assert_eq!(notes.take(&long).await, Ok(Some(large)));
    let too_large = notes.keep("k", vec![7; NOTE_BYTES + 1].into(), LIFE).await;
    let too_long = notes.keep(&"k".repeat(NOTE_KEY_BYTES + 1), Bytes::new(), LIFE).await;
    for refused in [too_large, too_long] {
        assert!(matches!(refused, Err(BrokerError::Full(_))), "{refused:?}");
    }
}

pub(super) async fn of_many_who_take_a_note_one_gets_it(subject: Subject) {
    let notes = subject.notes();
    notes.keep("k", "once".into(), LIFE * 10).await.expect("kept");
    let taken = join_all((0..20).map(|_| notes.take("k"))).await;
    assert_eq!(taken.iter().filter(|taken| matches!(taken, Ok(Some(_)))).count(), 1);
}

pub(super) async fn revocations_are_listed_once_in_order_until_their_time_is_over(
    subject: Subject,
) {
    assert_eq!(subject.revocations().await, RevocationPage::default());
    let ada = subject.revocation("ada", LIFE);
    let token =
        Revocation { subject: Whom::Token("t 1".into()), ..subject.revocation("x", LIFE * 100) };
    let before = Revocation {
        issued_before: Some(Timestamp::from_millis(7)),
        ..subject.revocation("ada", LIFE * 100)
    };
    subject.revoke(&ada).await;
    let first = subject.revocations().await;
    assert_eq!(first.revocations, std::slice::from_ref(&ada));
    subject.revoke(&token).await;
    subject.revoke(&before).await;
    let rest = subject.notes().revocations(first.mark).await.expect("a page");
    assert_eq!(rest.revocations, [token.clone(), before.clone()]);
    assert!(!rest.anew && !rest.more);
    let nothing = subject.notes().revocations(rest.mark).await.expect("a page");
    assert_eq!((nothing.revocations, nothing.mark), (Vec::new(), rest.mark));

    (subject.pass)(LIFE * 2).await;
    assert_eq!(subject.revocations().await.revocations, [token, before]);
}

pub(super) async fn a_revocation_that_lasts_longer_takes_the_place_of_the_former(subject: Subject) {
    let [short, long] = [LIFE, LIFE * 100].map(|life| subject.revocation("ada", life));
    let bob = subject.revocation("bob", LIFE * 100);
    subject.revoke(&short).await;
    subject.revoke(&bob).await;
    let mark = subject.revocations().await.mark;
    subject.revoke(&long).await;
    subject.revoke(&short).await;
    let news = subject.notes().revocations(mark).await.expect("a page");
    assert_eq!(news.revocations, std::slice::from_ref(&long), "also to those who knew the former");
    assert_eq!(subject.revocations().await.revocations, [bob, long]);
}

pub(super) async fn revocations_come_in_pages(subject: Subject) {
    let all: Vec<_> = (0..REVOCATIONS_PAGE + 3)
        .map(|number| subject.revocation(&format!("u{number}"), LIFE * 100))
        .collect();
    for revocation in &all {
        subject.revoke(revocation).await;
    }
    let first = subject.revocations().await;
    assert!(first.more);
    let rest = subject.notes().revocations(first.mark).await.expect("a page");
    assert!(!rest.more);
    assert_eq!([first.revocations, rest.revocations].concat(), all);
}

pub(super) async fn a_note_of_one_node_is_taken_on_another(one: Subject, two: Subject) {
    one.notes().keep("k", "once".into(), LIFE * 10).await.expect("kept");
    let (here, there) = futures_util::join!(one.notes().take("k"), two.notes().take("k"));
    let taken: Vec<_> =
        [here, there].into_iter().filter_map(|taken| taken.expect("an answer")).collect();
    assert_eq!(taken, ["once"]);
}

pub(super) async fn a_revocation_is_noticed(mut subject: Subject) {
    let mut number = 0;
    // A node that has just started may not hear yet.
    until("it is noticed", async || {
        number += 1;
        subject.revoke(&subject.revocation(&format!("u{number}"), LIFE * 100)).await;
        subject.notices_a_revocation().await
    })
    .await;
    assert_eq!(subject.revocations().await.revocations.len(), number);
}

pub(super) async fn a_revocation_on_one_node_is_noticed_on_another(one: Subject, mut two: Subject) {
    let mut number = 0;
    until("it is noticed", async || {
        number += 1;
        one.revoke(&one.revocation(&format!("u{number}"), LIFE * 100)).await;
        two.notices_a_revocation().await
    })
    .await;
    assert_eq!(two.revocations().await.revocations.len(), number);
}
