//! `Subscriber`: several channels on one stream, each from its own start.

use fanline_proto::v1::channel_selector::Start;
use fanline_proto::v1::subscribe_response::Item;
use fanline_proto::v1::{ChannelSelector, Event, SubscribeResponse, Subscribed};
use fanline_tests::{DEADLINE, Hub, Position, Publication, Token, reason, within};
use serde_json::json;
use tonic::{Code, Streaming};

#[tokio::test]
async fn without_a_start_only_what_is_new_comes() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let top = rpc.publish_numbers("news:today", 1..=3).await;
    let mut stream = rpc.subscribe("news:today", None).await;
    let subscribed = subscribed(&mut stream).await;
    assert_eq!(Position::from(subscribed.position.expect("a position")), top);
    assert_eq!(subscribed.recovered, None, "nothing was asked for");
    rpc.publish_numbers("news:today", 4..=5).await;
    assert_eq!(numbers(&mut stream, 2).await, [4, 5]);
}

#[tokio::test]
async fn after_a_position_comes_what_followed_it() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let second = rpc.publish_numbers("news:today", 1..=2).await;
    rpc.publish_numbers("news:today", 3..=5).await;
    let mut stream = rpc.subscribe("news:today", Some(Start::After(second.clone().into()))).await;
    let subscribed = subscribed(&mut stream).await;
    assert_eq!(Position::from(subscribed.position.expect("a position")), second);
    assert_eq!(subscribed.recovered, Some(true));
    rpc.publish_numbers("news:today", 6..=6).await;
    assert_eq!(numbers(&mut stream, 4).await, [3, 4, 5, 6]);
}

#[tokio::test]
async fn earliest_and_last_start_inside_history() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    rpc.publish_numbers("brief:log", 1..=12).await;
    for (start, expected) in
        [(Start::Earliest(true), (3..=12).collect::<Vec<u64>>()), (Start::Last(2), vec![11, 12])]
    {
        let mut stream = rpc.subscribe("brief:log", Some(start)).await;
        subscribed(&mut stream).await;
        assert_eq!(numbers(&mut stream, expected.len()).await, expected);
    }
}

#[tokio::test]
async fn a_lost_position_says_why_and_brings_what_is_held() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let top = rpc.publish_numbers("brief:log", 1..=15).await;
    let foreign = Position { epoch: "someotherlife".to_owned(), offset: 3 };
    for (after, reason, held) in [
        (top.at(2), "trimmed", (6..=15).collect::<Vec<u64>>()),
        (foreign, "epoch_changed", (6..=15).collect()),
        (top.plus(9), "future", Vec::new()),
        (Position { epoch: String::new(), offset: 0 }, "invalid", Vec::new()),
    ] {
        let mut stream = rpc.subscribe("brief:log", Some(Start::After(after.clone().into()))).await;
        let subscribed = subscribed(&mut stream).await;
        assert_eq!(subscribed.recovered, Some(false), "{after}");
        assert_eq!(subscribed.reason, reason, "{after}");
        assert_eq!(numbers(&mut stream, held.len()).await, held, "{after}");
    }
}

#[tokio::test]
async fn several_channels_share_a_stream_each_from_its_own_start() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let first = rpc.publish_numbers("news:a", 1..=1).await;
    rpc.publish_numbers("news:a", 2..=3).await;
    rpc.publish_numbers("news:b", 11..=12).await;
    let selector = |channel: &str, start| ChannelSelector { channel: channel.to_owned(), start };
    let mut stream = rpc
        .subscribe_all(vec![
            selector("news:a", Some(Start::After(first.into()))),
            selector("news:b", Some(Start::Earliest(true))),
            selector("news:c", None),
        ])
        .await;
    let mut subscribed = Vec::new();
    let mut seen = Vec::new();
    let published = rpc.publish_numbers("news:c", 21..=21);
    tokio::pin!(published);
    let mut publishing = false;
    while subscribed.len() < 3 || seen.len() < 5 {
        match next(&mut stream).await {
            Item::Subscribed(answer) => subscribed.push(answer.channel),
            Item::Event(event) => {
                assert!(subscribed.contains(&event.channel), "an event before its Subscribed");
                seen.push((event.channel.clone(), number(&event)));
            }
            Item::Gap(gap) => panic!("nothing was lost: {gap:?}"),
        }
        if subscribed.len() == 3 && !publishing {
            publishing = true;
            published.as_mut().await;
        }
    }
    let of = |channel: &str| {
        let mine = seen.iter().filter(|(name, _)| name == channel);
        mine.map(|(_, number)| *number).collect::<Vec<_>>()
    };
    assert_eq!(of("news:a"), [2, 3]);
    assert_eq!(of("news:b"), [11, 12]);
    assert_eq!(of("news:c"), [21]);
}

#[tokio::test]
async fn an_event_from_a_room_is_whole() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let mut stream = rpc.subscribe("chat:lobby", None).await;
    subscribed(&mut stream).await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    let answer = room.publish("chat:lobby", json!({"text": "hi"})).await;
    let Item::Event(event) = next(&mut stream).await else { panic!("an event comes") };
    assert_eq!(answer["event_id"], event.id);
    assert_eq!(event.channel, "chat:lobby");
    assert_eq!(event.r#type, "note");
    assert_eq!(event.content_type, "application/json");
    assert_eq!(event.user, "ada");
    assert_eq!(event.data, r#"{"text":"hi"}"#);
    assert!(event.time.is_some());
    let position = Position::from(event.position.expect("a position"));
    assert_eq!(answer["position"], position.to_string());
}

#[tokio::test]
async fn a_subscription_without_sense_is_refused() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let selector = |channel: &str| ChannelSelector { channel: channel.to_owned(), start: None };
    let many = (0..129).map(|number| selector(&format!("news:{number}"))).collect();
    for (channels, code, expected) in [
        (vec![], Code::InvalidArgument, "INVALID_ARGUMENT"),
        (vec![selector("news:a b")], Code::InvalidArgument, "INVALID_CHANNEL"),
        (vec![selector("news:a"), selector("news:a")], Code::InvalidArgument, "INVALID_ARGUMENT"),
        (vec![selector("unheard:of")], Code::NotFound, "UNKNOWN_NAMESPACE"),
        (many, Code::ResourceExhausted, "LIMIT_EXCEEDED"),
    ] {
        let mut subscriber = rpc.subscriber();
        let request = fanline_proto::v1::SubscribeRequest { channels };
        let status = match subscriber.subscribe(request).await {
            Err(status) => status,
            Ok(stream) => {
                let first = within(DEADLINE, "the refusal", stream.into_inner().message()).await;
                first.expect_err("refused")
            }
        };
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
    }
}

#[tokio::test]
async fn two_subscribers_and_a_room_agree() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["news:*"])).await;
    room.join("news:today").await;
    let mut first = rpc.subscribe("news:today", None).await;
    let mut second = rpc.subscribe("news:today", None).await;
    subscribed(&mut first).await;
    subscribed(&mut second).await;
    for number in 1..=300_u64 {
        rpc.publish(Publication::to("news:today", number)).await;
    }
    let expected: Vec<u64> = (1..=300).collect();
    assert_eq!(numbers(&mut first, 300).await, expected);
    assert_eq!(numbers(&mut second, 300).await, expected);
    assert_eq!(room.data(300).await, expected);
}

async fn next(stream: &mut Streaming<SubscribeResponse>) -> Item {
    within(DEADLINE, "the next item of the stream", stream.message())
        .await
        .unwrap_or_else(|status| panic!("the stream fails: {status:?}"))
        .expect("the stream goes on")
        .item
        .expect("an item is something")
}

async fn subscribed(stream: &mut Streaming<SubscribeResponse>) -> Subscribed {
    match next(stream).await {
        Item::Subscribed(subscribed) => subscribed,
        other @ (Item::Event(_) | Item::Gap(_)) => panic!("first comes {other:?}"),
    }
}

async fn numbers(stream: &mut Streaming<SubscribeResponse>, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        match next(stream).await {
            Item::Event(event) => numbers.push(number(&event)),
            other @ (Item::Subscribed(_) | Item::Gap(_)) => panic!("no event but {other:?}"),
        }
    }
    numbers
}

fn number(event: &Event) -> u64 {
    serde_json::from_slice(&event.data).expect("the data is a number")
}
