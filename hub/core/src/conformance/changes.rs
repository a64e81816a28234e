//! What a broker promises about the changes of members that wait to be told.

use super::Subject;
use crate::broker::{Change, ChangeKind, ChangesPage, ChannelsQuery, Member};
use crate::clock::Timestamp;
use crate::ids::{ConnectionId, UserId};
use crate::limits::CHANGES_PAGE;
use crate::pattern::Pattern;
use crate::random::Random;
use crate::testing::channel;
use std::sync::Arc;

pub(super) async fn changes_of_tracked_channels_are_kept_until_they_are_forgotten(
    subject: Subject,
) {
    let (random, broker) = (Random::seeded(4), Arc::clone(&subject.broker));
    let member = |user: &str| Member {
        connection: ConnectionId::new(Timestamp::from_millis(1), &random),
        user: UserId::new(user),
        info: None,
        joined_at: Timestamp::from_millis(1),
    };
    let (plain, tracked) = (channel("room:plain"), channel("room:tracked"));
    let [ada, bob] = ["ada", "bob"].map(member);
    broker.enter(&plain, ada.clone(), false).await.expect("entered");
    assert_eq!(broker.changes().untold(&plain).await.expect("listed"), ChangesPage::default());
    broker.enter(&tracked, ada.clone(), true).await.expect("entered");
    broker.enter(&tracked, bob.clone(), true).await.expect("entered");
    broker.enter(&tracked, bob.clone(), true).await.expect("it is there already");
    broker.leave(&tracked, ada.connection).await.expect("left");
    broker.leave(&tracked, ada.connection).await.expect("it is gone already");
    let brief = async || {
        let ChangesPage { changes, last, more } =
            broker.changes().untold(&tracked).await.expect("listed");
        assert_eq!((last.as_ref(), more), (changes.last().map(|change| &change.id), false));
        let brief =
            |change: Change| ((change.id, change.kind), (change.member.connection, change.members));
        changes.into_iter().map(brief).unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let (ids, whose) = brief().await;
    assert_eq!(whose, [(ada.connection, 1), (bob.connection, 2), (ada.connection, 1)]);
    let kinds = [ChangeKind::Joined, ChangeKind::Joined, ChangeKind::Left];
    assert!(ids.iter().map(|(_, kind)| *kind).eq(kinds), "{ids:?}");
    broker.changes().forget(&tracked, &ids[1].0).await.expect("forgotten");
    let rest = brief().await;
    assert_eq!(rest.0, ids[2..]);
    broker.changes().forget(&tracked, &rest.0[0].0).await.expect("forgotten");
    broker.leave(&tracked, bob.connection).await.expect("left");
    let (last, whose) = brief().await;
    assert_eq!(whose, [(bob.connection, 0)]);
    assert!(ids.iter().all(|(id, _)| *id != last[0].0), "no id is given twice");
    for _ in 0..CHANGES_PAGE.div_ceil(2) {
        broker.enter(&tracked, bob.clone(), true).await.expect("entered");
        broker.leave(&tracked, bob.connection).await.expect("left");
    }
    let page = broker.changes().untold(&tracked).await.expect("listed");
    assert!(page.changes.len() == CHANGES_PAGE && page.more, "{}", page.changes.len());
    broker.changes().forget(&tracked, &page.last.expect("the last")).await.expect("forgotten");
    assert_eq!(brief().await.1, [(bob.connection, 0)]);
    let query = ChannelsQuery { pattern: Pattern::any(), after: None, limit: 10 };
    assert_eq!(broker.changes().tracked(query).await.expect("listed"), [tracked]);
}
