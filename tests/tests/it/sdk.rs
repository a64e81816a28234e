//! `@fanline/client` as applications meet the world: moved between transports and nodes while events flow, on a node that
//! drains, and in a fresh project.

use fanline_proto::v1::CommandReply;
use fanline_tests::{Backend, Dev, Hub, HubBuilder, RedisServer, Script, Token, answer, free_port};
use serde_json::{Value, json};

/// What the client can speak over.
const TRANSPORTS: [&str; 3] = ["websocket", "sse", "longpoll"];
/// Events of a run.
const EVENTS: u64 = 2000;
/// Clients on two nodes, a third of them over each transport.
const CLIENTS: u64 = 120;
/// Over which a node sends its clients away.
const DRAIN_WINDOW_MS: u64 = 5000;

#[tokio::test]
async fn a_client_in_node_that_moves_between_transports_and_nodes_sees_each_event_once_in_order() {
    a_moving_client("node", &[1, 2, 3]).await;
}

#[tokio::test]
async fn a_client_in_chromium_that_moves_between_transports_and_nodes_sees_each_event_once_in_order()
 {
    a_moving_client("chromium", &[4]).await;
}

#[tokio::test]
async fn clients_of_a_node_that_drains_come_over_to_the_other_within_the_window_and_miss_nothing() {
    let redis = RedisServer::start().await;
    let [leaving, staying] = busy()
        .set("drain.window", format!("{DRAIN_WINDOW_MS}ms"))
        .set("drain.deadline", "30s")
        .nodes(&redis)
        .await;
    // One for each client, and one for who publishes.
    let tokens: Vec<String> = (0..=CLIENTS)
        .map(|number| Token::user(&format!("user{number}")).everything_in(&["news:*"]).sign())
        .collect();
    let seen = Script::node("draining.mjs")
        .option("nodes", format!("{},{}", leaving.addresses.public, staying.addresses.public))
        .option("tokens", tokens.join(","))
        .option("channel", "news:drain")
        .option("window", DRAIN_WINDOW_MS)
        .run_and_when("ready", async { leaving.process.terminate() })
        .await;
    println!("{seen}");
    assert_eq!(seen["incomplete"], json!([]), "{seen}");
    assert_eq!(seen["gaps"], 0, "{seen}");
    assert_eq!(seen["states"], json!(["connected"]), "{seen}");
    assert_eq!(seen["after"][0], 0, "{seen}");
    // On a loaded machine the clients themselves are late.
    let took = seen["tookMs"].as_u64();
    assert!(took.is_some_and(|ms| ms < 2 * DRAIN_WINDOW_MS), "{seen}");
    let buckets = seen["histogram"].as_array().expect("a histogram");
    let used = buckets.iter().filter(|count| count.as_u64() > Some(0)).count();
    assert!(used >= 5, "the reconnects are not spread: {seen}");
}

#[tokio::test]
async fn a_call_is_answered_over_each_transport_at_once_or_in_parts() {
    let hub = Hub::start().await;
    let mut backend = Backend::serve(&hub.rpc().await, &["sum.*"], 8).await;
    let script = Script::node("calling.mjs")
        .option("url", format!("http://{}", hub.addresses.public))
        .option("token", Token::user("ada").sign())
        .option("transports", TRANSPORTS.join(","))
        .run();
    let seen = tokio::select! {
        seen = script => seen,
        () = count(&mut backend) => unreachable!("it counts for ever"),
    };
    for transport in TRANSPORTS {
        let seen = &seen[transport];
        assert_eq!(seen["parts"], json!([1, 2]), "{transport}: {seen}");
        assert_eq!((&seen["last"], &seen["only"]), (&json!(3), &json!(3)), "{transport}: {seen}");
        let refused = json!({"reason": "ABORTED", "message": "not today"});
        assert_eq!(seen["refused"], refused, "{transport}");
    }
}

/// Answers `sum.count` with the numbers up to the one that was sent, and `sum.fail` with an error.
async fn count(backend: &mut Backend) {
    loop {
        let command = backend.command().await;
        if command.method == "sum.fail" {
            let error = tonic_types::pb::Status {
                code: tonic::Code::Aborted.into(),
                message: "not today".to_owned(),
                ..Default::default()
            };
            let id = command.id.clone();
            backend.reply(CommandReply { id, error: Some(error), ..Default::default() }).await;
            continue;
        }
        let data: Value = serde_json::from_slice(&command.data).expect("JSON");
        let to = data["to"].as_u64().expect("a number");
        for number in 1..=to {
            let reply = answer(&command, number);
            backend.reply(CommandReply { more: number < to, ..reply }).await;
        }
    }
}

#[tokio::test]
async fn a_page_whose_network_comes_back_is_there_again_and_has_missed_nothing() {
    let port = free_port();
    let origins = vec![format!("http://127.0.0.1:{port}")];
    let hub = Hub::builder().set("public.allowed_origins", origins).start().await;
    let seen = Script::node("page_life.mjs")
        .option("hub", hub.addresses.public)
        .option("port", port)
        .option("token", Token::user("ada").everything_in(&["news:*"]).sign())
        .option("transports", TRANSPORTS.join(","))
        .run()
        .await;
    println!("{seen}");
    for transport in TRANSPORTS {
        let seen = &seen[transport];
        assert_eq!(seen["data"], json!(["before", "meanwhile", "after"]), "{transport}: {seen}");
        assert_eq!(seen["gaps"], 0, "{transport}: {seen}");
    }
}

#[tokio::test]
async fn the_example_of_its_readme_works_in_a_fresh_vite_project() {
    let port = free_port();
    let origins = format!("[\"http://127.0.0.1:{port}\"]");
    let mut dev = Dev::start_with(&[("FANLINE_PUBLIC__ALLOWED_ORIGINS", &origins)]);
    let hub = dev.public().await;
    let token = dev.token().await;
    let seen = Script::node("vite.mjs")
        .option("hub", format!("http://{hub}"))
        .option("token", token)
        .option("port", port)
        .run()
        .await;
    assert_eq!(seen["errors"], json!([]), "{seen}");
    let said = seen["said"].as_array().expect("what the page's console holds");
    let says_hello = |line: &Value| line.as_str().is_some_and(|line| line.contains("hello"));
    assert!(said.iter().any(says_hello), "{seen}");
}

async fn a_moving_client(place: &str, seeds: &[u64]) {
    let port = free_port();
    let redis = RedisServer::start().await;
    let origins = vec![format!("http://127.0.0.1:{port}")];
    let [near, far] = busy().set("public.allowed_origins", origins).nodes(&redis).await;
    for seed in seeds {
        let seen = Script::node("moving.mjs")
            .option("where", place)
            .option("nodes", format!("{},{}", near.addresses.public, far.addresses.public))
            .option("port", port)
            .option("token", Token::user("ada").everything_in(&["news:*"]).sign())
            .option("channel", format!("news:moving{seed}"))
            .option("total", EVENTS)
            .option("seed", seed)
            .run()
            .await;
        println!(
            "{place}, seed {seed}: {} events, links {}, connections by node {}",
            seen["data"].as_array().map_or(0, Vec::len),
            seen["connected"],
            seen["taken"]
        );
        let expected: Vec<u64> = (0..EVENTS).collect();
        assert_eq!(seen["data"], json!(expected), "seed {seed}");
        assert_eq!(seen["gaps"], json!([]), "seed {seed}");
        assert_eq!(seen["errors"], json!([]), "seed {seed}");
        for transport in TRANSPORTS {
            let links = seen["connected"][transport].as_u64();
            assert!(links.is_some_and(|links| links >= 2), "seed {seed}: {}", seen["connected"]);
        }
        let both = |taken: &Vec<Value>| taken.iter().all(|count| count.as_u64() > Some(0));
        assert!(seen["taken"].as_array().is_some_and(both), "seed {seed}: {}", seen["taken"]);
    }
}

/// Hubs whose limits a script of many clients does not meet.
fn busy() -> HubBuilder {
    Hub::builder()
        .for_a_crowd()
        .set("limits.operations_per_second", 100_000)
        .set("limits.operations_burst", 100_000)
}
