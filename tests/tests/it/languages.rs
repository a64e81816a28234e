//! Backends in other languages, with stubs made from the proto files and with what reflection tells.
//!
//! Each script publishes three events, subscribes to all, and resumes after the first; it checks what it gets and prints
//! it. Here it is checked that the hub has really seen it.

use fanline_tests::{ApiKey, Hub, Script, Token};
use serde_json::{Value, json};

#[tokio::test]
async fn a_python_client_made_from_the_proto_files() {
    a_backend_publishes_and_resumes(Script::python("from_proto.py")).await;
}

#[tokio::test]
async fn a_python_client_by_reflection() {
    a_backend_publishes_and_resumes(Script::python("by_reflection.py")).await;
}

#[tokio::test]
async fn a_node_client_made_from_the_proto_files() {
    a_backend_publishes_and_resumes(Script::node("from_proto.mjs")).await;
}

#[tokio::test]
async fn a_node_client_by_reflection() {
    a_backend_publishes_and_resumes(Script::node("by_reflection.mjs")).await;
}

#[tokio::test]
async fn a_node_client_in_a_room() {
    let hub = Hub::start().await;
    let token = Token::user("node").everything_in(&["chat:*"]).sign();
    let seen = Script::node("room.mjs")
        .option("url", format!("ws://{}/v1/ws", hub.addresses.public))
        .option("token", token)
        .option("channel", "chat:lobby")
        .run()
        .await;
    assert_eq!(
        seen,
        json!({"user": "node", "data": [1, 2, 3], "resumed": [2, 3], "recovered": true})
    );
}

async fn a_backend_publishes_and_resumes(script: Script) {
    let hub = Hub::start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:lobby").await;
    let printed = script
        .option("target", hub.addresses.grpc)
        .option("key", ApiKey::all().secret)
        .option("channel", "chat:lobby")
        .run()
        .await;
    let events = room.events(3).await;
    let of = |field: &str| events.iter().map(|event| event[field].clone()).collect::<Vec<Value>>();
    assert_eq!(of("data"), [json!({"n": 1}), json!({"n": 2}), json!({"n": 3})]);
    assert_eq!(printed["published"], Value::from(of("position")));
    assert_eq!(printed["earliest"], Value::from(of("position")));
    assert_eq!(printed["resumed"], Value::from(of("position")[1..].to_vec()));
    assert_eq!(printed["recovered"], true, "{printed}");
    assert_eq!(printed["duplicate"], true, "{printed}");
    assert_eq!(printed["refused"], "UNAUTHENTICATED", "{printed}");
}
