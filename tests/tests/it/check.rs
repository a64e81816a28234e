//! `fanline check`: what an operator runs before the gates are opened.

use std::net::SocketAddr;

use fanline_tests::{ApiKey, Hub, Process, RedisServer, Signer, Token, fanline, free_address};

const CHANNEL: &str = "chat:check";

/// Checks these public listeners, with gRPC of `hub` and a token of its configuration or this one.
async fn check(hub: &Hub, urls: &[SocketAddr], token: Option<String>) -> (i32, Vec<String>) {
    let mut command = fanline();
    command.args(["check", "--channel", CHANNEL, "--grpc"]);
    command.arg(format!("http://{}", hub.addresses.grpc));
    command.env("FANLINE_API_KEY", ApiKey::all().secret);
    for url in urls {
        command.arg("--url").arg(format!("http://{url}"));
    }
    match token {
        Some(token) => command.env("FANLINE_TOKEN", token),
        None => command.arg("--config").arg(hub.folder().join("fanline.toml")),
    };
    let mut process = Process::spawn("fanline check", command);
    let code = process.exit().await.code().unwrap_or_else(|| panic!("{}", process.output()));
    println!("{}", process.output());
    (code, process.stdout().lines().map(str::to_owned).collect())
}

/// The lines of checks that went so, without their times.
fn lines<'a>(report: &'a [String], outcome: &str) -> Vec<&'a str> {
    let of_outcome = report.iter().filter(|line| line.starts_with(outcome));
    of_outcome.filter_map(|line| line.split_once(" ms  ")).map(|(_, what)| what).collect()
}

#[tokio::test]
async fn a_hub_that_works_passes_every_check() {
    let hub = Hub::start().await;
    let public = hub.addresses.public;
    let (code, report) = check(&hub, &[public], None).await;
    assert_eq!(code, 0, "{report:?}");
    let mut expected = vec!["gRPC publishes".to_owned()];
    for way in ["WebSocket", "SSE", "long-polling", "the uplink"] {
        expected.push(format!("http://{public}  {way} refuses a forged token"));
    }
    for way in ["WebSocket", "SSE", "long-polling"] {
        expected.push(format!("http://{public}  {way} delivers what gRPC publishes"));
        expected.push(format!("http://{public}  {way} resumes, nothing missed"));
    }
    assert_eq!(lines(&report, "ok"), expected);
    assert_eq!(report.last().map(String::as_str), Some("11 checks passed, 0 failed"));
}

#[tokio::test]
async fn two_nodes_of_one_hub_pass_and_two_hubs_do_not() {
    let redis = RedisServer::start().await;
    let [near, far] = Hub::nodes(&redis).await;
    let urls = [near.addresses.public, far.addresses.public];
    let (code, report) = check(&near, &urls, None).await;
    assert_eq!(code, 0, "{report:?}");
    let moved =
        format!("http://{}  SSE goes on where WebSocket of http://{} stood", urls[1], urls[0]);
    assert!(lines(&report, "ok").contains(&&*moved), "{report:?}");

    let stranger = Hub::start().await;
    let urls = [near.addresses.public, stranger.addresses.public];
    let (code, report) = check(&near, &urls, None).await;
    assert_eq!(code, 1, "{report:?}");
    let failed = lines(&report, "FAIL");
    for what in ["WebSocket delivers", "SSE delivers", "long-polling delivers"] {
        let line = format!("http://{}  {what} what gRPC publishes", urls[1]);
        assert!(failed.iter().any(|failed| failed.starts_with(&line)), "{line} in {failed:?}");
    }
    let near = format!("http://{}  ", urls[0]);
    assert!(!failed.iter().any(|line| line.starts_with(&near)), "{failed:?}");
}

#[tokio::test]
async fn a_token_of_another_key_fails_where_it_is_needed() {
    let hub = Hub::start().await;
    let token = Token::user("ada").everything_in(&["*"]).signed_by(Signer::Stranger).sign();
    let (code, report) = check(&hub, &[hub.addresses.public], Some(token)).await;
    assert_eq!(code, 1, "{report:?}");
    let failed = lines(&report, "FAIL");
    assert_eq!(failed.len(), 3, "{failed:?}");
    assert!(failed.iter().all(|line| line.contains("401 Unauthorized")), "{failed:?}");
    assert_eq!(lines(&report, "ok").len(), 5, "gRPC, and the forged token: {report:?}");
}

#[tokio::test]
async fn a_url_where_nobody_listens_fails_and_the_others_are_still_checked() {
    let hub = Hub::start().await;
    let dead = free_address();
    let (code, report) = check(&hub, &[dead, hub.addresses.public], None).await;
    assert_eq!(code, 1, "{report:?}");
    let (dead, alive) = (format!("http://{dead}  "), format!("http://{}  ", hub.addresses.public));
    let failed = lines(&report, "FAIL");
    assert!(failed.iter().any(|line| line.starts_with(&dead) && line.contains("there is no hub")));
    assert_eq!(lines(&report, "ok").iter().filter(|line| line.starts_with(&alive)).count(), 10);
}

#[tokio::test]
async fn without_grpc_the_forged_tokens_are_still_checked() {
    let hub = Hub::start().await;
    let mut command = fanline();
    command.args(["check", "--channel", CHANNEL, "--grpc"]);
    command.arg(format!("http://{}", free_address()));
    command.arg("--url").arg(format!("http://{}", hub.addresses.public));
    command.env("FANLINE_API_KEY", ApiKey::all().secret);
    command.env("FANLINE_TOKEN", Token::user("ada").everything_in(&["*"]).sign());
    let mut process = Process::spawn("fanline check", command);
    assert_eq!(process.exit().await.code(), Some(1), "{}", process.output());
    let report: Vec<_> = process.stdout().lines().map(str::to_owned).collect();
    let failed = lines(&report, "FAIL");
    assert!(failed.len() == 1 && failed[0].starts_with("gRPC publishes: "), "{report:?}");
    assert_eq!(lines(&report, "ok").len(), 4, "{report:?}");
}
