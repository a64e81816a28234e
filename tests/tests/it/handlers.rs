//! The hub calls backends at the addresses of its configuration.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fanline_proto::v1::CommandReply;
use fanline_tests::{
    Authority, Handler, Hub, HubBuilder, Metrics, Publication, Room, Token, answer, eventually,
    free_address,
};
use serde_json::{Value, json};
use tonic::Status;

/// A hub that calls a handler at `address` for `chat.*`, with further keys of its section.
fn calling(url: String, keys: &[(&str, toml::Value)]) -> HubBuilder {
    let mut section = toml::Table::from_iter([("url".to_owned(), url.into())]);
    section.extend(keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    let handlers = toml::Table::from_iter([("chat.*".to_owned(), section.into())]);
    Hub::builder().set("handlers", handlers)
}

fn plain(address: SocketAddr) -> String {
    format!("http://{address}")
}

async fn ada(hub: &Hub) -> Room {
    hub.room(&Token::user("ada").everything_in(&["chat:*"])).await
}

async fn call(room: &mut Room, id: u64, key: Option<&str>) {
    let mut frame = json!({"op": "call", "id": id, "method": "chat.ask", "data": id});
    if let Some(key) = key {
        frame["key"] = json!(key);
    }
    room.send_text(&frame.to_string()).await;
}

async fn refused(room: &mut Room, id: u64, key: Option<&str>) -> Value {
    call(room, id, key).await;
    let answer = room.next_with_id(id).await;
    assert_eq!(answer["op"], "error", "{answer}");
    answer
}

#[tokio::test]
async fn a_call_is_answered_by_the_handler_that_the_configuration_names() {
    let mut handler = Handler::start().await;
    let metadata =
        toml::Table::from_iter([("authorization".to_owned(), "env:HANDLER_AUTH".into())]);
    let hub = calling(plain(handler.address), &[("metadata", metadata.into())])
        .env("HANDLER_AUTH", "Bearer of-the-hub")
        .start()
        .await;
    let mut room = ada(&hub).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let frame = json!({"op": "call", "id": 101, "method": "chat.rename", "channel": "chat:a",
                       "data": {"to": "b"}, "key": "k1", "traceparent": trace});
    room.send_text(&frame.to_string()).await;
    let asked = handler.asked().await;
    let command = &asked.command;
    assert_eq!((&*command.method, &*command.user), ("chat.rename", "ada"));
    assert_eq!((&*command.channel, &*command.connection), ("chat:a", &*room.connection()));
    assert_eq!((&command.data[..], &*command.idempotency_key), (&br#"{"to":"b"}"#[..], "k1"));
    let text = |name: &str| asked.metadata.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(text("authorization"), Some("Bearer of-the-hub"));
    assert_eq!(text("traceparent"), Some(trace));
    assert!(text("grpc-timeout").is_some(), "the deadline travels with the call");
    asked.answer(json!({"renamed": true}));
    let expected = json!({"op": "reply", "id": 101, "data": {"renamed": true}});
    assert_eq!(room.next_with_id(101).await, expected);
    let metrics = hub.metrics().await;
    assert_eq!(metrics.sum("fanline_handler_commands_total", "outcome=\"answered\""), 1.0);
}

#[tokio::test]
async fn a_reply_of_a_handler_publishes_joins_and_leaves() {
    let mut handler = Handler::start().await;
    let hub = calling(plain(handler.address), &[]).start().await;
    let mut room = hub.room(&Token::user("ada").grant("subscribe", &["chat:old"])).await;
    room.join("chat:old").await;
    call(&mut room, 101, None).await;
    let asked = handler.asked().await;
    let reply = CommandReply {
        publish: vec![Publication::to("chat:new", "ada comes").0],
        join: vec!["chat:new".to_owned()],
        leave: vec!["chat:old".to_owned()],
        // There is one reply to a call, whatever it says.
        more: true,
        ..answer(&asked.command, "moved")
    };
    asked.reply(Ok(reply));
    assert_eq!(room.next_with_id(101).await, json!({"op": "reply", "id": 101, "data": "moved"}));
    let joined = room.take_unread("joined");
    let after = |position: &Value| position.as_str().is_some_and(|text| text.ends_with("-1"));
    assert!(joined["channel"] == "chat:new" && after(&joined["position"]), "{joined}");
    assert_eq!(room.take_unread("left")["channel"], "chat:old");
}

#[tokio::test]
async fn a_dead_handler_is_said_so_at_once_given_a_pause_and_found_again() {
    let address = free_address();
    let hub = calling(plain(address), &[("retries", 0.into())]).start().await;
    let mut room = ada(&hub).await;
    let started = Instant::now();
    for id in 101..=110 {
        let error = refused(&mut room, id, None).await;
        assert_eq!(error["reason"], "HANDLER_UNAVAILABLE", "{error}");
        assert!(error["retry_after_ms"].as_u64().is_some_and(|after| after > 0), "{error}");
    }
    // `command_timeout` is 10 s each.
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let metrics = hub.metrics().await;
    assert_eq!(metrics.sum("fanline_handlers_paused", ""), 1.0);
    let outcomes = |outcome| metrics.sum("fanline_handler_commands_total", outcome);
    assert!(outcomes("\"unreachable\"") >= 5.0 && outcomes("\"paused\"") >= 1.0);

    let mut handler = Handler::start_at(address, None).await;
    let mut id = 200;
    let answered = eventually("the handler is asked again", async || {
        id += 1;
        call(&mut room, id, None).await;
        tokio::select! {
            asked = handler.asked() => { asked.answer("back"); Some(room.next_with_id(id).await) }
            _paused = room.next_with_id(id) => None,
        }
    })
    .await;
    assert_eq!(answered["data"], "back");
    assert_eq!(hub.metrics().await.sum("fanline_handlers_paused", ""), 0.0);
}

#[tokio::test]
async fn a_handler_that_is_only_late_to_listen_is_tried_again() {
    let address = free_address();
    let hub = calling(plain(address), &[("retries", 10.into())]).start().await;
    let mut room = ada(&hub).await;
    call(&mut room, 101, None).await;
    Metrics::until(hub.addresses.ops, "fanline_handler_retries_total", "", 1.0).await;
    let mut handler = Handler::start_at(address, None).await;
    handler.asked().await.answer("late");
    assert_eq!(room.next_with_id(101).await["data"], "late");
}

#[tokio::test]
async fn a_slow_handler_is_given_up_at_its_timeout_and_when_the_client_goes() {
    let mut handler = Handler::start().await;
    let hub = calling(plain(handler.address), &[("timeout", "300ms".into())]).start().await;
    let mut room = ada(&hub).await;
    assert_eq!(refused(&mut room, 101, Some("k")).await["reason"], "HANDLER_TIMEOUT");
    handler.asked().await.given_up().await;

    let hub = calling(plain(handler.address), &[("timeout", "1h".into())]).start().await;
    let mut room = ada(&hub).await;
    call(&mut room, 102, None).await;
    let asked = handler.asked().await;
    room.vanish();
    asked.given_up().await;
    Metrics::until(hub.addresses.ops, "fanline_handler_commands_total", "cancelled", 1.0).await;
}

#[tokio::test]
async fn a_handler_that_dies_with_a_command_is_asked_again_only_with_a_key() {
    let mut handler = Handler::start().await;
    let address = handler.address;
    let hub = calling(plain(address), &[("retries", 10.into())]).start().await;
    let mut room = ada(&hub).await;
    call(&mut room, 101, None).await;
    call(&mut room, 102, Some("k")).await;
    let ids = [handler.asked().await.command.id, handler.asked().await.command.id];
    drop(handler);
    let error = room.next_with_id(101).await;
    assert_eq!(error["reason"], "HANDLER_TIMEOUT", "its outcome is not known: {error}");
    let mut handler = Handler::start_at(address, None).await;
    let asked = handler.asked().await;
    assert_eq!(asked.command.idempotency_key, "k");
    assert!(ids.contains(&asked.command.id), "it is the same command");
    asked.answer("second try");
    assert_eq!(room.next_with_id(102).await["data"], "second try");
    assert!(!handler.is_asked());
}

#[tokio::test]
async fn an_error_of_a_handler_is_its_own_and_a_wrong_reply_is_no_answer() {
    let mut handler = Handler::start().await;
    let hub = calling(plain(handler.address), &[]).start().await;
    let mut room = ada(&hub).await;
    let with_status = |command: &fanline_proto::v1::Command| CommandReply {
        error: Some(tonic_types::pb::Status {
            code: tonic::Code::FailedPrecondition.into(),
            message: "the room is locked".to_owned(),
            ..Default::default()
        }),
        ..answer(command, "")
    };
    let wrong = |command: &fanline_proto::v1::Command| CommandReply {
        data: "{".into(),
        ..answer(command, "")
    };
    type Reply<'a> = &'a dyn Fn(&fanline_proto::v1::Command) -> Result<CommandReply, Status>;
    let table: [(Reply<'_>, &str, &str); 5] = [
        (&|_| Err(Status::permission_denied("not yours")), "PERMISSION_DENIED", "not yours"),
        (&|_| Err(Status::internal("a defect")), "INTERNAL", "a defect"),
        (&|_| Err(Status::resource_exhausted("slower")), "RESOURCE_EXHAUSTED", "slower"),
        (&|command| Ok(with_status(command)), "FAILED_PRECONDITION", "the room is locked"),
        (&|command| Ok(wrong(command)), "INTERNAL", "the backend's reply could not be used"),
    ];
    for (id, (reply, reason, message)) in (101..).zip(table) {
        call(&mut room, id, Some("k")).await;
        let asked = handler.asked().await;
        let reply = reply(&asked.command);
        asked.reply(reply);
        let error = room.next_with_id(id).await;
        assert_eq!((&error["reason"], &error["message"]), (&json!(reason), &json!(message)));
        assert!(!handler.is_asked(), "an answer is an answer");
    }
}

#[tokio::test]
async fn an_unavailable_handler_is_asked_again_if_the_command_has_a_key() {
    let mut handler = Handler::start().await;
    let hub = calling(plain(handler.address), &[]).start().await;
    let mut room = ada(&hub).await;
    call(&mut room, 101, Some("k")).await;
    handler.asked().await.reply(Err(Status::unavailable("starting")));
    handler.asked().await.answer("started");
    assert_eq!(room.next_with_id(101).await["data"], "started");

    call(&mut room, 102, None).await;
    handler.asked().await.reply(Err(Status::unavailable("starting")));
    let error = room.next_with_id(102).await;
    assert_eq!((&error["reason"], &error["message"]), (&json!("UNAVAILABLE"), &json!("starting")));
}

#[tokio::test]
async fn a_busy_handler_gets_no_more_than_it_can_take_and_the_rest_waits() {
    let mut handler = Handler::start().await;
    let hub = calling(plain(handler.address), &[("max_in_flight", 2.into())]).start().await;
    let mut room = ada(&hub).await;
    for id in 101..=108 {
        call(&mut room, id, None).await;
    }
    let metrics = hub.addresses.ops;
    Metrics::until(metrics, "fanline_commands_waiting", "", 6.0).await;
    let mut held = VecDeque::from([handler.asked().await, handler.asked().await]);
    for left in (0..8).rev() {
        assert!(!handler.is_asked(), "two at a time");
        held.pop_front().expect("it has one").answer("done");
        if left >= 2 {
            held.push_back(handler.asked().await);
        }
    }
    for id in 101..=108 {
        assert_eq!(room.next_with_id(id).await["data"], "done");
    }
}

#[tokio::test]
async fn a_handler_is_called_over_mutual_tls_and_not_at_all_if_it_is_somebody_else() {
    let authority = Authority::new();
    let address = free_address();
    let mut handler = Handler::start_at(address, Some(authority.server())).await;
    let url = format!("https://localhost:{}", address.port());
    let file = |name: &str| toml::Value::from(authority.reference(name));
    let shown = [("cert", file("cert.pem")), ("key", file("key.pem"))];
    let trusting = |ca: toml::Value| [vec![("ca", ca)], shown.to_vec()].concat();
    let hub = calling(url.clone(), &trusting(file("ca.pem"))).start().await;
    let mut room = ada(&hub).await;
    call(&mut room, 101, None).await;
    handler.asked().await.answer("in private");
    assert_eq!(room.next_with_id(101).await["data"], "in private");

    let stranger = Authority::new();
    let hub = calling(url.clone(), &trusting(stranger.reference("ca.pem").into())).start().await;
    let error = refused(&mut ada(&hub).await, 101, None).await;
    assert_eq!(error["reason"], "HANDLER_UNAVAILABLE", "{error}");

    let hub = calling(url, &[("ca", file("ca.pem")), ("retries", 0.into())]).start().await;
    let error = refused(&mut ada(&hub).await, 101, None).await;
    assert!(
        ["HANDLER_UNAVAILABLE", "HANDLER_TIMEOUT"].contains(&error["reason"].as_str().unwrap()),
        "a hub without a certificate is refused at once: {error}"
    );
    assert!(!handler.is_asked());
}
