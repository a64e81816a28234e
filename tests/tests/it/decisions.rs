//! Backends decide who may connect, join and publish: nothing is accepted, and no event is seen, before they say yes.

use fanline_proto::v1::{Command, CommandReply};
use fanline_tests::{
    Asked, Backend, EventStream, Handler, Hub, HubBuilder, Metrics, Position, Publication, Room,
    Token, answer, free_address, get_with, position_of, send,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::{Code, Status};

/// What all tests here join and publish to.
const CHANNEL: &str = "gate:a";

const TRANSPORTS: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Poll];

#[derive(Clone, Copy, Debug)]
enum Transport {
    WebSocket,
    Sse,
    Poll,
}

/// A hub whose namespace `gate` is up to backends.
fn gated() -> HubBuilder {
    ["subscribe", "publish", "history", "presence"].iter().fold(Hub::builder(), |builder, key| {
        builder.set(&format!("namespaces.gate.{key}"), "handler")
    })
}

/// The same, with a handler at an address for what the hub asks.
fn calling(url: String) -> HubBuilder {
    let section = toml::Table::from_iter([("url".to_owned(), url.into())]);
    gated().set("handlers", toml::Table::from_iter([("fanline.*".to_owned(), section.into())]))
}

/// Ada, whose token grants nothing.
fn ada() -> Token {
    Token::user("ada")
}

fn bearer() -> String {
    format!("Bearer {}", ada().sign())
}

async fn decider(hub: &Hub) -> Backend {
    Backend::serve(&hub.rpc().await, &["fanline.*"], 8).await
}

/// A join that is refused, by its reason and message. Whatever else came with it would be a leak.
async fn refused(hub: &Hub, transport: Transport) -> (String, String) {
    let refusal = match transport {
        Transport::WebSocket => {
            let mut room = hub.room(&ada()).await;
            let answer = room.request(json!({"op": "join", "channel": CHANNEL})).await;
            assert_eq!(answer["op"], "error", "{answer}");
            // Whatever was sent before the pong is there once it is.
            room.request(json!({"op": "ping"})).await;
            assert_eq!(room.unread().next(), None, "nothing is seen");
            answer
        }
        Transport::Sse | Transport::Poll => {
            let path = path(transport, "");
            let headers = [("authorization", &*bearer()), ("accept", "*/*")];
            let answer = get_with(hub.addresses.public, &path, &headers).await;
            assert!(answer.status >= 400, "{answer:?}");
            let kind = answer.header("content-type");
            assert_eq!(kind, Some("application/problem+json"), "{answer:?}");
            let problem = answer.json();
            json!({"reason": problem["reason"], "message": problem["detail"]})
        }
    };
    let text = |name: &str| refusal[name].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

fn path(transport: Transport, rest: &str) -> String {
    let name = match transport {
        Transport::Poll => "poll",
        Transport::WebSocket | Transport::Sse => "sse",
    };
    format!("/v1/{name}?channel={CHANNEL}{rest}")
}

/// Publishes into the channel without a pause, until it is dropped.
struct Flow {
    _publishing: JoinSet<()>,
}

impl Flow {
    async fn start(hub: &Hub) -> Self {
        let rpc = hub.rpc().await;
        rpc.publish(Publication::to(CHANNEL, "before")).await;
        let mut publishing = JoinSet::new();
        publishing.spawn(async move {
            loop {
                rpc.publish(Publication::to(CHANNEL, "meanwhile")).await;
            }
        });
        Flow { _publishing: publishing }
    }
}

fn error(command: &Command, code: Code, message: &str) -> CommandReply {
    let status = tonic_types::pb::Status {
        code: code.into(),
        message: message.into(),
        ..Default::default()
    };
    CommandReply { error: Some(status), ..answer(command, "") }
}

#[tokio::test]
async fn a_join_fails_with_the_right_reason_when_its_backend_denies_it_or_answers_nonsense() {
    let hub = gated().start().await;
    let _flow = Flow::start(&hub).await;
    let mut backend = decider(&hub).await;
    type Says = fn(&Command) -> CommandReply;
    let table: [(Says, &str, &str); 8] = [
        (|asked| answer(asked, false), "PERMISSION_DENIED", "a backend refused it"),
        (|asked| error(asked, Code::PermissionDenied, "banned"), "PERMISSION_DENIED", "banned"),
        (|asked| error(asked, Code::FailedPrecondition, "full"), "PERMISSION_DENIED", "full"),
        (|asked| error(asked, Code::ResourceExhausted, "slower"), "RATE_LIMITED", "slower"),
        (|asked| error(asked, Code::Internal, "a secret"), "INTERNAL", "no answer"),
        (|asked| answer(asked, "yes"), "INTERNAL", "no answer"),
        (|asked| answer(asked, json!({"alow": true})), "INTERNAL", "no answer"),
        (
            |asked| CommandReply { data: "{".into(), ..answer(asked, "") },
            "INTERNAL",
            "the backend's reply could not be used",
        ),
    ];
    for transport in TRANSPORTS {
        for (says, reason, message) in table {
            let ((found, text), ()) = tokio::join!(refused(&hub, transport), async {
                let asked = backend.command().await;
                assert_eq!((&*asked.method, &*asked.channel), ("fanline.join", CHANNEL));
                assert_eq!(&*asked.user, "ada");
                let reply = says(&asked);
                backend.reply(reply).await;
            });
            assert_eq!(found, reason, "{transport:?}: {text}");
            assert!(text.contains(message) && !text.contains("secret"), "{transport:?}: {text}");
        }
    }
}

#[tokio::test]
async fn a_join_fails_with_the_right_reason_when_nobody_decides_or_whoever_does_is_slow_or_dies() {
    let hub = gated().set("limits.command_timeout", "1s").start().await;
    let _flow = Flow::start(&hub).await;
    for transport in TRANSPORTS {
        let (reason, text) = refused(&hub, transport).await;
        assert_eq!(reason, "NO_HANDLER", "{transport:?}: {text}");

        let mut slow = decider(&hub).await;
        let (reason, text) = refused(&hub, transport).await;
        assert_eq!(reason, "HANDLER_TIMEOUT", "{transport:?}: {text}");
        assert_eq!(slow.command().await.method, "fanline.join");
        drop(slow);
        Metrics::until(hub.addresses.ops, "fanline_workers", "", 0.0).await;

        let mut dying = decider(&hub).await;
        let ((reason, text), ()) = tokio::join!(refused(&hub, transport), async {
            dying.command().await;
            drop(dying);
        });
        assert_eq!(reason, "HANDLER_TIMEOUT", "{transport:?}: {text}");
        assert!(text.contains("went away"), "at once, and not by time: {text}");
        Metrics::until(hub.addresses.ops, "fanline_workers", "", 0.0).await;
    }
}

#[tokio::test]
async fn an_event_source_comes_back_when_nobody_decides() {
    let hub = gated().set("limits.command_timeout", "1s").start().await;
    let cookie = format!("fanline_token={}", ada().sign());
    let headers = [("cookie", &*cookie), ("origin", "https://app.example.com")];
    let path = path(Transport::Sse, "");
    let told_to_retry = async || {
        let answer = get_with(hub.addresses.public, &path, &headers).await;
        // It takes any status but 200 for the end of all tries.
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("event: fanline.retry\nretry: "), "{answer:?}");
        assert!(!answer.body.contains("fanline.open"), "{answer:?}");
        answer.body
    };
    assert!(told_to_retry().await.contains("NO_HANDLER"));
    let _slow = decider(&hub).await;
    assert!(told_to_retry().await.contains("HANDLER_TIMEOUT"));
}

#[tokio::test]
async fn a_configured_handler_decides_as_well_and_a_dead_one_lets_nobody_in() {
    let address = free_address();
    let hub = calling(format!("http://{address}")).start().await;
    let _flow = Flow::start(&hub).await;
    for transport in TRANSPORTS {
        let (reason, text) = refused(&hub, transport).await;
        assert_eq!(reason, "HANDLER_UNAVAILABLE", "{transport:?}: {text}");
    }
    let mut handler = Handler::start().await;
    let hub = calling(format!("http://{}", handler.address)).start().await;
    let denied = |asked: Asked| asked.reply(Err(Status::permission_denied("banned")));
    for transport in TRANSPORTS {
        let ((reason, text), ()) =
            tokio::join!(refused(&hub, transport), async { denied(handler.asked().await) });
        assert_eq!((&*reason, &*text), ("PERMISSION_DENIED", "banned"), "{transport:?}");
    }
    let mut room = hub.room(&ada()).await;
    let (joined, ()) =
        tokio::join!(room.join(CHANNEL), async { handler.asked().await.answer(json!(null)) });
    assert_eq!(joined["channel"], CHANNEL);
}

/// Holds the question while events are published, and then says yes. Returns the last position before it.
async fn let_in_late(hub: &Hub, backend: &mut Backend) -> Position {
    let asked = backend.command().await;
    assert_eq!(asked.method, "fanline.join");
    let question: Value = serde_json::from_slice(&asked.data).expect("JSON");
    assert_eq!(question, json!({"granted": false}));
    let last = hub.rpc().await.publish_numbers(CHANNEL, 1..=20).await;
    backend.reply(answer(&asked, true)).await;
    last
}

#[tokio::test]
async fn what_is_published_before_the_yes_is_not_seen_by_a_room() {
    let hub = gated().start().await;
    let mut backend = decider(&hub).await;
    let mut room = hub.room(&ada()).await;
    let (joined, last) = tokio::join!(room.join(CHANNEL), let_in_late(&hub, &mut backend));
    assert!(position_of(&joined).is_past(&last), "it begins at the yes: {joined}");
    hub.publish(Publication::to(CHANNEL, "now")).await;
    assert_eq!(room.event().await["data"], "now");
}

#[tokio::test]
async fn what_is_published_before_the_yes_is_not_seen_by_a_stream() {
    let hub = gated().start().await;
    let mut backend = decider(&hub).await;
    let (address, path) = (hub.addresses.public, path(Transport::Sse, ""));
    let headers = [("authorization", &*bearer())];
    let (mut stream, last) =
        tokio::join!(EventStream::open(address, &path, &headers), let_in_late(&hub, &mut backend));
    let open = stream.named("fanline.open").await.json();
    assert!(position_of(&open["channels"][CHANNEL]).is_past(&last), "{open}");
    hub.publish(Publication::to(CHANNEL, "now")).await;
    let block = stream.next().await.expect("the stream goes on");
    assert_eq!(block.json()["data"], "now");
}

#[tokio::test]
async fn a_poller_is_asked_about_once_as_long_as_its_polls_follow_each_other() {
    let hub = gated().start().await;
    let mut backend = decider(&hub).await;
    let poll = async |rest: &str| {
        let headers = [("authorization", &*bearer())];
        let answer = get_with(hub.addresses.public, &path(Transport::Poll, rest), &headers).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let (first, _last) = tokio::join!(poll(""), let_in_late(&hub, &mut backend));
    assert_eq!(first["events"], json!([]), "no cursor, no events: {first}");
    hub.publish(Publication::to(CHANNEL, "now")).await;
    let cursor = first["cursor"].as_str().expect("a cursor");
    // Nobody answers any more.
    let second = poll(&format!("&cursor={cursor}")).await;
    assert_eq!(second["events"][0]["data"], "now");
}

#[tokio::test]
async fn an_event_is_published_as_the_backend_has_it_or_not_at_all() {
    let hub = gated().set("namespaces.gate.subscribe", "anyone").start().await;
    let mut backend = decider(&hub).await;
    let mut room = hub.room(&ada()).await;
    let mut watcher = hub.room(&Token::user("bob")).await;
    watcher.join(CHANNEL).await;
    let event = |data: Value| {
        json!({"op": "publish", "channel": CHANNEL, "type": "note",
                                     "data": data, "key": "k1"})
    };

    let (ok, ()) = tokio::join!(room.ok(event(json!({"text": "a bad word"}))), async {
        let asked = backend.command().await;
        assert_eq!((&*asked.method, &*asked.channel), ("fanline.publish", CHANNEL));
        assert_eq!((&*asked.idempotency_key, &*asked.user), ("k1", "ada"));
        let question: Value = serde_json::from_slice(&asked.data).expect("JSON");
        let expected = json!({"granted": false, "type": "note", "data": {"text": "a bad word"}});
        assert_eq!(question, expected);
        let rewritten = json!({"type": "mild", "data": {"text": "a **** word"}});
        backend.reply(answer(&asked, rewritten)).await;
    });
    assert!(ok["position"].is_string(), "{ok}");
    let seen = watcher.event().await;
    let expected = (&json!("mild"), &json!({"text": "a **** word"}), &json!("ada"));
    assert_eq!((&seen["type"], &seen["data"], &seen["user"]), expected);

    let body = json!({"channel": CHANNEL, "data": 1}).to_string();
    let headers = [("authorization", &*bearer())];
    let uplink = send(hub.addresses.public, "POST", "/v1/publish", &headers, &body);
    let (answered, ()) = tokio::join!(uplink, async {
        let asked = backend.command().await;
        let refusal = error(&asked, Code::InvalidArgument, "no numbers here");
        backend.reply(refusal).await;
    });
    let problem = answered.json();
    assert_eq!((answered.status, &problem["reason"]), (400, &json!("INVALID_ARGUMENT")));
    assert_eq!(problem["detail"], "no numbers here");

    let as_it_is = json!({"op": "publish", "channel": CHANNEL, "data": "as it is"});
    let (_ok, ()) = tokio::join!(room.ok(as_it_is), async {
        let asked = backend.command().await;
        backend.reply(answer(&asked, json!(null))).await;
    });
    assert_eq!(watcher.event().await["data"], "as it is", "nothing came in between");
}

#[tokio::test]
async fn history_and_presence_are_up_to_a_backend_too() {
    let hub = gated().start().await;
    let mut backend = decider(&hub).await;
    hub.publish(Publication::to(CHANNEL, "kept")).await;
    for (name, kept) in [("history", "kept"), ("presence", "members")] {
        let path = format!("/v1/{name}?channel={CHANNEL}");
        let headers = [("authorization", &*bearer())];
        for yes in [true, false] {
            let (answered, ()) =
                tokio::join!(get_with(hub.addresses.public, &path, &headers), async {
                    let asked = backend.command().await;
                    assert_eq!(asked.method, format!("fanline.{name}"));
                    backend.reply(answer(&asked, yes)).await;
                });
            assert_eq!(answered.status, if yes { 200 } else { 403 }, "{answered:?}");
            assert_eq!(answered.body.contains(kept), yes, "{answered:?}");
        }
    }
}

/// A hub that asks about each connection.
async fn asking() -> (Hub, Backend) {
    let hub = gated().set("public.connect", "handler").start().await;
    let backend = decider(&hub).await;
    (hub, backend)
}

#[tokio::test]
async fn a_connection_is_whose_the_backend_says_and_may_do_what_it_says() {
    let (hub, mut backend) = asking().await;
    let ada = ada();
    let (mut room, ()): (Room, ()) = tokio::join!(hub.room(&ada), async {
        let asked = backend.command().await;
        assert_eq!((&*asked.method, &*asked.user), ("fanline.connect", "ada"));
        assert_eq!(&asked.data[..], br#"{"transport":"websocket"}"#);
        let claims = json!({"sub": "bob", "info": {"name": "Bob"}, "exp": in_an_hour() - 1800,
                            "channels": {"subscribe": ["chat:*"], "join": ["chat:lobby"]}});
        backend.reply(answer(&asked, claims)).await;
    });
    assert_eq!(room.welcome["user"], "bob");
    assert!(room.welcome["channels"]["chat:lobby"].is_object(), "{}", room.welcome);
    let expires_in = room.welcome["expires_in"].as_u64().expect("seconds");
    assert!(expires_in <= 1800, "{}", room.welcome);
    room.join("chat:other").await;

    // A newer token is asked about too, and a no leaves the connection as it is.
    let token = ada.sign();
    let (refused, ()) = tokio::join!(room.request(json!({"op": "auth", "token": token})), async {
        let asked = backend.command().await;
        backend.reply(error(&asked, Code::PermissionDenied, "not again")).await;
    });
    assert_eq!(
        (&refused["reason"], &refused["message"]),
        (&json!("PERMISSION_DENIED"), &json!("not again"))
    );
    room.request(json!({"op": "ping"})).await;
}

#[tokio::test]
async fn a_connection_is_not_opened_without_a_yes() {
    let (hub, mut backend) = asking().await;
    let headers = [("authorization", &*bearer()), ("accept", "*/*")];
    for transport in TRANSPORTS {
        for (code, status, reason) in [
            (Code::PermissionDenied, 403, "PERMISSION_DENIED"),
            (Code::Unauthenticated, 401, "UNAUTHENTICATED"),
            (Code::Unknown, 500, "INTERNAL"),
        ] {
            let attempt = async {
                match transport {
                    Transport::WebSocket => {
                        let refusal = hub.upgrade().bearer(&ada().sign()).refused().await;
                        (refusal.status, refusal.body)
                    }
                    Transport::Sse | Transport::Poll => {
                        let path = path(transport, "");
                        let answer = get_with(hub.addresses.public, &path, &headers).await;
                        (answer.status, answer.body)
                    }
                }
            };
            let ((found, body), ()) = tokio::join!(attempt, async {
                let asked = backend.command().await;
                assert_eq!(asked.method, "fanline.connect");
                backend.reply(error(&asked, code, "no")).await;
            });
            assert_eq!(found, status, "{transport:?}: {body}");
            assert!(body.contains(reason), "{transport:?}: {body}");
        }
    }
    let expired = ada().expires_in(-60).sign();
    let refusal = hub.upgrade().bearer(&expired).refused().await;
    assert_eq!(refusal.status, 401, "a bad token is no question");
}

#[tokio::test]
async fn a_first_frame_is_asked_about_like_a_header() {
    let (hub, mut backend) = asking().await;
    let auth = json!({"op": "auth", "token": ada().sign()});
    let mut room = hub.upgrade().open_unauthenticated().await;
    let (_ok, ()) = tokio::join!(room.ok(auth.clone()), async {
        let asked = backend.command().await;
        backend.reply(answer(&asked, json!({"sub": "bob"}))).await;
    });
    assert_eq!(room.next("welcome").await["user"], "bob");

    let mut room = hub.upgrade().open_unauthenticated().await;
    let (reason, ()) = tokio::join!(room.refused(auth), async {
        let asked = backend.command().await;
        backend.reply(answer(&asked, false)).await;
    });
    assert_eq!(reason, "PERMISSION_DENIED");
    assert_eq!(room.close_code().await, 4403);
}

#[tokio::test]
async fn no_client_asks_what_the_hub_asks() {
    let hub = gated().start().await;
    let _backend = decider(&hub).await;
    let token = ada().claim("methods", json!(["*", "fanline.*"]));
    let mut room = hub.room(&token).await;
    let bearer = format!("Bearer {}", token.sign());
    for method in ["fanline.connect", "fanline.join", "fanline.publish", "fanline.anything"] {
        let reason = room.refused(json!({"op": "call", "method": method, "data": null})).await;
        assert_eq!(reason, "PERMISSION_DENIED", "{method}");
        let body = json!({"method": method}).to_string();
        let headers = [("authorization", &*bearer)];
        let answer = send(hub.addresses.public, "POST", "/v1/call", &headers, &body).await;
        assert_eq!(answer.status, 403, "{method}: {answer:?}");
    }
}

fn in_an_hour() -> u64 {
    jsonwebtoken::get_current_timestamp() + 3600
}
