//! Commands across nodes: a client on one reaches a backend on another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanline_proto::v1::{Command, CommandReply};
use fanline_tests::{
    Backend, Hub, Publication, RedisServer, Room, Token, answer, eventually, until, within,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CLIENTS: u64 = 200;
const CALLS: u64 = 25;
/// Calls of one client at a time: less than it may have.
const WINDOW: u64 = 8;
/// For all of them together, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

const WORKER: &str = env!("CARGO_BIN_EXE_fanline-test-worker");

fn ada() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}

/// Waits until a node knows of a backend, wherever it is.
async fn is_answered(hub: &Hub, method: &str) {
    let mut room = hub.room(&ada()).await;
    until("a node that knows of the backend", async || {
        let answer = room.request(json!({"op": "call", "method": method})).await;
        answer["reason"] != "NO_HANDLER"
    })
    .await;
}

#[tokio::test]
async fn a_client_on_one_node_is_answered_by_a_backend_on_the_other() {
    let redis = RedisServer::start().await;
    let [near, far] = Hub::builder().set("limits.command_timeout", "3s").nodes(&redis).await;
    let mut backend = Backend::serve(&far.rpc().await, &["chat.*"], 8).await;
    let mut room = near.room(&Token::user("ada").grant("subscribe", &["chat:old"])).await;
    room.join("chat:old").await;
    let frame = json!({"op": "call", "id": 7, "method": "chat.move", "data": {"n": 1}});
    let command = reaches(&mut backend, &mut room, &frame).await;
    assert_eq!((&*command.user, &*command.connection), ("ada", &*room.connection()));
    assert_eq!(&command.data[..], br#"{"n":1}"#);
    backend.reply(CommandReply { more: true, ..answer(&command, 1) }).await;
    let last = CommandReply {
        publish: vec![Publication::to("chat:new", "ada comes").0],
        join: vec!["chat:new".to_owned()],
        leave: vec!["chat:old".to_owned()],
        ..answer(&command, "moved")
    };
    backend.reply(last).await;
    let first = room.next_with_id(7).await;
    assert_eq!((&first["data"], &first["more"]), (&json!(1), &json!(true)));
    assert_eq!(room.next_with_id(7).await["data"], "moved");
    assert_eq!(room.take_unread("joined")["channel"], "chat:new");
    assert_eq!(room.take_unread("left")["channel"], "chat:old");

    // Given up here, it is cancelled there.
    room.send_text(&json!({"op": "call", "id": 8, "method": "chat.wait"}).to_string()).await;
    let command = backend.command().await;
    room.vanish();
    let expected = fanline_proto::v1::Cancelled { id: command.id };
    assert_eq!(
        backend.response().await,
        fanline_proto::v1::serve_response::Item::Cancelled(expected)
    );
}

#[tokio::test]
async fn a_node_that_dies_with_a_command_is_answered_for() {
    let redis = RedisServer::start().await;
    let [near, mut far] = Hub::builder().set("limits.command_timeout", "60s").nodes(&redis).await;
    let mut backend = Backend::serve(&far.rpc().await, &["chat.*"], 8).await;
    let mut room = near.room(&ada()).await;
    let frame = json!({"op": "call", "id": 7, "method": "chat.wait"});
    reaches(&mut backend, &mut room, &frame).await;
    far.process.kill().await;
    // Long before its own deadline, and with the reason that leaves the outcome open.
    assert_eq!(room.next_with_id(7).await["reason"], "HANDLER_TIMEOUT");
}

#[tokio::test]
async fn five_thousand_commands_are_each_answered_once_while_backends_come_and_go() {
    let redis = RedisServer::start().await;
    let nodes: [Hub; 2] =
        Hub::builder().for_a_crowd().set("limits.command_timeout", "30s").nodes(&redis).await;
    let mut killed = nodes[0].worker(WORKER, "killed", "work.*").await;
    let mut drained = nodes[1].worker(WORKER, "drained", "work.*").await;
    let _lasting = nodes[1].worker(WORKER, "lasting", "work.*").await;
    for node in &nodes {
        is_answered(node, "work.do").await;
    }

    let answered = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let token = Token::user(&format!("user{client}")).everything_in(&["chat:*"]);
        let room = nodes[usize::from(client % 2 == 1)].room(&token).await;
        clients.spawn(calls(room, client, Arc::clone(&answered)));
    }
    let reached = async |count: u64| {
        until("so many answers", async || answered.load(Ordering::Relaxed) >= count).await;
    };
    reached(CLIENTS * CALLS / 4).await;
    killed.kill().await;
    reached(CLIENTS * CALLS / 2).await;
    drained.terminate();
    assert!(drained.exit().await.success(), "a drained worker ends well");

    let mut by = BTreeMap::<String, u64>::new();
    let all = async {
        while let Some(client) = clients.join_next().await {
            for name in client.expect("no client fails") {
                *by.entry(name).or_default() += 1;
            }
        }
    };
    within(PATIENCE, "all clients", all).await;
    let total: u64 = by.values().sum();
    println!("{total} commands of {CLIENTS} clients over 2 nodes, each answered once, by {by:?}");
    assert_eq!(total, CLIENTS * CALLS);
    assert_eq!(by.keys().collect::<Vec<_>>(), ["drained", "killed", "lasting"]);
}

/// Sends a call with the id 7 until the node of the client knows of the backend; gives what the backend got.
async fn reaches(backend: &mut Backend, room: &mut Room, frame: &Value) -> Command {
    eventually("a command at the backend", async || {
        room.send_text(&frame.to_string()).await;
        tokio::select! {
            command = backend.command() => Some(command),
            answer = room.next_with_id(7) => {
                assert_eq!(answer["reason"], "NO_HANDLER", "{answer}");
                None
            }
        }
    })
    .await
}

/// Calls, a few at a time, each answered with what it asked and by whom. Returns who.
async fn calls(mut room: Room, client: u64, answered: Arc<AtomicU64>) -> Vec<String> {
    let mut by = Vec::new();
    let frame = |call: u64| {
        json!({"op": "call", "id": 1000 + call, "method": "work.do", "data": [client, call],
               "key": format!("{client}-{call}")})
    };
    for call in 0..WINDOW {
        room.send_text(&frame(call).to_string()).await;
    }
    for call in 0..CALLS {
        let reply = room.next_with_id(1000 + call).await;
        assert_eq!(reply["op"], "reply", "{reply}");
        assert_eq!(reply["data"]["asked"], json!([client, call]), "{reply}");
        assert!(reply.get("more").is_none(), "{reply}");
        by.push(reply["data"]["by"].as_str().expect("a name").to_owned());
        answered.fetch_add(1, Ordering::Relaxed);
        if call + WINDOW < CALLS {
            room.send_text(&frame(call + WINDOW).to_string()).await;
        }
    }
    // Whatever came twice came before the answer to this.
    room.request(json!({"op": "ping"})).await;
    let twice: Vec<_> = room.unread().collect();
    assert!(twice.is_empty(), "{twice:?}");
    by
}
