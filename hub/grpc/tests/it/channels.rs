//! Asking about channels.

use crate::harness::{FULL_KEY, Front, key, why};
use fanline_core::broker::Member;
use fanline_core::ids::{ConnectionId, UserId};
use fanline_core::presence::Membership;
use fanline_grpc::keys::Scope;
use fanline_proto::v1::history_request::Start;
use fanline_proto::v1::{
    ChannelStatsRequest, HistoryRequest, HistoryResponse, ListChannelsRequest, PresenceRequest,
};

/// Puts a connection into a channel.
async fn enter(front: &Front, channel: &str, user: &str) -> Membership {
    let now = front.hub.clock().wall();
    let member = Member {
        connection: ConnectionId::new(now, front.hub.random()),
        user: UserId::new(user),
        info: Some("{\"name\":\"Ada\"}".into()),
        joined_at: now,
    };
    front.hub.enter(&channel.parse().unwrap(), member).await.unwrap()
}

async fn history(
    front: &Front,
    start: Option<Start>,
    limit: u32,
    reverse: bool,
) -> HistoryResponse {
    let request = HistoryRequest { channel: "a:b".into(), start, limit, reverse };
    front.channels(FULL_KEY).history(request).await.unwrap().into_inner()
}

fn offsets(page: &HistoryResponse) -> Vec<u64> {
    page.events.iter().map(|event| event.position.as_ref().unwrap().offset).collect()
}

#[tokio::test]
async fn history_is_read_by_pages_either_way() {
    let front = Front::start().await;
    for number in 1..=7 {
        front.publish("a:b", number).await;
    }
    for (reverse, pages) in [
        (false, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]),
        (true, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]),
    ] {
        let mut start = None;
        for (number, expected) in pages.iter().enumerate() {
            let page = history(&front, start, 3, reverse).await;
            assert_eq!(&offsets(&page), expected);
            assert_eq!(page.more, number < 2);
            assert_eq!(page.position.as_ref().unwrap().offset, 7);
            assert_eq!(page.recovered, (number > 0).then_some(true));
            start = page.next.map(Start::After);
        }
    }
}

#[tokio::test]
async fn the_newest_so_many_are_as_many_either_way() {
    let front = Front::start().await;
    for number in 1..=5 {
        front.publish("a:b", number).await;
    }
    let table = [
        (Some(Start::Last(2)), 0, false, vec![4, 5]),
        (Some(Start::Last(2)), 0, true, vec![5, 4]),
        (Some(Start::Last(2)), 1, true, vec![5]),
        (Some(Start::Last(4)), 3, true, vec![5, 4, 3]),
        (Some(Start::Last(0)), 0, false, vec![]),
        (Some(Start::Last(0)), 0, true, vec![]),
        (Some(Start::Earliest(true)), 2, false, vec![1, 2]),
        (None, 0, false, vec![1, 2, 3, 4, 5]),
    ];
    for (start, limit, reverse, expected) in table {
        let page = history(&front, start.clone(), limit, reverse).await;
        assert_eq!(offsets(&page), expected, "{start:?}, {limit}, {reverse}");
        assert_eq!(page.recovered, None);
    }
}

#[tokio::test]
async fn presence_and_stats_tell_who_is_there() {
    let front = Front::start().await;
    front.publish("room:a", 1).await;
    let _members = (
        enter(&front, "room:a", "ada").await,
        enter(&front, "room:a", "ada").await,
        enter(&front, "room:a", "").await,
    );
    let mut channels = front.channels(FULL_KEY);
    let presence = channels.presence(PresenceRequest { channel: "room:a".into() }).await.unwrap();
    let members = presence.into_inner().members;
    let users: Vec<_> = members.iter().map(|member| member.user.as_str()).collect();
    assert_eq!(users, ["ada", "ada", ""]);
    assert_eq!(&members[0].info[..], b"{\"name\":\"Ada\"}");
    assert_eq!(members[0].joined_at.unwrap().seconds, 1_767_225_600);
    assert_ne!(members[0].connection, members[1].connection);

    let stats = channels.stats(ChannelStatsRequest { channel: "room:a".into() }).await.unwrap();
    let stats = stats.into_inner();
    assert_eq!((stats.members, stats.users), (3, 1));
    assert_eq!(stats.position.unwrap().offset, 1);
}

#[tokio::test]
async fn channels_are_listed_by_pages_and_only_where_the_key_reaches() {
    let front = Front::with_keys(vec![key("narrow", &[Scope::Presence], &["a:*", "room:1"])]).await;
    for number in (0..5).rev() {
        front.publish(&format!("a:{number}"), 1).await;
    }
    let _members = (
        enter(&front, "room:0", "ada").await,
        enter(&front, "room:1", "ada").await,
        enter(&front, "room:2", "ada").await,
    );
    let list = async |key: &str, pattern: &str, page_size| {
        let (mut pages, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListChannelsRequest { pattern: pattern.into(), page_size, page_token };
            let page = front.channels(key).list(request).await.unwrap().into_inner();
            let names: Vec<_> = page.channels.into_iter().map(|info| info.channel).collect();
            pages.push(names.join(" "));
            page_token = page.next_page_token;
            assert!(pages.concat().ends_with(&page_token), "no other name is told: {page_token}");
            if page_token.is_empty() {
                return pages;
            }
        }
    };
    assert_eq!(list(FULL_KEY, "", 0).await, ["a:0 a:1 a:2 a:3 a:4 room:0 room:1 room:2"]);
    assert_eq!(list(FULL_KEY, "a:*", 2).await, ["a:0 a:1", "a:2 a:3", "a:4"]);
    assert_eq!(list(FULL_KEY, "a:*", 5).await, ["a:0 a:1 a:2 a:3 a:4"]);
    assert_eq!(list("narrow", "room:*", 0).await, ["room:1"]);
    assert_eq!(list("narrow", "", 3).await, ["a:0 a:1 a:2", "a:3 a:4 room:1"]);
    assert_eq!(list("narrow", "", 5).await, ["a:0 a:1 a:2 a:3 a:4", "room:1"]);

    let request =
        ListChannelsRequest { pattern: "room:1".into(), ..ListChannelsRequest::default() };
    let info =
        front.channels("narrow").list(request).await.unwrap().into_inner().channels.remove(0);
    assert_eq!((info.members, info.users), (1, 1));

    let wrong = [
        ListChannelsRequest { page_token: "a b".into(), ..ListChannelsRequest::default() },
        ListChannelsRequest { pattern: "a".repeat(256), ..ListChannelsRequest::default() },
    ];
    for request in wrong {
        let status = front.channels("narrow").list(request).await.unwrap_err();
        assert_eq!(why(&status), "InvalidArgument INVALID_ARGUMENT");
    }
}
