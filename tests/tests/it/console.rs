//! The console page of `fanline dev`, in a real browser.

use fanline_tests::{Dev, Script, get};
use serde_json::json;

#[tokio::test]
async fn the_console_joins_publishes_and_shows_the_event() {
    let mut dev = Dev::start();
    let address = dev.public().await;
    let token = dev.token().await;
    let seen = Script::node("console.mjs")
        .option("url", format!("http://{address}/"))
        .option("token", token)
        .run()
        .await;
    let nothing = json!([]);
    assert_eq!(seen["errors"], nothing, "on the browser's console: {seen}");
    assert_eq!(seen["foreign"], nothing, "requests to other places: {seen}");
    let shown =
        |field: &str, part: &str| seen[field].as_str().is_some_and(|text| text.contains(part));
    assert!(shown("log", "from the page") && shown("log", "console.test"), "{seen}");
    assert!(shown("log", "nothing missed"), "after a broken connection: {seen}");
    let channel = seen["channel"].as_str().expect("a channel");
    assert!(shown("status", channel), "{seen}");
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
