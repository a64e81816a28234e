//! The docs site, in a real browser.

use fanline_tests::{
    Hub, Process, Publication, Script, Token, big_catalog, fanline, get, get_with,
};
use serde_json::{Value, json};
use tokio::process::Command;

/// A catalog of 200 event types has to be readable in this many milliseconds. Measured: about 150; a machine that runs
/// other tests beside is slower.
const READY_MS: f64 = 1000.0;

fn page_of(hub: &Hub, channel: &str) -> Script {
    let token = Token::user("reader").everything_in(&["*"]).sign();
    Script::node("docs_page.mjs")
        .option("url", format!("http://{}/docs/", hub.addresses.public))
        .option("token", token)
        .option("channel", channel)
}

/// Nothing is fetched from elsewhere, nothing is complained about, and the policy is in force.
fn assert_clean(seen: &Value) {
    assert_eq!(seen["errors"], json!([]), "on the browser's console: {seen}");
    assert_eq!(seen["foreign"], json!([]), "requests to other places: {seen}");
    assert_eq!(seen["inlineRan"], false, "{seen}");
    let policy = seen["policy"].as_str().expect("a policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    for (step, held) in seen["keyboard"].as_object().expect("steps") {
        assert_eq!(held, true, "{step} with the keyboard only: {seen}");
    }
}

#[tokio::test]
async fn a_reader_finds_everything_and_sees_a_live_event() {
    let hub = Hub::builder()
        .set("catalog.path", "builtin:demo")
        .set("namespaces.orders.history_size", 10)
        .set("namespaces.ticker.history_size", 10)
        .set("docs.try_it", "full")
        .start()
        .await;
    // The script says when it watches; only then is something published for it.
    let publisher = hub.rpc().await;
    let script = page_of(&hub, "chat:lobby").option("shots", shots());
    let seen = script
        .run_and_when("watching", async {
            let mut event = Publication::to("chat:lobby", json!({ "text": "over gRPC" }));
            event.0.r#type = "message".to_owned();
            publisher.publish(event).await;
        })
        .await;
    assert_clean(&seen);
    let live = &seen["live"];
    assert_eq!(
        (&live["fromBackend"], &live["verdict"]),
        (&json!(r#"{"text":"over gRPC"}"#), &json!("good")),
        "{seen}"
    );
    assert_eq!(
        live["fromPage"],
        json!(r#"{"text":"hello"}"#),
        "the example as it stood there: {seen}"
    );
    assert!(
        live["warned"].as_str().is_some_and(|text| text.contains("must have the field text")),
        "{seen}"
    );
    let grounds: Vec<_> =
        seen["pictures"].as_array().expect("pictures").iter().map(|it| &it["ground"]).collect();
    assert!(grounds.len() == 2 && grounds[0] != grounds[1], "light and dark differ: {seen}");
    assert_eq!(seen["strays"], json!(vec!["Not found"; 5]), "{seen}");
    let headings = seen["headings"].as_array().expect("headings");
    for heading in
        ["Fanline demo", "Chat room", "WebSocket rooms", "Errors and close codes", "Try it"]
    {
        assert!(headings.contains(&json!(heading)), "{heading}: {headings:?}");
    }
}

/// Where pictures go: `FANLINE_SHOTS`, to renew those of the README; else where nobody looks.
fn shots() -> String {
    std::env::var("FANLINE_SHOTS").unwrap_or_else(|_| {
        std::env::temp_dir()
            .join(format!("fanline-shots-{}", std::process::id()))
            .display()
            .to_string()
    })
}

#[tokio::test]
async fn two_hundred_event_types_are_ready_in_a_second() {
    let mut hub = Hub::builder().set("catalog.path", "catalog");
    for (path, text) in big_catalog() {
        hub = hub.file(&format!("catalog/{path}"), &text);
    }
    for area in 0..20 {
        hub = hub.set(&format!("namespaces.area{area}.history_size"), 1);
    }
    let hub = hub.start().await;
    let seen = page_of(&hub, "none").option("shots", "none").run().await;
    assert_clean(&seen);
    let times: Vec<f64> =
        seen["readyMs"].as_array().expect("times").iter().filter_map(Value::as_f64).collect();
    println!("200 event types: ready {times:.0?} ms after the navigation began");
    // The first one also waits for the document to be made; the others say what a reader meets on a busy machine.
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(best < READY_MS, "{times:?} ms");
}

#[tokio::test]
async fn an_exported_site_works_on_any_web_server() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let site = folder.path().join("site");
    let status = fanline()
        .args(["asyncapi", "export", "--demo", "--out"])
        .arg(&site)
        .status()
        .await
        .expect("the binary starts");
    assert!(status.success());
    let page = std::fs::read_to_string(site.join("index.html")).expect("there is a page");
    assert!(page.contains("Content-Security-Policy") && page.contains("href=\"asyncapi.json\""));

    let mut server = Command::new("python3");
    server.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]).arg(&site);
    let mut server = Process::spawn("python3 -m http.server", server);
    let line = server.stdout_line("its port", |line| line.contains(" port ")).await;
    let port = line.split(" port ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a port");
    let address = format!("127.0.0.1:{port}");
    let seen = Script::node("docs_page.mjs")
        .option("url", format!("http://{address}/index.html"))
        .option("token", "none")
        .option("channel", "none")
        .option("shots", "none")
        .run()
        .await;
    assert_eq!((&seen["errors"], &seen["foreign"]), (&json!([]), &json!([])), "{seen}");
    assert_eq!(seen["inlineRan"], false, "{seen}");
}

#[tokio::test]
async fn whoever_has_a_document_already_is_told_so() {
    let hub = Hub::builder().set("docs.try_it", "off").start().await;
    let first = get(hub.addresses.public, "/asyncapi.json").await;
    assert_eq!(first.status, 200, "{}", first.head);
    let tag = first.header("etag").expect("a tag").to_owned();
    let again = get_with(hub.addresses.public, "/asyncapi.json", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(get(hub.addresses.public, "/asyncapi.json?view=nobody").await.status, 400);
    assert_eq!(get(hub.addresses.public, "/docs/none.js").await.status, 404);

    let silent = Hub::builder().set("docs.enabled", false).start().await;
    for path in ["/docs/", "/asyncapi.json", "/asyncapi.yaml"] {
        assert_eq!(get(silent.addresses.public, path).await.status, 404, "{path}");
    }
}
