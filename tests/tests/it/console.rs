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
    assert!(seen["log"].as_str().is_some_and(|log| log.contains("from the page")), "{seen}");
    assert!(seen["log"].as_str().is_some_and(|log| log.contains("console.test")), "{seen}");
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
