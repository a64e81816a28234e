//! The OpenAPI document: each route is asked for each of its answers, and each is as the document says.

use std::time::Duration;

use fanline_proto::v1::CommandReply;
use fanline_tests::{Backend, Hub, Script, Token, answer};
use serde_json::json;
use tonic_types::pb::Status;

/// What a hub that is well and has all the time in the world does not answer.
const NOT_ASKED_FOR: [&str; 2] = ["500", "503"];

#[tokio::test]
async fn every_answer_of_every_route_is_as_the_document_says() {
    let hub = Hub::builder()
        .set("catalog.path", "builtin:demo")
        .set("limits.command_timeout", "1s")
        .set("limits.operations_per_second", 1)
        .set("limits.operations_burst", 60)
        .start()
        .await;
    let mut backend = Backend::serve(&hub.rpc().await, &["chat.*"], 8).await;
    let token = |user: &str| Token::user(user).everything_in(&["*"]);
    let hasty: Vec<String> = (0..6).map(|number| token(&format!("hasty{number}")).sign()).collect();
    let script = Script::node("openapi.mjs")
        .option("hub", format!("http://{}", hub.addresses.public))
        .option("token", token("ada").sign())
        .option("other", token("bob").sign())
        .option("poor", Token::user("eve").claim("methods", json!([])).sign())
        .option("hasty", hasty.join(","))
        .run();
    let seen = tokio::select! {
        seen = script => seen,
        () = answer_calls(&mut backend) => unreachable!("it answers for ever"),
    };
    println!("{seen}");
    assert_eq!(seen["faults"], json!([]));
    let unseen = seen["unseen"].as_array().expect("a list").iter();
    let left: Vec<_> = unseen
        .filter(|one| {
            !NOT_ASKED_FOR.iter().any(|status| one.as_str().expect("text").ends_with(status))
        })
        .collect();
    assert!(left.is_empty(), "documented, and not to be had: {left:?}");
    assert!(seen["seen"].as_array().expect("a list").len() > 35, "{seen}");
}

/// `chat.ok` is answered, `chat.fails.N` with the code N, and `chat.silent` not at all.
async fn answer_calls(backend: &mut Backend) {
    loop {
        // Waiting for a command has its own deadline, and the script is busy with other routes for as long as it takes.
        let Ok(command) = tokio::time::timeout(Duration::from_millis(100), backend.command()).await
        else {
            continue;
        };
        let reply = match command.method.rsplit('.').next() {
            Some("silent") => continue,
            Some("ok") => answer(&command, json!({"done": true})),
            code => CommandReply {
                id: command.id.clone(),
                error: Some(Status {
                    code: code.and_then(|code| code.parse().ok()).expect("a code"),
                    message: "not today".to_owned(),
                    ..Status::default()
                }),
                ..CommandReply::default()
            },
        };
        backend.reply(reply).await;
    }
}
