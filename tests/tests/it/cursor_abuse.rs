//! A cursor that no answer ever gave: refused or told, on every transport, and never somebody else's events.

use fanline_tests::{EventStream, Hub, Publication, Token, get_with, try_get};
use serde_json::Value;

const SECRET: &str = "not for ada";

fn bearer() -> String {
    format!("Bearer {}", Token::user("ada").everything_in(&["news:ada"]).sign())
}

/// Cursors, with the status of a poll, and with the reason that a stream gives for not resuming.
async fn cursors(hub: &Hub) -> Vec<(&'static str, String, u16, &'static str)> {
    let own = hub.publish(Publication::to("news:ada", "hers")).await;
    let bobs = hub.publish(Publication::to("news:bob", SECRET)).await;
    let key = "0123456789abcdef";
    vec![
        ("garbage", "garbage".to_owned(), 400, "invalid"),
        ("a NUL", "%00".to_owned(), 400, "invalid"),
        ("line ends", "a-1%0d%0aid:%20b-2".to_owned(), 400, "invalid"),
        ("not UTF-8", "%ff%fe".to_owned(), 400, "invalid"),
        ("8 KiB", "x".repeat(8 * 1024), 400, "invalid"),
        ("no offset", format!("{}-", own.epoch), 400, "invalid"),
        ("a negative offset", format!("{}--1", own.epoch), 400, "invalid"),
        ("an offset over 64 bits", format!("{}-99999999999999999999", own.epoch), 400, "invalid"),
        ("keys twice", format!("{key}-{own}.{key}-{own}"), 400, "invalid"),
        ("the largest offset", own.at(u64::MAX).to_string(), 410, "future"),
        ("a future offset", own.plus(1_000).to_string(), 410, "future"),
        ("another epoch", format!("{}-1", "Z".repeat(own.epoch.len())), 410, "epoch_changed"),
        ("another user's", bobs.to_string(), 410, "epoch_changed"),
    ]
}

#[tokio::test]
async fn a_poll_with_it_is_refused_and_shows_nothing() {
    let hub = Hub::start().await;
    let bearer = bearer();
    for (flaw, cursor, status, _) in cursors(&hub).await {
        let path = format!("/v1/poll?channel=news:ada&wait=0&cursor={cursor}");
        let answer = get_with(hub.addresses.public, &path, &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, status, "{flaw}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{flaw}");
        assert!(
            !answer.body.contains("hers") && !answer.body.contains(SECRET),
            "{flaw}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_with_it_says_so_and_goes_on_with_its_own_channel_only() {
    let hub = Hub::start().await;
    let bearer = bearer();
    for (flaw, cursor, _, reason) in cursors(&hub).await {
        for place in ["since", "last_event_id", "lastEventId"] {
            let path = format!("/v1/sse?channel=news:ada&{place}={cursor}");
            let headers = [("authorization", &*bearer)];
            let mut stream = EventStream::open(hub.addresses.public, &path, &headers).await;
            let opened = stream.named("fanline.open").await.json();
            let channel = &opened["channels"]["news:ada"];
            assert_eq!(channel["recovered"], false, "{flaw} as {place}: {opened}");
            assert_eq!(channel["reason"], reason, "{flaw} as {place}: {opened}");
            hub.publish(Publication::to("news:bob", SECRET)).await;
            hub.publish(Publication::to("news:ada", "marker")).await;
            loop {
                let event: Value = stream.named("").await.json();
                assert_eq!(event["channel"], "news:ada", "{flaw}: {event}");
                if event["data"] == "marker" {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn what_the_channel_of_another_user_holds_is_403_whatever_the_cursor() {
    let hub = Hub::start().await;
    let theirs = hub.publish(Publication::to("news:bob", SECRET)).await.at(0);
    let bearer = bearer();
    for path in ["/v1/poll?wait=0&cursor=", "/v1/sse?since="] {
        let path = format!("{path}{theirs}&channel=news:bob&channel=news:ada");
        let answer = get_with(hub.addresses.public, &path, &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        assert!(!answer.body.contains(SECRET), "{answer:?}");
    }
}

#[tokio::test]
async fn a_cursor_of_a_mebibyte_is_refused_with_its_request_and_harms_nobody() {
    let hub = Hub::start().await;
    let bearer = bearer();
    let long = "x".repeat(1024 * 1024);
    for path in ["/v1/poll?channel=news:ada&cursor=", "/v1/sse?channel=news:ada&since="] {
        let path = format!("{path}{long}");
        // A hub that refuses a head need not read it to its end, so that the answer may be lost with the connection.
        let answer = try_get(hub.addresses.public, &path, &[("authorization", &bearer)]).await;
        assert!(answer.is_none_or(|answer| [400, 414, 431].contains(&answer.status)));
    }
    let headers = [("authorization", &*bearer), ("last-event-id", &*long)];
    let answer = try_get(hub.addresses.public, "/v1/sse?channel=news:ada", &headers).await;
    assert!(answer.is_none_or(|answer| [400, 431].contains(&answer.status)));
    let path = "/v1/poll?channel=news:ada";
    let answer = get_with(hub.addresses.public, path, &[("authorization", &bearer)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
