//! The examples do what their READMEs say, against `fanline dev` and its printed keys.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fanline_tests::{ApiKey, Dev, Example, Hub, Process, Token, Upgrade, fanline, python, until};
use serde_json::{Value, json};

/// Far over what an answer takes, and far under `command_timeout` (10 s).
const AT_ONCE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn the_rust_example() {
    let built = example_binary("chat");
    let cargo = "cargo run -p fanline-client --example chat";
    it_works_as_its_readme_says("rust", &[(cargo, built.to_str().expect("a path"))]).await;
}

#[tokio::test]
async fn the_node_example() {
    it_works_as_its_readme_says("node", &[]).await;
}

#[tokio::test]
async fn the_python_example() {
    let installed = python();
    let installed = installed.to_str().expect("a path");
    it_works_as_its_readme_says("python", &[(".venv/bin/python", installed)]).await;
}

#[tokio::test]
async fn the_nestjs_example() {
    it_works_as_its_readme_says("nestjs", &[]).await;
}

#[tokio::test]
async fn the_node_example_serves_again_when_the_hub_is_back() {
    it_serves_again_when_the_hub_is_back("node", &[]).await;
}

#[tokio::test]
async fn the_python_example_serves_again_when_the_hub_is_back() {
    let installed = python();
    let installed = installed.to_str().expect("a path");
    it_serves_again_when_the_hub_is_back("python", &[(".venv/bin/python", installed)]).await;
}

#[tokio::test]
async fn the_nestjs_example_serves_again_when_the_hub_is_back() {
    it_serves_again_when_the_hub_is_back("nestjs", &[]).await;
}

#[tokio::test]
async fn the_node_example_ends_when_the_hub_no_longer_takes_its_key() {
    it_ends_when_the_hub_no_longer_takes_its_key("node", &[]).await;
}

#[tokio::test]
async fn the_python_example_ends_when_the_hub_no_longer_takes_its_key() {
    let installed = python();
    let installed = installed.to_str().expect("a path");
    it_ends_when_the_hub_no_longer_takes_its_key("python", &[(".venv/bin/python", installed)])
        .await;
}

#[tokio::test]
async fn the_nestjs_example_ends_when_the_hub_no_longer_takes_its_key() {
    it_ends_when_the_hub_no_longer_takes_its_key("nestjs", &[]).await;
}

#[tokio::test]
async fn nestjs_answers_whatever_becomes_of_a_handler_with_the_id_of_its_call_and_at_once() {
    let hub = Hub::start().await;
    let mut backend = started("nestjs", &[], &hub).await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    // Whatever Node does only once is done.
    let say = json!({"op": "call", "method": "chat.say", "channel": "chat:lobby", "data": {"text": "hello"}});
    room.request(say).await;

    let calls = [
        (
            "return value",
            101,
            json!({"method": "chat.say", "channel": "chat:lobby", "data": {"text": "hello"}}),
        ),
        ("thrown exception", 102, json!({"method": "chat.close", "data": {}})),
        ("guard denial", 103, json!({"method": "chat.announce", "data": {"text": "hello"}})),
        (
            "pipe error",
            104,
            json!({"method": "chat.say", "channel": "chat:lobby", "data": {"text": ""}}),
        ),
        ("Observable", 105, json!({"method": "chat.countdown", "data": 3})),
        ("unknown method", 106, json!({"method": "chat.unknown", "data": {}})),
    ];
    let mut answers: Vec<Value> = Vec::new();
    for (what, id, mut frame) in calls {
        frame["op"] = "call".into();
        frame["id"] = id.into();
        let asked = Instant::now();
        room.send_text(&frame.to_string()).await;
        loop {
            let answer = room.next_with_id(id).await;
            let took = asked.elapsed();
            println!("{what}: {answer} after {took:?}");
            assert!(took < AT_ONCE, "{what} takes {took:?}");
            let more = answer["more"] == true;
            answers.push(answer);
            if !more {
                break;
            }
        }
    }
    let error = |id: u64, reason: &str, message: &str| json!({"op": "error", "id": id, "reason": reason, "message": message});
    assert_eq!(
        answers,
        [
            json!({"op": "reply", "id": 101, "data": {"said": "hello"}}),
            error(102, "FAILED_PRECONDITION", "the room has guests"),
            error(103, "PERMISSION_DENIED", "Forbidden resource"),
            error(104, "INVALID_ARGUMENT", "text should not be empty"),
            json!({"op": "reply", "id": 105, "data": {"left": 2}, "more": true}),
            json!({"op": "reply", "id": 105, "data": {"left": 1}, "more": true}),
            json!({"op": "reply", "id": 105, "data": {"left": 0}}),
            json!({"op": "error", "id": 106, "reason": "NO_HANDLER", "field": "method",
                   "message": "no backend answers this method"}),
        ]
    );
    stops(&mut backend).await;
}

#[tokio::test]
async fn the_hub_client_of_nestjs_publishes_from_a_handler_that_a_guard_lets_through() {
    let hub = Hub::start().await;
    let mut backend = started("nestjs", &[], &hub).await;
    let admin = Token::user("ada").everything_in(&["chat:*"]).claim("role", json!("admin"));
    let mut room = hub.room(&admin).await;
    room.join("chat:lobby").await;
    let announce = json!({"op": "call", "method": "chat.announce", "data": {"text": "hello"}});
    let answer = room.request(announce).await;
    let event = room.event().await;
    assert_eq!(answer["data"]["position"], event["position"], "{answer}");
    assert_eq!(event["data"], json!({"text": "hello"}));
    stops(&mut backend).await;
}

#[tokio::test]
async fn the_configuration_in_the_guide_from_nestjs_is_a_good_one() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/from-nestjs.md");
    let guide = std::fs::read_to_string(guide).expect("the guide is there");
    let toml = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let toml = toml.expect("it shows a configuration");
    assert!(toml.contains("\"sha256:…\""), "nobody else's key is there to paste: {toml}");
    let toml = toml.replace("sha256:…", &ApiKey::hash_of("fk_made_for_this_test"));
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("fanline.toml");
    std::fs::write(&file, toml).expect("the folder is ours");
    let mut check = fanline();
    check.args(["config", "check", "--config"]).arg(file).env("TOKEN_SECRET", "s".repeat(32));
    let mut check = Process::spawn("config check", check);
    assert!(check.exit().await.success(), "{}", check.output());
}

/// Starts the backend and calls it, both with the lines of the README. `installed`: what stands in the line that starts it,
/// and where `cargo xtask setup` has put that.
async fn it_works_as_its_readme_says(name: &str, installed: &[(&str, &str)]) {
    let mut dev = Dev::start();
    let (public, grpc) = (dev.public().await.to_string(), dev.grpc().await);
    let (token, key) = (dev.token().await, dev.api_key().await);
    let mut room = Upgrade::to(public.parse().expect("an address")).bearer(&token).open().await;
    room.join("chat:lobby").await;

    let example = Example::named(name);
    let mut backend = start(name, installed, &grpc, &key).await;
    let changes = [("127.0.0.1:8080", &*public), ("eyJ…", &*token)];
    let mut curl = example.run(&example.line_with("curl ", &changes));
    assert!(curl.exit().await.success(), "{}", curl.output());
    let answer: Value = serde_json::from_str(&curl.stdout()).expect("the answer is JSON");
    let promised = example.line_with("The answer is", &[]);
    let promised = promised.split('`').nth(1).expect("it stands in backquotes");
    assert_eq!(answer, serde_json::from_str::<Value>(promised).expect("JSON"));
    let event = room.event().await;
    assert_eq!((&event["type"], &event["data"]), (&json!("message"), &json!({"text": "hello"})));
    assert_eq!(event["headers"]["user"], "dev", "{event}");
    stops(&mut backend).await;
}

/// Kills the hub, starts it anew, and calls the backend, which nobody tells.
async fn it_serves_again_when_the_hub_is_back(name: &str, installed: &[(&str, &str)]) {
    let mut hub = Hub::start().await;
    let mut backend = started(name, installed, &hub).await;
    let address = hub.addresses.grpc.to_string();
    hub.process.kill().await;
    let hub = Hub::builder().set("grpc.listen", address).start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    until("an answer", async || {
        let say = json!({"op": "call", "method": "chat.say", "channel": "chat:lobby", "data": {"text": "hello"}});
        let answer = room.request(say).await;
        answer["data"]["said"] == "hello"
    })
    .await;
    stops(&mut backend).await;
}

/// Kills the hub, and starts it anew without the key of the backend, which must not stay there answering nothing.
async fn it_ends_when_the_hub_no_longer_takes_its_key(name: &str, installed: &[(&str, &str)]) {
    let mut hub = Hub::start().await;
    let mut backend = started(name, installed, &hub).await;
    let address = hub.addresses.grpc.to_string();
    hub.process.kill().await;
    let stranger = ApiKey::new("stranger").scopes(&["publish"]).channels(&["*"]);
    let hub = Hub::builder().unset("api_keys").api_key(&stranger).set("grpc.listen", address);
    let _hub = hub.start().await;
    assert!(!backend.exit().await.success(), "{}", backend.output());
    assert!(backend.output().contains("the hub refuses"), "{}", backend.output());
}

/// An example, ready to answer, on a hub whose tokens the test signs.
async fn started(name: &str, installed: &[(&str, &str)], hub: &Hub) -> Process {
    start(name, installed, &hub.addresses.grpc.to_string(), &ApiKey::all().secret).await
}

/// Starts an example with the line of its README, and waits until it answers.
async fn start(name: &str, installed: &[(&str, &str)], grpc: &str, key: &str) -> Process {
    let settings = format!("FANLINE_URL=http://{grpc} FANLINE_API_KEY={key}");
    let changes = [&[("FANLINE_API_KEY=fk_…", &*settings)], installed].concat();
    let example = Example::named(name);
    let mut backend = example.run(&example.line_with("FANLINE_API_KEY=", &changes));
    backend.stdout_line("that it is ready", |line| line.starts_with("answering")).await;
    backend
}

/// Ctrl-C ends it in good order.
async fn stops(backend: &mut Process) {
    backend.signal("INT");
    let status = backend.exit().await;
    // NestJS, once it has closed everything, ends by the signal after all.
    assert!(status.success() || status.code().is_none(), "{}", backend.output());
}

/// An example of cargo's, built with the tests of the workspace.
fn example_binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps");
    let path = profile.join("examples").join(name);
    assert!(path.exists(), "build it first: cargo build -p fanline-client --example {name}");
    path
}
