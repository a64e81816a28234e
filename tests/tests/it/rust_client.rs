//! `fanline-client` against the real hub, also one that is killed and started anew while the client works.

use std::sync::Arc;
use std::time::Duration;

use fanline_client::{Call, Client, Code, Item, Publication, Refusal, Reply, Selector, Worker};
use fanline_tests::{
    ApiKey, Authority, DEADLINE, Hub, RedisServer, Room, Token, eventually, until, within,
};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinSet;

/// Events of a run; the hub is killed after the first third.
const EVENTS: u64 = 300;

#[tokio::test]
async fn events_come_once_and_in_order_though_the_hub_is_killed_and_started_anew() {
    let redis = RedisServer::start().await;
    let builder = Hub::builder().on(&redis);
    let mut hub = builder.clone().start().await;
    let client = client(&hub);
    let mut subscription = client.subscribe([Selector::live("news:a")]);
    let first = within(DEADLINE, "the subscription", subscription.next()).await;
    assert!(matches!(first, Ok(Item::Subscribed { .. })), "{first:?}");

    let mut working = JoinSet::new();
    let (third_is_out, third) = oneshot::channel();
    working.spawn(async move {
        let mut third_is_out = Some(third_is_out);
        for number in 1..=EVENTS {
            let publish = client.publish(numbered(number));
            within(DEADLINE, "the publish", publish).await.expect("the hub comes back");
            if number == EVENTS / 3 {
                third_is_out.take().expect("once").send(()).expect("the test waits");
            }
        }
    });
    working.spawn(async move {
        let mut numbers = Vec::new();
        let mut interruptions = Vec::new();
        let mut resumptions = 0;
        while numbers.len() < usize::try_from(EVENTS).expect("it is small") {
            let item = within(DEADLINE, "an event", subscription.next()).await;
            match item.expect("it goes on") {
                Item::Event(event) => numbers.push(event.json::<u64>().expect("a number")),
                Item::Interrupted(failure) => interruptions.push(failure),
                Item::Resumed => resumptions += 1,
                item @ (Item::Subscribed { .. } | Item::Gap(_)) => panic!("not an event: {item:?}"),
            }
        }
        assert_eq!(numbers, (1..=EVENTS).collect::<Vec<_>>());
        assert_eq!(interruptions.len(), 1, "the hub was away once: {interruptions:?}");
        assert_eq!(resumptions, 1, "and came back once");
    });
    third.await.expect("a third is published");
    let address = hub.addresses.grpc.to_string();
    hub.process.kill().await;
    let _hub = builder.set("grpc.listen", address).start().await;
    while let Some(done) = working.join_next().await {
        done.expect("both hold");
    }
}

#[tokio::test]
async fn what_the_hub_refuses_is_told_at_once_with_its_reason() {
    let hub = Hub::start().await;
    let stranger = Client::builder(url(&hub)).api_key("fk_unknown").build().expect("a client");
    let refused = stranger.publish(numbered(1)).await.expect_err("nobody knows the key");
    assert_eq!((refused.code, &*refused.reason), (Code::Unauthenticated, "UNAUTHENTICATED"));
    assert!(!refused.is_retryable());

    let client = client(&hub);
    let nowhere = Publication::json("nowhere:a", "note", &1).expect("JSON");
    let refused = client.publish(nowhere).await.expect_err("no such namespace");
    assert_eq!(refused.reason, "UNKNOWN_NAMESPACE");
    let refused = client.subscribe([Selector::live("nowhere:a")]).next().await;
    assert_eq!(refused.expect_err("no such namespace").reason, "UNKNOWN_NAMESPACE");

    let first = client.publish(numbered(1).idempotency_key("one")).await.expect("it is taken");
    let again = client.publish(numbered(1).idempotency_key("one")).await.expect("it is known");
    assert!(!first.duplicate && again.duplicate);
    assert_eq!((first.event_id, first.position), (again.event_id, again.position));
}

#[tokio::test]
async fn over_tls_it_trusts_whom_it_is_told_to_and_nobody_else() {
    let authority = Authority::new();
    let hub = Hub::builder()
        .set("tls.cert", authority.reference("cert.pem"))
        .set("tls.key", authority.reference("key.pem"))
        .start()
        .await;
    let builder = Client::builder(format!("https://localhost:{}", hub.addresses.grpc.port()))
        .api_key(ApiKey::all().secret);
    let pem = std::fs::read(authority.path("ca.pem")).expect("it was written");
    let client = builder.clone().authority(pem).build().expect("a client");
    client.publish(numbered(1)).await.expect("a handshake");

    let short = Duration::from_millis(300);
    let stranger = builder.publish_patience(short).build().expect("a client");
    let refused = stranger.publish(numbered(2)).await.expect_err("the system does not know it");
    assert_eq!(refused.reason, "UNREACHABLE", "{refused}");
}

#[tokio::test]
async fn a_handler_replies_streams_refuses_breaks_down_publishes_and_moves_its_caller() {
    let hub = Hub::start().await;
    let serving = Serving::start(client(&hub).serve(["chat.*"], handle)).await;
    let mut room = hub.room(&Token::user("ada").everything_in(&["chat:*"])).await;
    room.join("chat:old").await;
    answered(&mut room).await;

    let mut call = async |method: &str, data: Value| {
        room.request(json!({"op": "call", "method": method, "data": data})).await
    };
    assert_eq!(call("chat.double", json!(21)).await["data"], 42);
    let refused = call("chat.double", json!("x")).await;
    assert_eq!(refused["reason"], "INVALID_ARGUMENT", "{refused}");
    let refused = call("chat.lock", json!(null)).await;
    assert_eq!(refused["reason"], "ROOM_LOCKED", "{refused}");
    assert_eq!(refused["message"], "it is locked");
    assert_eq!(refused["retry_after_ms"], 1500, "{refused}");
    assert_eq!(call("chat.panic", json!(null)).await["reason"], "INTERNAL");
    let first = call("chat.count", json!(3)).await;
    assert_eq!((&first["data"], &first["more"]), (&json!(1), &json!(true)), "{first}");
    let id = first["id"].as_u64().expect("our id");
    let second = room.next_with_id(id).await;
    assert_eq!((&second["data"], &second["more"]), (&json!(2), &json!(true)), "{second}");
    assert_eq!(room.next_with_id(id).await, json!({"op": "reply", "id": id, "data": 3}));

    let mut bob = hub.room(&Token::user("bob").everything_in(&["chat:*"])).await;
    bob.join("chat:old").await;
    let moved = json!({"op": "call", "method": "chat.move", "data": {"to": "chat:new"}});
    assert_eq!(room.request(moved).await["data"], json!(null));
    assert_eq!(bob.event().await["data"], "bye");
    assert_eq!(room.take_unread("joined")["channel"], "chat:new");
    assert_eq!(room.take_unread("left")["channel"], "chat:old");
    serving.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_answers_what_it_has() {
    let hub = Hub::start().await;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes_on) = (Arc::clone(&begun), Arc::clone(&go_on));
    let handler = move |_call: Call| {
        let (begins, goes_on) = (Arc::clone(&begins), Arc::clone(&goes_on));
        async move {
            begins.notify_one();
            goes_on.notified().await;
            Reply::json(&"done")
        }
    };
    let worker = client(&hub).serve(["slow.*"], handler).max_in_flight(1);
    let serving = Serving::start(worker).await;
    let mut room = hub.room(&Token::user("ada")).await;
    let frame = json!({"op": "call", "id": 101, "method": "slow.work", "data": 1});
    eventually("a worker", async || {
        room.send_text(&frame.to_string()).await;
        tokio::select! {
            () = begun.notified() => Some(()),
            answer = room.next_with_id(101) => {
                assert_eq!(answer["reason"], "NO_HANDLER");
                None
            }
        }
    })
    .await;
    let stopped = serving.stop();
    go_on.notify_one();
    let (reply, ()) = tokio::join!(room.next_with_id(101), stopped);
    assert_eq!(reply["data"], "done", "{reply}");
    let late = json!({"op": "call", "method": "slow.work", "data": 2});
    assert_eq!(room.refused(late).await, "NO_HANDLER");
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_ends_in_time_though_the_hub_reads_nothing() {
    // Twice as many as may wait to be sent, and far more bytes than the hub's window on a stream takes (256 KiB).
    const CALLS: u32 = 128;
    const REPLY_BYTES: usize = 64 * 1024;
    let hub = Hub::builder()
        .set("limits.commands_in_flight", CALLS)
        .set("limits.operations_burst", 2 * CALLS)
        .start()
        .await;
    let stages = Arc::new([(); 3].map(|()| Semaphore::new(0)));
    let handler = {
        let stages = Arc::clone(&stages);
        move |_call: Call| {
            let stages = Arc::clone(&stages);
            async move {
                let [begun, go_on, replying] = &*stages;
                begun.add_permits(1);
                go_on.acquire().await.expect("it stays open").forget();
                replying.add_permits(1);
                Reply::json(&"x".repeat(REPLY_BYTES))
            }
        }
    };
    let served = Arc::new(Notify::new());
    let serves = Arc::clone(&served);
    let worker = client(&hub)
        .serve(["slow.*"], handler)
        .max_in_flight(CALLS)
        .drain_timeout(Duration::from_secs(1))
        .on_serving(move || serves.notify_one());
    let serving = Serving::start(worker).await;
    within(DEADLINE, "the registration", served.notified()).await;
    let mut room = hub.room(&Token::user("ada")).await;
    for id in 0..CALLS {
        let call = json!({"op": "call", "id": id, "method": "slow.work"});
        room.send_text(&call.to_string()).await;
    }
    let [begun, go_on, replying] = &*stages;
    let all = begun.acquire_many(CALLS);
    within(DEADLINE, "the commands", all).await.expect("it stays open").forget();
    hub.process.signal("STOP");
    go_on.add_permits(CALLS as usize);
    let all = replying.acquire_many(CALLS);
    within(DEADLINE, "the replies", all).await.expect("it stays open").forget();
    serving.stop().await;
}

#[tokio::test]
async fn a_handler_that_hangs_gives_its_place_back_when_its_caller_leaves() {
    let hub = Hub::start().await;
    let hung = Arc::new(Notify::new());
    let hangs = Arc::clone(&hung);
    let handler = move |call: Call| {
        let hangs = Arc::clone(&hangs);
        async move {
            if call.command.method == "chat.hang" {
                hangs.notify_one();
                std::future::pending::<()>().await;
            }
            handle(call).await
        }
    };
    let worker = client(&hub).serve(["chat.*"], handler).max_in_flight(1);
    let serving = Serving::start(worker).await;
    let mut patient = hub.room(&Token::user("ada")).await;
    answered(&mut patient).await;

    let mut leaving = hub.room(&Token::user("bob")).await;
    let hang = json!({"op": "call", "id": 101, "method": "chat.hang"});
    leaving.send_text(&hang.to_string()).await;
    within(DEADLINE, "the handler", hung.notified()).await;
    leaving.close().await;
    answered(&mut patient).await;
    serving.stop().await;
}

#[tokio::test]
async fn a_worker_serves_again_when_the_hub_is_back() {
    let mut hub = Hub::start().await;
    let serving = Serving::start(client(&hub).serve(["chat.*"], handle)).await;
    let mut room = hub.room(&Token::user("ada")).await;
    answered(&mut room).await;
    let address = hub.addresses.grpc.to_string();
    hub.process.kill().await;
    let hub = Hub::builder().set("grpc.listen", address).start().await;
    let mut room = hub.room(&Token::user("ada")).await;
    answered(&mut room).await;
    serving.stop().await;
}

/// The methods of these tests.
async fn handle(call: Call) -> Result<Reply, Refusal> {
    match &*call.command.method {
        "chat.double" => Reply::json(&(call.json::<u64>()? * 2)),
        "chat.lock" => Err(Refusal::new(Code::Aborted, "ROOM_LOCKED", "it is locked")
            .retry_after(Duration::from_millis(1500))),
        "chat.panic" => panic!("this handler breaks down on purpose"),
        "chat.count" => {
            let last: u64 = call.json()?;
            for number in 1..last {
                call.more(Reply::json(&number)?).await;
            }
            Reply::json(&last)
        }
        "chat.move" => {
            let to: Value = call.json()?;
            let bye = Publication::json("chat:old", "note", &"bye")?;
            Ok(Reply::empty()
                .publish(bye)
                .join(to["to"].as_str().unwrap_or_default())
                .leave("chat:old"))
        }
        method => Err(Refusal::new(Code::Unimplemented, "NO_HANDLER", method)),
    }
}

/// A worker that runs beside the test.
struct Serving {
    stop: oneshot::Sender<()>,
    running: JoinSet<()>,
}

impl Serving {
    async fn start(worker: Worker<impl fanline_client::Handler>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let mut running = JoinSet::new();
        running.spawn(async move {
            worker.run(async { drop(stopped.await) }).await.expect("it may serve");
        });
        Self { stop, running }
    }

    /// Tells it to stop at once; the future waits until it has ended well.
    fn stop(self) -> impl Future<Output = ()> {
        let Self { stop, mut running } = self;
        stop.send(()).expect("it runs");
        async move {
            let ended = within(DEADLINE, "the end of the worker", running.join_next()).await;
            ended.expect("there is one").expect("it ends well");
        }
    }
}

/// Waits until a worker answers.
async fn answered(room: &mut Room) {
    until("an answer", async || {
        let call = json!({"op": "call", "method": "chat.double", "data": 1});
        let answer = room.request(call).await;
        answer["data"] == 2
    })
    .await;
}

fn numbered(number: u64) -> Publication {
    Publication::json("news:a", "note", &number).expect("a number is JSON")
}

fn client(hub: &Hub) -> Client {
    Client::builder(url(hub)).api_key(ApiKey::all().secret).build().expect("a client")
}

fn url(hub: &Hub) -> String {
    format!("http://{}", hub.addresses.grpc)
}
