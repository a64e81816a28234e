//! SIGTERM: clients are told, accepted publishes finish, and the process ends well.

use fanline_proto::v1::channel_selector::Start;
use fanline_tests::{DEADLINE, Hub, Publication, Token, get, reason, until, within};
use serde_json::json;
use tonic::Code;

#[tokio::test]
async fn clients_are_told_and_closed_with_1012_and_the_process_ends_well() {
    let mut hub = Hub::builder().set("drain.window", "500ms").start().await;
    let mut rooms = Vec::new();
    for user in ["ada", "bob", "eve"] {
        let mut room = hub.room(&Token::user(user).everything_in(&["chat:*"])).await;
        room.join("chat:lobby").await;
        rooms.push(room);
    }
    hub.process.terminate();
    for room in &mut rooms {
        let closing = room.next("closing").await;
        assert_eq!(closing["reconnect"], true, "{closing}");
        assert!(closing["reason"].is_string(), "{closing}");
        assert_eq!(room.close_code().await, 1012);
    }
    let status = hub.process.exit().await;
    assert_eq!(status.code(), Some(0), "{}", hub.process.output());
}

#[tokio::test]
async fn without_clients_it_ends_at_once() {
    let mut hub =
        Hub::builder().set("drain.window", "60s").set("drain.deadline", "90s").start().await;
    hub.process.terminate();
    let status = hub.process.exit().await;
    assert_eq!(status.code(), Some(0), "{}", hub.process.output());
}

#[tokio::test]
async fn every_publish_under_way_is_answered() {
    let mut hub = Hub::builder().set("drain.window", "500ms").start().await;
    let rpc = hub.rpc().await;
    let publishes: Vec<_> =
        (0..200).map(|number| rpc.try_publish(Publication::to("chat:lobby", number))).collect();
    let mut publishes = futures_util::stream::FuturesUnordered::from_iter(publishes);
    let first = futures_util::StreamExt::next(&mut publishes).await.expect("there are 200");
    first.expect("published");
    hub.process.terminate();
    let rest: Vec<_> =
        within(DEADLINE, "all answers", futures_util::StreamExt::collect(publishes)).await;
    for outcome in rest {
        // A request that reached the hub only after it began to drain is told so.
        if let Err(status) = outcome {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        }
    }
    let status = hub.process.exit().await;
    assert_eq!(status.code(), Some(0), "{}", hub.process.output());
}

#[tokio::test]
async fn an_acknowledged_publish_reaches_the_members_before_they_are_closed() {
    let mut hub = Hub::builder().set("drain.window", "500ms").start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["news:*"])).await;
    room.join("news:today").await;
    let rpc = hub.rpc().await;
    rpc.publish_numbers("news:today", 1..=200).await;
    hub.process.terminate();
    assert_eq!(room.data(200).await, (1..=200).collect::<Vec<u64>>());
    assert_eq!(room.close_code().await, 1012);
    hub.process.exit().await;
}

#[tokio::test]
async fn a_grpc_subscription_ends_with_draining() {
    let mut hub = Hub::builder().set("drain.window", "500ms").start().await;
    let rpc = hub.rpc().await;
    let mut stream = rpc.subscribe("news:today", Some(Start::Earliest(true))).await;
    within(DEADLINE, "the first item", stream.message()).await.expect("subscribed");
    hub.process.terminate();
    let end = within(DEADLINE, "the end of the stream", stream.message()).await;
    let status = end.expect_err("no item and no silent end");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "DRAINING"));
    let status = hub.process.exit().await;
    assert_eq!(status.code(), Some(0), "{}", hub.process.output());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut hub =
        Hub::builder().set("drain.window", "600s").set("drain.deadline", "900s").start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:lobby").await;
    let _stream = hub.rpc().await.subscribe("chat:lobby", None).await;
    hub.process.terminate();
    let ops = hub.addresses.ops;
    until("readiness to turn red", async || get(ops, "/readyz").await.status == 503).await;
    hub.process.terminate();
    hub.process.exit().await;
}

#[tokio::test]
async fn a_peer_that_never_reads_cannot_hold_the_process_beyond_the_deadline() {
    let mut hub =
        Hub::builder().set("drain.window", "300ms").set("drain.deadline", "2s").start().await;
    let mut stalled = hub.raw_room(&Token::user("ada").everything_in(&["chat:*"])).await;
    let join = json!({"op": "join", "id": 1, "channel": "chat:lobby"}).to_string();
    stalled.send_frames([fanline_tests::Frame::text(join)]).await;
    assert!(stalled.text().await.contains("\"ok\""));
    let text = "x".repeat(500_000);
    let rpc = hub.rpc().await;
    for _ in 0..40 {
        rpc.publish(Publication::to("chat:lobby", text.as_str())).await;
    }
    hub.process.terminate();
    hub.process.exit().await;
}
