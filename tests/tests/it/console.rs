//! The console page of `fanline dev`, in a real browser.

use fanline_tests::{Dev, Script, get};
use serde_json::json;

#[tokio::test]
async fn the_console_shows_a_room_over_each_transport_and_over_all_side_by_side() {
    let mut dev = Dev::start();
    let address = dev.public().await;
    let token = dev.token().await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let seen = Script::node("console.mjs")
        .option("url", format!("http://{address}/"))
        .option("token", token)
        .option("picture", folder.path().join("console.png").display())
        .run()
        .await;
    let nothing = json!([]);
    assert_eq!(seen["errors"], nothing, "on the browser's console: {seen}");
    assert_eq!(seen["foreign"], nothing, "requests to other places: {seen}");
    let log = seen["log"].as_str().expect("a log");
    for part in ["over WebSocket", "over SSE", "over long-polling", "nothing missed"] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    for lost in ["gap", "not resumed"] {
        assert!(!log.contains(lost), "{log}");
    }
    assert_eq!(
        seen["titles"],
        json!(["WebSocket: connected", "SSE: connected", "long-polling: connected"])
    );
    let channel = seen["channel"].as_str().expect("a channel");
    assert_eq!(seen["status"], format!("joined {channel}"));
}

#[tokio::test]
async fn the_console_runs_no_script_but_its_own() {
    let mut dev = Dev::start();
    let page = get(dev.public().await, "/").await;
    assert_eq!(page.status, 200, "{}", page.head);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(
        policy.contains("default-src 'none'") || policy.contains("default-src 'self'"),
        "{policy}"
    );
    for loose in ["unsafe-inline", "unsafe-eval", "http:", "https:", "*"] {
        assert!(!policy.contains(loose), "{policy}");
    }
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{}", page.head);
    assert!(
        !page.body.contains("onclick") && !page.body.contains("style="),
        "the policy forbids these"
    );
}
