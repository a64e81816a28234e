//! The commands that a newcomer types.

use std::path::Path;

use fanline_tests::{ApiKey, Dev, Hub, Process, Publication, RedisServer, Token, Upgrade, fanline};
use serde_json::{Value, json};

#[tokio::test]
async fn dev_prints_lines_to_paste_that_deliver() {
    let mut dev = Dev::start();
    let subscribe = dev.command_with("fanline subscribe ").await;
    let publish = dev.command_with("fanline publish ").await;

    let data = &publish[publish.find('{').expect("JSON")..=publish.rfind('}').expect("JSON")];

    let mut subscriber = Process::pasted(&subscribe);
    let mut publisher = Process::pasted(&publish);
    // The subscriber may come a moment too late for the first event: it is published until one arrives.
    let arrived = subscriber.stdout_line("the event", |line| line.contains(data));
    tokio::pin!(arrived);
    loop {
        tokio::select! {
            _ = &mut arrived => break,
            status = publisher.exit() => {
                assert!(status.success(), "{}", publisher.output());
                publisher = Process::pasted(&publish);
            }
        }
    }
}

#[tokio::test]
async fn devs_token_opens_a_room_that_hears_what_is_published_over_grpc() {
    let mut dev = Dev::start();
    let token = dev.token().await;
    let address = dev.public().await;
    let publish = dev.command_with("fanline publish ").await;
    let channel = publish
        .split_whitespace()
        .find(|word| word.contains(':') && !word.contains("//"))
        .expect("the line names a channel")
        .trim_matches('\'')
        .to_owned();

    let mut room = Upgrade::to(address).bearer(&token).open().await;
    room.join(&channel).await;
    let mut publisher = Process::pasted(&publish);
    assert!(publisher.exit().await.success(), "{}", publisher.output());
    let event = room.event().await;
    assert_eq!(event["channel"], channel.as_str());
}

#[tokio::test]
async fn dev_prints_lines_for_other_tools_too() {
    let mut dev = Dev::start();
    let websocat = dev.line_with("websocat").await;
    assert!(websocat.contains("/v1/ws"), "{websocat}");
    let grpcurl = dev.line_with("grpcurl").await;
    assert!(grpcurl.contains("fanline.v1.Publisher/Publish"), "{grpcurl}");
}

#[tokio::test]
async fn two_devs_do_not_share_their_keys() {
    let mut first = Dev::start();
    let mut second = Dev::start();
    let token = first.token().await;
    assert_ne!(token, second.token().await);
    let address = second.public().await;
    let refusal = Upgrade::to(address).bearer(&token).refused().await;
    assert!(refusal.is_invalid_token(), "{refusal:?}");
}

#[tokio::test]
async fn publish_and_subscribe_work_against_a_hub_in_production() {
    let hub = Hub::start().await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:lobby").await;
    let mut publisher = on(&hub, &["publish", "chat:lobby", r#"{"text":"from a shell"}"#]);
    assert!(publisher.exit().await.success(), "{}", publisher.output());
    assert_eq!(room.event().await["data"], json!({"text": "from a shell"}));

    let mut subscriber = on(&hub, &["subscribe", "chat:lobby", "--since", "earliest", "--json"]);
    let line = subscriber.stdout_line("the event", |line| line.contains("from a shell")).await;
    let event: Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(event["data"], json!({"text": "from a shell"}));
    hub.publish(Publication::to("chat:lobby", "second")).await;
    subscriber.stdout_line("the next event", |line| line.contains("second")).await;
}

#[tokio::test]
async fn publish_says_what_it_waits_for_and_goes_on_when_it_is_back() {
    let mut redis = RedisServer::start().await;
    let hub = Hub::builder().on(&redis).start().await;
    redis.kill();

    let mut impatient = on(&hub, &["publish", "chat:lobby", "1", "--patience", "1ms"]);
    assert!(!impatient.exit().await.success());
    assert!(impatient.stderr().contains("gave up after 1ms"), "{}", impatient.output());

    let mut publisher = on(&hub, &["publish", "chat:lobby", "1", "--patience", "150s"]);
    let line =
        publisher.stderr_line("what it waits for", |line| line.contains("not published yet")).await;
    assert!(line.contains("BROKER_UNAVAILABLE") && line.contains("for up to 1"), "{line}");
    redis.restart().await;
    assert!(publisher.exit().await.success(), "{}", publisher.output());
    assert!(publisher.stdout().contains("event "), "{}", publisher.output());
}

#[tokio::test]
async fn subscribe_says_that_the_hub_is_away_and_that_it_is_back() {
    let builder = Hub::builder();
    let mut hub = builder.clone().start().await;
    let mut subscriber = on(&hub, &["subscribe", "chat:lobby"]);
    subscriber.stderr_line("its start", |line| line.contains("following chat:lobby")).await;
    hub.process.kill().await;
    subscriber.stderr_line("the break", |line| line.contains("waiting for the hub")).await;

    let hub = builder.set("grpc.listen", hub.addresses.grpc.to_string()).start().await;
    subscriber.stderr_line("the end of it", |line| line.contains("the hub is back after")).await;
    hub.publish(Publication::to("chat:lobby", "again")).await;
    subscriber.stdout_line("the event", |line| line.contains("again")).await;
}

#[tokio::test]
async fn a_command_that_fails_says_why_and_exits_so() {
    let hub = Hub::start().await;
    let mut command = fanline();
    command.args(["publish", "chat:lobby", "1", "--api-key", "wrong", "--url"]);
    command.arg(format!("http://{}", hub.addresses.grpc));
    let mut process = Process::spawn("fanline publish", command);
    assert!(!process.exit().await.success());
    assert!(process.stderr().contains("UNAUTHENTICATED"), "{}", process.output());
}

#[tokio::test]
async fn a_command_sent_to_the_public_listener_is_told_where_grpc_is() {
    let hub = Hub::start().await;
    let mut command = fanline();
    command.args(["publish", "chat:lobby", "1", "--api-key", "any", "--url"]);
    command.arg(format!("http://{}", hub.addresses.public));
    let mut process = Process::spawn("fanline publish", command);
    assert!(!process.exit().await.success());
    assert!(process.stderr().contains("[grpc] listen"), "{}", process.output());
}

#[tokio::test]
async fn a_token_that_no_hub_would_take_is_not_minted() {
    let mut nothing = run(&["token", "--sub", "u1"]);
    assert!(!nothing.exit().await.success());
    assert!(nothing.stderr().contains("give --config, or --key"), "{}", nothing.output());

    let mut command = fanline();
    command.args(["token", "--key", "env:SHORT"]).env("SHORT", "31 bytes are one byte too few..");
    let mut short = Process::spawn("fanline token", command);
    assert!(!short.exit().await.success());
    assert!(short.stderr().contains("fewer than 32"), "{}", short.output());
}

#[tokio::test]
async fn key_makes_a_key_and_the_hash_to_configure() {
    let mut process = run(&["key"]);
    assert!(process.exit().await.success(), "{}", process.output());
    let output = process.stdout();
    let words: Vec<&str> = output.split(|c: char| c.is_whitespace() || c == '"').collect();
    let hash = words.iter().find(|word| word.starts_with("sha256:")).expect("a hash");
    let matches = |word: &&&str| ApiKey::hash_of(word) == **hash;
    assert!(words.iter().find(matches).is_some(), "no word of {output:?} has this hash");
    let mut second = run(&["key"]);
    second.exit().await;
    assert_ne!(output, second.stdout());
}

#[tokio::test]
async fn the_default_configuration_is_explained_and_can_be_checked() {
    let mut process = run(&["config", "default"]);
    assert!(process.exit().await.success(), "{}", process.output());
    let text = process.stdout();
    for section in
        ["[public]", "[grpc]", "[ops]", "[limits]", "[history]", "[drain]", "[telemetry]"]
    {
        assert!(text.contains(section), "no {section} in\n{text}");
    }
    assert!(text.contains("\"25s\""), "durations are written as they are read");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = folder.path().join("good.toml");
    std::fs::write(&good, Hub::builder().text()).expect("the folder is ours");
    let mut process = check(&good);
    assert!(process.exit().await.success(), "{}", process.output());

    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, Hub::builder().set("limits.wirte_timeout", "1s").text())
        .expect("the folder is ours");
    let mut process = check(&bad);
    assert!(!process.exit().await.success());
    assert!(process.stderr().contains("write_timeout"), "{}", process.output());
}

#[tokio::test]
async fn token_mints_what_the_hub_of_that_configuration_takes() {
    let builder = Hub::builder();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("fanline.toml");
    std::fs::write(&path, builder.text()).expect("the folder is ours");
    let hub = builder.start().await;
    let mut command = fanline();
    command.args(["token", "--sub", "ada", "--subscribe", "chat:*", "--config"]).arg(path);
    let mut process = Process::spawn("fanline token", command);
    assert!(process.exit().await.success(), "{}", process.output());
    let token = process.stdout();
    let mut room = hub.upgrade().bearer(token.trim()).open().await;
    assert_eq!(room.welcome["user"], "ada");
    room.join("chat:lobby").await;
    let publish = json!({"op": "publish", "channel": "chat:lobby", "type": "note", "data": 1});
    assert_eq!(room.refused(publish).await, "PERMISSION_DENIED");
}

fn run(arguments: &[&str]) -> Process {
    let mut command = fanline();
    command.args(arguments);
    Process::spawn("fanline", command)
}

fn check(path: &Path) -> Process {
    let mut command = fanline();
    command.args(["config", "check", "--config"]).arg(path);
    Process::spawn("fanline config check", command)
}

/// A command that calls the hub, with a key that may do everything.
fn on(hub: &Hub, arguments: &[&str]) -> Process {
    let mut command = fanline();
    command.args(arguments);
    command.arg("--url").arg(format!("http://{}", hub.addresses.grpc));
    command.arg("--api-key").arg(ApiKey::all().secret);
    Process::spawn("fanline", command)
}
