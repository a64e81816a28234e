//! `Channels`: what channels hold and who is in them.

use std::collections::BTreeSet;

use fanline_proto::v1::history_request::Start;
use fanline_proto::v1::{
    ChannelStatsRequest, HistoryRequest, HistoryResponse, ListChannelsRequest, PresenceRequest,
};
use fanline_tests::{Hub, Position, Room, Rpc, Token, reason, violated_fields};
use serde_json::json;
use tonic::Code;

#[tokio::test]
async fn history_is_paged_forwards() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let top = rpc.publish_numbers("news:log", 1..=10).await;
    let mut pages = Vec::new();
    let mut start = None;
    loop {
        let page = history(&rpc, HistoryRequest { limit: 4, start, ..of("news:log") }).await;
        assert_eq!(page.position.clone().map(Position::from), Some(top.clone()));
        pages.push(numbers(&page));
        start = page.next.map(Start::After);
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9, 10]]);
}

#[tokio::test]
async fn history_is_paged_backwards() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    rpc.publish_numbers("news:log", 1..=10).await;
    let mut pages = Vec::new();
    let mut start = None;
    loop {
        let page =
            history(&rpc, HistoryRequest { limit: 4, reverse: true, start, ..of("news:log") })
                .await;
        pages.push(numbers(&page));
        start = page.next.map(Start::After);
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, [vec![10, 9, 8, 7], vec![6, 5, 4, 3], vec![2, 1]]);
}

#[tokio::test]
async fn history_starts_where_it_is_asked_to() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let top = rpc.publish_numbers("brief:log", 1..=15).await;
    let all: Vec<u64> = (6..=15).collect();
    for (start, expected, recovered, reason) in [
        (None, all.clone(), None, ""),
        (Some(Start::Earliest(true)), all.clone(), None, ""),
        (Some(Start::Last(3)), vec![13, 14, 15], None, ""),
        (Some(Start::After(top.at(13).into())), vec![14, 15], Some(true), ""),
        (Some(Start::After(top.clone().into())), vec![], Some(true), ""),
        (Some(Start::After(top.at(2).into())), all, Some(false), "trimmed"),
        (Some(Start::After(top.plus(1).into())), vec![], Some(false), "future"),
    ] {
        let page = history(&rpc, HistoryRequest { start: start.clone(), ..of("brief:log") }).await;
        assert_eq!(numbers(&page), expected, "{start:?}");
        assert_eq!(page.recovered, recovered, "{start:?}");
        assert_eq!(page.reason, reason, "{start:?}");
        assert!(!page.more, "{start:?}");
    }
}

#[tokio::test]
async fn a_page_of_history_is_never_longer_than_the_limit_of_the_hub() {
    let hub = Hub::builder().set("limits.history_page", 7).start().await;
    let rpc = hub.rpc().await;
    rpc.publish_numbers("news:log", 1..=10).await;
    for limit in [0, 8, 1_000_000] {
        let page = history(&rpc, HistoryRequest { limit, ..of("news:log") }).await;
        assert_eq!(page.events.len(), 7, "{limit}");
        assert!(page.more, "{limit}");
    }
}

#[tokio::test]
async fn listing_pages_through_every_channel_with_members_once() {
    let hub = Hub::builder().set("namespaces.chat.lifecycle", true).start().await;
    let rpc = hub.rpc().await;
    let mut ada = hub.room(&token("ada")).await;
    let mut bob = hub.room(&token("bob")).await;
    for name in ["a", "b", "c", "d", "e"] {
        ada.join(&format!("chat:{name}")).await;
    }
    ada.join("news:a").await;
    bob.join("chat:c").await;

    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let list = ListChannelsRequest { pattern: "chat:*".to_owned(), page_size: 2, page_token };
        let page = rpc.channels().list(list).await.expect("a list").into_inner();
        assert!(page.channels.len() <= 2);
        for channel in page.channels {
            let crowd = if channel.channel == "chat:c" { 2 } else { 1 };
            assert_eq!((channel.members, channel.users), (crowd, crowd), "{}", channel.channel);
            names.push(channel.channel);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["chat:a", "chat:b", "chat:c", "chat:d", "chat:e"]);

    let every = ListChannelsRequest::default();
    let page = rpc.channels().list(every.clone()).await.expect("a list").into_inner();
    assert_eq!(page.channels.len(), 7, "with that of the lifecycle");
    let first = ListChannelsRequest { page_size: 1, ..every };
    let page = rpc.channels().list(first).await.expect("a list").into_inner();
    assert_eq!(page.channels.len(), 1, "what the hub keeps for itself is on no page");
    assert_eq!(page.channels[0].channel, page.next_page_token);
}

#[tokio::test]
async fn a_page_token_that_the_hub_did_not_give_is_refused() {
    let hub = Hub::start().await;
    let list =
        ListChannelsRequest { page_token: "made up".to_owned(), ..ListChannelsRequest::default() };
    let status = hub.rpc().await.channels().list(list).await.expect_err("refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "INVALID_ARGUMENT")
    );
    assert_eq!(violated_fields(&status), ["page_token"]);
}

#[tokio::test]
async fn stats_count_members_and_users_and_tell_the_top() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let mut rooms: Vec<Room> = Vec::new();
    for token in
        [token("ada"), token("ada"), token("bob"), Token::anonymous().everything_in(&["chat:*"])]
    {
        let mut room = hub.room(&token).await;
        room.join("chat:lobby").await;
        rooms.push(room);
    }
    let top = rpc.publish_numbers("chat:lobby", 1..=3).await;
    let request = ChannelStatsRequest { channel: "chat:lobby".to_owned() };
    let stats = rpc.channels().stats(request).await.expect("stats").into_inner();
    assert_eq!((stats.members, stats.users), (4, 2));
    assert_eq!(stats.position.map(Position::from), Some(top));
}

#[tokio::test]
async fn presence_lists_connections_with_their_users() {
    let hub = Hub::start().await;
    let mut ada = hub.room(&token("ada").claim("info", json!({"name": "Ada"}))).await;
    let mut bob = hub.room(&token("bob")).await;
    ada.join("chat:lobby").await;
    bob.join("chat:lobby").await;
    let request = PresenceRequest { channel: "chat:lobby".to_owned() };
    let members =
        hub.rpc().await.channels().presence(request).await.expect("presence").into_inner().members;
    let listed: BTreeSet<_> =
        members.iter().map(|member| (member.connection.clone(), member.user.clone())).collect();
    let expected = [(ada.connection(), "ada".to_owned()), (bob.connection(), "bob".to_owned())];
    assert_eq!(listed, expected.into());
    for member in members {
        assert!(member.joined_at.is_some());
        let info = if member.user == "ada" { r#"{"name":"Ada"}"# } else { "" };
        assert_eq!(member.info, info, "{}", member.user);
    }
}

async fn history(rpc: &Rpc, request: HistoryRequest) -> HistoryResponse {
    rpc.channels().history(request).await.expect("history").into_inner()
}

fn of(channel: &str) -> HistoryRequest {
    HistoryRequest { channel: channel.to_owned(), ..HistoryRequest::default() }
}

fn numbers(page: &HistoryResponse) -> Vec<u64> {
    let number =
        |event: &fanline_proto::v1::Event| serde_json::from_slice(&event.data).expect("a number");
    page.events.iter().map(number).collect()
}

fn token(user: &str) -> Token {
    Token::user(user).everything_in(&["chat:*", "news:*"])
}
