//! Clients call methods over WebSocket, and backends answer them over gRPC.

use fanline_proto::v1::CommandReply;
use fanline_tests::{Backend, Hub, Publication, Room, Token, answer};
use serde_json::{Value, json};

fn ada() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}

async fn call(room: &mut Room, id: u64, method: &str, data: Value) {
    let frame = json!({"op": "call", "id": id, "method": method, "data": data});
    room.send_text(&frame.to_string()).await;
}

#[tokio::test]
async fn a_call_is_answered_by_a_backend_that_knows_who_calls() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["chat.*"], 8).await;
    let mut room = hub.room(&ada().claim("role", json!("admin"))).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let frame = json!({"op": "call", "id": 5, "method": "chat.rename", "channel": "chat:a",
                       "data": {"to": "b"}, "key": "k1", "traceparent": trace});
    room.send_text(&frame.to_string()).await;
    let command = backend.command().await;
    assert_eq!(command.method, "chat.rename");
    assert_eq!((&*command.user, &*command.channel), ("ada", "chat:a"));
    assert_eq!(command.connection, room.connection());
    assert_eq!(&command.data[..], br#"{"to":"b"}"#);
    assert_eq!((&*command.idempotency_key, &*command.traceparent), ("k1", trace));
    assert_eq!(command.claims["role"], "admin");
    assert!(command.deadline.is_some());
    backend.reply(answer(&command, json!({"renamed": true}))).await;
    let reply = room.next_with_id(5).await;
    assert_eq!(reply, json!({"op": "reply", "id": 5, "data": {"renamed": true}}));
}

#[tokio::test]
async fn replies_find_their_calls_in_any_order_while_other_operations_go_on() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["chat.*"], 8).await;
    let mut room = hub.room(&ada()).await;
    for id in 101..=103 {
        call(&mut room, id, "chat.ask", json!(id)).await;
    }
    let mut commands = Vec::new();
    for _ in 0..3 {
        commands.push(backend.command().await);
    }
    room.join("chat:a").await;
    room.publish("chat:a", json!("meanwhile")).await;
    assert_eq!(room.event().await["data"], "meanwhile");
    for command in commands.iter().rev() {
        let data: u64 = serde_json::from_slice(&command.data).expect("a number");
        backend.reply(answer(command, data * 2)).await;
    }
    for id in 101..=103 {
        assert_eq!(room.next_with_id(id).await["data"], id * 2);
    }
}

#[tokio::test]
async fn a_streamed_answer_says_more_until_its_last() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["chat.*"], 8).await;
    let mut room = hub.room(&ada()).await;
    call(&mut room, 101, "chat.count", json!(null)).await;
    let command = backend.command().await;
    for number in 1..=3 {
        backend.reply(CommandReply { more: number < 3, ..answer(&command, number) }).await;
    }
    for number in 1..=2 {
        let reply = room.next_with_id(101).await;
        assert_eq!(reply, json!({"op": "reply", "id": 101, "data": number, "more": true}));
    }
    assert_eq!(room.next_with_id(101).await, json!({"op": "reply", "id": 101, "data": 3}));
}

#[tokio::test]
async fn a_reply_publishes_joins_and_leaves_before_the_client_has_it() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["chat.*"], 8).await;
    let mut room = hub.room(&Token::user("ada").grant("subscribe", &["chat:old"])).await;
    room.join("chat:old").await;
    call(&mut room, 101, "chat.move", json!(null)).await;
    let command = backend.command().await;
    let reply = CommandReply {
        publish: vec![
            Publication::to("chat:old", "ada leaves").0,
            Publication::to("chat:new", "ada comes").0,
        ],
        join: vec!["chat:new".to_owned()],
        leave: vec!["chat:old".to_owned()],
        ..answer(&command, "moved")
    };
    backend.reply(reply).await;
    assert_eq!(room.next_with_id(101).await["data"], "moved");
    let joined = room.take_unread("joined");
    assert_eq!(joined["channel"], "chat:new", "no token granted it");
    assert!(
        joined["position"].as_str().is_some_and(|position| position.ends_with("-1")),
        "{joined}"
    );
    assert_eq!(room.take_unread("left")["channel"], "chat:old");
    hub.publish(Publication::to("chat:old", "unheard")).await;
    hub.publish(Publication::to("chat:new", "heard")).await;
    let mut data = Vec::new();
    while data.last() != Some(&json!("heard")) {
        data.push(room.event().await["data"].take());
    }
    assert!(!data.contains(&json!("unheard")), "{data:?}");
}

#[tokio::test]
async fn a_reply_that_joins_where_the_client_is_already_changes_nothing() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["chat.*"], 8).await;
    let mut room = hub.room(&ada()).await;
    room.join("chat:old").await;
    call(&mut room, 101, "chat.move", json!(null)).await;
    let command = backend.command().await;
    let join = ["chat:old", "chat:new", "chat:new"].map(str::to_owned).to_vec();
    backend.reply(CommandReply { join, ..answer(&command, "moved") }).await;
    assert_eq!(room.next_with_id(101).await["data"], "moved");
    for channel in ["chat:old", "chat:new"] {
        // An answer of its own: what the reply might have ended late has ended by then.
        room.publish(channel, json!(channel)).await;
        assert_eq!(room.event().await["data"], channel, "each event comes once");
        let present = room.ok(json!({"op": "presence", "channel": channel})).await;
        assert_eq!(present["members"][0]["connection"], room.connection(), "{present}");
        room.ok(json!({"op": "leave", "channel": channel})).await;
        let present = room.ok(json!({"op": "presence", "channel": channel})).await;
        assert_eq!(present["members"], json!([]), "{present}");
    }
}

#[tokio::test]
async fn every_failure_has_its_reason_and_its_id() {
    let hub = Hub::builder().set("limits.command_timeout", "300ms").start().await;
    let mut room = hub.room(&ada()).await;
    let nobody = json!({"op": "call", "method": "chat.ask", "data": 1});
    assert_eq!(room.refused(nobody).await, "NO_HANDLER");

    let mut backend = Backend::serve(&hub.rpc().await, &["*"], 8).await;
    let silent = json!({"op": "call", "method": "chat.ask", "data": 1});
    assert_eq!(room.refused(silent).await, "HANDLER_TIMEOUT");
    let asked = backend.command().await;
    let told = backend.response().await;
    let expected = fanline_proto::v1::Cancelled { id: asked.id };
    assert_eq!(told, fanline_proto::v1::serve_response::Item::Cancelled(expected));

    call(&mut room, 101, "chat.ask", json!(1)).await;
    let command = backend.command().await;
    let error = tonic_types::pb::Status {
        code: tonic::Code::FailedPrecondition.into(),
        message: "the room is locked".to_owned(),
        ..Default::default()
    };
    backend.reply(CommandReply { error: Some(error), ..answer(&command, "") }).await;
    let error = room.next_with_id(101).await;
    let expected = json!({"op": "error", "id": 101, "reason": "FAILED_PRECONDITION", "message": "the room is locked"});
    assert_eq!(error, expected);

    let table = [
        (json!({"op": "call"}), "INVALID_ARGUMENT"),
        (json!({"op": "call", "method": "a b"}), "INVALID_ARGUMENT"),
        (json!({"op": "call", "method": "fanline.join"}), "PERMISSION_DENIED"),
        (json!({"op": "call", "method": "chat.ask", "channel": "news:a"}), "PERMISSION_DENIED"),
        (json!({"op": "call", "method": "chat.ask", "data": "x".repeat(70_000)}), "TOO_LARGE"),
    ];
    for (frame, reason) in table {
        assert_eq!(room.refused(frame.clone()).await, reason, "{frame:.100}");
    }
}

#[tokio::test]
async fn a_call_may_be_about_a_channel_that_its_token_puts_it_into() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["*"], 8).await;
    let mut room = hub.room(&Token::user("ada").grant("join", &["news:ada"])).await;
    let about =
        |channel: &str| json!({"op": "call", "method": "chat.ask", "channel": channel, "data": 1});
    assert_eq!(room.refused(about("news:bob")).await, "PERMISSION_DENIED");
    let mut asked = about("news:ada");
    asked["id"] = json!(101);
    room.send_text(&asked.to_string()).await;
    let command = backend.command().await;
    assert_eq!(command.channel, "news:ada");
    backend.reply(answer(&command, 2)).await;
    assert_eq!(room.next_with_id(101).await["data"], 2);
}

#[tokio::test]
async fn a_token_may_limit_the_methods() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["*"], 8).await;
    let mut room = hub.room(&ada().claim("methods", json!(["chat.*"]))).await;
    assert_eq!(
        room.refused(json!({"op": "call", "method": "admin.stop"})).await,
        "PERMISSION_DENIED"
    );
    call(&mut room, 101, "chat.ask", json!(1)).await;
    let command = backend.command().await;
    backend.reply(answer(&command, 2)).await;
    assert_eq!(room.next_with_id(101).await["data"], 2);
}

#[tokio::test]
async fn a_connection_has_only_so_many_commands_under_way() {
    let hub = Hub::builder().set("limits.commands_in_flight", 2).start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["*"], 8).await;
    let mut room = hub.room(&ada()).await;
    call(&mut room, 101, "chat.ask", json!(1)).await;
    call(&mut room, 102, "chat.ask", json!(2)).await;
    let first = backend.command().await;
    let third = json!({"op": "call", "method": "chat.ask", "data": 3});
    assert_eq!(room.refused(third).await, "LIMIT_EXCEEDED");
    backend.reply(answer(&first, 1)).await;
    room.next_with_id(101).await;
    let _second = backend.command().await;
    call(&mut room, 103, "chat.ask", json!(3)).await;
    let third = backend.command().await;
    backend.reply(answer(&third, 3)).await;
    assert_eq!(room.next_with_id(103).await["data"], 3);
}

#[tokio::test]
async fn a_client_that_goes_away_is_told_to_its_backend() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["*"], 8).await;
    let mut room = hub.room(&ada()).await;
    call(&mut room, 101, "chat.ask", json!(1)).await;
    let command = backend.command().await;
    room.vanish();
    let expected = fanline_proto::v1::Cancelled { id: command.id };
    assert_eq!(
        backend.response().await,
        fanline_proto::v1::serve_response::Item::Cancelled(expected)
    );
}
