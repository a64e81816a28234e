//! Long-polling: a cursor says what was seen, and no answer that gets lost loses an event.
//!
//! What is promised, and the test of each, here, in `poll_faults` and `cursor_abuse`, or in `bridges/longpoll/tests/polls.rs`:
//!
//! 1. A cursor is all: `any_node_answers_any_poll_also_when_the_one_that_was_asked_is_killed`.
//! 2. It is acknowledged only by its use: `answers_of_which_every_third_is_lost_lose_and_double_nothing`.
//! 3. A poll listens before it reads: `an_event_that_comes_while_history_is_read_is_in_the_answer`.
//! 4. Every answer has the next one, also past what is not for the client: `the_cursor_moves_past_what_is_not_for_the_client`.
//! 5. What is lost is told: `lost_history_is_410_with_two_ways_to_go_on`, and
//!    `history_that_cannot_be_read_now_is_503_and_no_reset`.
//! 6. It covers all channels, and they may change:
//!    `a_set_of_channels_that_changes_with_each_poll_goes_on_in_those_that_stay`.
//! 7. It is good on every transport: `a_client_may_change_between_polls_and_a_stream_and_misses_nothing`.
//! 8. Events keep id and order: `the_same_cursor_shows_the_same_events_with_the_same_ids`.
//! 9. One cursor may be used by several polls at once: `two_polls_with_one_cursor_get_the_same_or_one_of_them_more`.
//! 10. Who has more to read does not wait: `a_batch_is_as_long_as_asked_and_says_that_there_is_more`.
//! 11. Who is gone waits no more: `two_hundred_waiting_polls_that_are_cut_are_gone_at_once`.
//! 12. A token is verified once: `polls_with_a_token_that_is_known_cost_no_attempt_to_connect`.

use fanline_tests::{EventStream, HttpAnswer, Hub, Metrics, Publication, Token, get_with};
use serde_json::{Value, json};

/// The label of those that wait.
const POLLS: &str = "transport=\"poll\"";

fn bearer() -> String {
    format!("Bearer {}", Token::user("ada").everything_in(&["news:*", "brief:*"]).sign())
}

async fn ask(hub: &Hub, query: &str) -> HttpAnswer {
    let path = format!("/v1/poll?{query}");
    get_with(hub.addresses.public, &path, &[("authorization", &bearer())]).await
}

/// A poll that is answered with a batch.
async fn poll(hub: &Hub, query: &str) -> Value {
    let answer = ask(hub, query).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let batch = answer.json();
    assert_eq!(answer.header("fanline-cursor"), batch["cursor"].as_str(), "{answer:?}");
    batch
}

fn cursor(batch: &Value) -> String {
    batch["cursor"].as_str().unwrap_or_else(|| panic!("no cursor in {batch}")).to_owned()
}

fn data(batch: &Value) -> Vec<Value> {
    let events = batch["events"].as_array().unwrap_or_else(|| panic!("no events in {batch}"));
    events.iter().map(|event| event["data"].clone()).collect()
}

#[tokio::test]
async fn a_channel_that_is_refused_among_others_is_named_on_both_transports() {
    let hub = Hub::start().await;
    for (bad, name, status) in [("vault:a", "vault:a", 403), ("a%20b", "a b", 400)] {
        for path in ["poll", "sse"] {
            let path = format!("/v1/{path}?channel=news:a&channel={bad}&channel=news:b");
            let headers = [("authorization", &*bearer()), ("accept", "*/*")];
            let answer = get_with(hub.addresses.public, &path, &headers).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            assert_eq!(answer.json()["channel"], name, "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_comes_between_two_polls_is_in_the_next_and_the_same_cursor_gives_it_again() {
    let hub = Hub::start().await;
    let first = poll(&hub, "channel=news:a").await;
    assert_eq!((data(&first), &first["more"]), (vec![], &json!(false)));
    hub.rpc().await.publish_numbers("news:a", 1..=3).await;
    let query = format!("channel=news:a&cursor={}", cursor(&first));
    // The first answer was lost; the client asks again with what it has.
    let lost = poll(&hub, &query).await;
    let again = poll(&hub, &query).await;
    assert_eq!((data(&lost), data(&again)), (vec![1.into(), 2.into(), 3.into()], data(&lost)));
    let query = format!("channel=news:a&wait=0&cursor={}", cursor(&again));
    assert_eq!(data(&poll(&hub, &query).await), [0; 0]);
}

#[tokio::test]
async fn a_poll_that_waits_is_answered_by_the_next_event() {
    let hub = Hub::start().await;
    let first = poll(&hub, "channel=news:a").await;
    let query = format!("channel=news:a&wait=50&cursor={}", cursor(&first));
    let (batch, ()) = tokio::join!(poll(&hub, &query), async {
        Metrics::until(hub.addresses.ops, "fanline_connections", POLLS, 1.0).await;
        hub.publish(Publication::to("news:a", "hello")).await;
    });
    assert_eq!(data(&batch), ["hello"]);
}

#[tokio::test]
async fn a_batch_is_as_long_as_asked_and_says_that_there_is_more() {
    let hub = Hub::start().await;
    hub.rpc().await.publish_numbers("news:a", 1..=5).await;
    let first = poll(&hub, "channel=news:a&since=earliest&max=2").await;
    assert_eq!((data(&first), &first["more"]), (vec![1.into(), 2.into()], &json!(true)));
    let rest = poll(&hub, &format!("channel=news:a&cursor={}", cursor(&first))).await;
    assert_eq!((data(&rest), &rest["more"]), (vec![3.into(), 4.into(), 5.into()], &json!(false)));
}

#[tokio::test]
async fn nothing_new_is_304_for_who_has_the_tag() {
    let hub = Hub::start().await;
    let first = ask(&hub, "channel=news:a").await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(tag, format!("W/\"{}\"", cursor(&first.json())));
    let path = format!("/v1/poll?channel=news:a&wait=0&cursor={}", cursor(&first.json()));
    let headers = [("authorization", &*bearer()), ("if-none-match", &*tag)];
    assert_eq!(get_with(hub.addresses.public, &path, &headers).await.status, 304);
    hub.publish(Publication::to("news:a", 1)).await;
    assert_eq!(get_with(hub.addresses.public, &path, &headers).await.status, 200);
}

#[tokio::test]
async fn lost_history_is_410_with_two_ways_to_go_on() {
    // Else the node itself would still have it.
    let hub = Hub::builder().set("limits.ring_events", 4).start().await;
    let rpc = hub.rpc().await;
    let first = cursor(&poll(&hub, "channel=brief:a").await);
    rpc.publish_numbers("brief:a", 1..=20).await;
    let gone = ask(&hub, &format!("channel=brief:a&cursor={first}")).await;
    assert_eq!(gone.status, 410, "{gone:?}");
    let problem = gone.json();
    assert_eq!((&problem["reset"], &problem["reason"]), (&json!(true), &json!("POSITION_LOST")));
    assert_eq!(problem["channels"]["brief:a"]["reason"], "trimmed", "{problem}");
    let oldest = problem["oldest"].as_str().expect("a cursor");
    let held = poll(&hub, &format!("channel=brief:a&cursor={oldest}")).await;
    assert_eq!(json!(data(&held)), json!((11..=20).collect::<Vec<u64>>()));
    let live = format!("channel=brief:a&wait=0&cursor={}", cursor(&problem));
    assert_eq!(data(&poll(&hub, &live).await), [0; 0]);
}

#[tokio::test]
async fn a_client_may_change_between_polls_and_a_stream_and_misses_nothing() {
    let hub = Hub::start().await;
    let rpc = hub.rpc().await;
    let channels = "channel=news:a&channel=news:b";
    let polled = poll(&hub, channels).await;
    rpc.publish(Publication::to("news:a", 1)).await;
    let stream = format!("/v1/sse?{channels}&since={}", cursor(&polled));
    let headers = [("authorization", &*bearer())];
    let mut stream = EventStream::open(hub.addresses.public, &stream, &headers).await;
    stream.named("fanline.open").await;
    assert_eq!(stream.named("").await.json()["data"], 1);
    let seen = stream.named("fanline.cursor").await.id.expect("a cursor");
    drop(stream);
    rpc.publish(Publication::to("news:b", 2)).await;
    let batch = poll(&hub, &format!("{channels}&cursor={seen}")).await;
    assert_eq!(data(&batch), [2]);
}

#[tokio::test]
async fn a_drain_answers_who_waits() {
    let mut hub = Hub::builder().set("drain.window", "500ms").start().await;
    let first = poll(&hub, "channel=news:a").await;
    let (public, ops) = (hub.addresses.public, hub.addresses.ops);
    let path = format!("/v1/poll?channel=news:a&wait=50&cursor={}", cursor(&first));
    let bearer = bearer();
    let waiting = async { get_with(public, &path, &[("authorization", &bearer)]).await };
    let (answer, ()) = tokio::join!(waiting, async {
        Metrics::until(ops, "fanline_connections", POLLS, 1.0).await;
        hub.process.terminate();
    });
    assert_eq!((answer.status, cursor(&answer.json())), (200, cursor(&first)));
    assert_eq!(hub.process.exit().await.code(), Some(0), "{}", hub.process.output());
}
