//! `CommandBus.Serve`, from a backend's side of the wire.

use crate::harness::{FULL_KEY, Front, in_time, key, publish_request, why};
use fanline_core::command::{Call, CommandDraft, CommandError, Reply};
use fanline_core::event::Payload;
use fanline_core::ids::UserId;
use fanline_grpc::keys::{ApiKey, Scope};
use fanline_proto::v1::command_bus_client::CommandBusClient;
use fanline_proto::v1::{
    Command, CommandReply, Drain, Register, ServeRequest, ServeResponse, serve_request,
    serve_response::Item,
};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};
use tonic_types::{RpcStatusExt, StatusExt};

#[tokio::test]
async fn a_command_is_answered_with_what_its_backend_says() {
    let front = Front::start().await;
    let mut backend = Backend::connect(&front, &["chat.*"], 0).await;
    assert_eq!(backend.max_in_flight, 64);
    let mut call = front.hub.call(draft("chat.rename", r#"{"to": "x"}"#)).unwrap();
    let command = backend.command().await;
    assert_eq!((&*command.method, &*command.user), ("chat.rename", "ada"));
    assert_eq!(&command.data[..], br#"{"to": "x"}"#);
    assert_eq!(command.content_type, "application/json");
    assert_eq!(command.claims["role"], "admin");
    assert_eq!(command.traceparent, TRACE);
    backend.reply(CommandReply { more: true, ..reply(&command, "1") }).await;
    backend.reply(reply(&command, "")).await;
    assert_eq!(said(&mut call).await, "1, more");
    assert_eq!(said(&mut call).await, "null");
    assert_eq!(said(&mut call).await, "over");
}

#[tokio::test]
async fn an_error_of_the_backend_reaches_the_client_with_its_own_reason() {
    let front = Front::start().await;
    let mut backend = Backend::connect(&front, &["chat.*"], 0).await;
    let mut call = front.hub.call(draft("chat.rename", "1")).unwrap();
    let command = backend.command().await;
    let details = tonic_types::ErrorDetails::with_error_info("ROOM_LOCKED", "chat", HashMap::new());
    let status = Status::with_error_details(tonic::Code::Aborted, "it is locked", details);
    let error = prost::Message::decode(status.details()).unwrap();
    backend.reply(CommandReply { error: Some(error), ..reply(&command, "") }).await;
    assert_eq!(said(&mut call).await, "ROOM_LOCKED: it is locked");
}

#[tokio::test]
async fn what_a_reply_publishes_is_in_history_before_the_client_has_the_reply() {
    let front = Front::start().await;
    let mut backend = Backend::connect(&front, &["*"], 0).await;
    let mut call = front.hub.call(draft("chat.say", "1")).unwrap();
    let command = backend.command().await;
    let publish = vec![publish_request("a:b", "1"), publish_request("a:b", "2")];
    let first = CommandReply { publish, more: true, ..reply(&command, "3") };
    backend.reply(first).await;
    backend.reply(CommandReply { join: vec!["a:b".into()], ..reply(&command, "4") }).await;
    assert_eq!(said(&mut call).await, "3, more");
    let state = front.hub.state(&"a:b".parse().unwrap()).await.unwrap();
    assert_eq!(state.top.offset.get(), 2);
    let last = in_time(call.next()).await.unwrap().unwrap();
    assert_eq!(last.join, ["a:b".parse().unwrap()]);
}

#[tokio::test]
async fn a_reply_that_cannot_be_used_is_told_to_both_sides_and_ends_nothing_else() {
    let limited = key("fk_limited", &[Scope::Commands, Scope::Publish], &["a:*"]);
    let front = Front::with_keys(vec![limited]).await;
    let mut backend = Backend::connect_as(&front, "fk_limited", &["*"], 0).await;
    let faults: [(CommandReply, &str); 5] = [
        (CommandReply { data: "{".into(), ..CommandReply::default() }, "INVALID_ARGUMENT"),
        (with_publish("none:b", "1"), "PERMISSION_DENIED"),
        (with_publish("a:b", "{"), "INVALID_ARGUMENT"),
        (CommandReply { join: vec!["a:b".into()], ..CommandReply::default() }, "PERMISSION_DENIED"),
        (CommandReply { leave: vec!["a b".into()], ..CommandReply::default() }, "INVALID_CHANNEL"),
    ];
    for (fault, reason) in faults {
        let mut call = front.hub.call(draft("chat.say", "1")).unwrap();
        let command = backend.command().await;
        backend.reply(CommandReply { id: command.id.clone(), ..fault }).await;
        assert_eq!(said(&mut call).await, "INTERNAL: the backend's reply could not be used");
        let Item::Rejected(rejected) = backend.item().await else { panic!("it is told") };
        assert_eq!(rejected.id, command.id);
        let details = rejected.error.unwrap().get_details_error_info().unwrap();
        assert_eq!(details.reason, reason);
    }
    let mut call = front.hub.call(draft("chat.say", "1")).unwrap();
    let command = backend.command().await;
    backend.reply(reply(&command, "7")).await;
    assert_eq!(said(&mut call).await, "7");
}

#[tokio::test]
async fn a_client_that_goes_away_is_told_and_a_late_reply_harms_nobody() {
    let front = Front::start().await;
    let mut backend = Backend::connect(&front, &["*"], 1).await;
    let call = front.hub.call(draft("chat.say", "1")).unwrap();
    let command = backend.command().await;
    drop(call);
    let Item::Cancelled(cancelled) = backend.item().await else { panic!("it is told") };
    assert_eq!(cancelled.id, command.id);
    backend.reply(with_id(&command, with_publish("a:b", "1"))).await;
    let mut next = front.hub.call(draft("chat.say", "2")).unwrap();
    let command = backend.command().await;
    backend.reply(reply(&command, "3")).await;
    assert_eq!(said(&mut next).await, "3");
    let state = front.hub.state(&"a:b".parse().unwrap()).await.unwrap();
    assert_eq!(state.top.offset.get(), 0, "what comes late is not applied");
}

#[tokio::test]
async fn a_backend_that_drains_answers_what_it_has_and_then_its_stream_ends() {
    let front = Front::start().await;
    let mut backend = Backend::connect(&front, &["*"], 4).await;
    let mut call = front.hub.call(draft("chat.say", "1")).unwrap();
    let command = backend.command().await;
    backend.send(serve_request::Item::Drain(Drain {})).await;
    // The drain is known once the hub no longer offers the method.
    let refused = async {
        loop {
            let mut call = front.hub.call(draft("chat.say", "2")).unwrap();
            match tokio::time::timeout(Duration::from_millis(20), call.next()).await {
                Ok(Some(Err(CommandError::Hub(refusal)))) => return refusal.reason(),
                Ok(other) => panic!("{other:?}"),
                // It was given before the drain came; giving it up makes room for another try.
                Err(_) => {}
            }
        }
    };
    assert_eq!(in_time(refused).await.as_str(), "NO_HANDLER");
    backend.reply(reply(&command, "7")).await;
    assert_eq!(said(&mut call).await, "7");
    assert_eq!(backend.end().await, "OK");
}

#[tokio::test]
async fn a_backend_that_breaks_off_loses_what_it_has() {
    let front = Front::start().await;
    let mut backend = Backend::connect(&front, &["*"], 4).await;
    let mut call = front.hub.call(draft("chat.say", "1")).unwrap();
    backend.command().await;
    drop(backend);
    assert!(said(&mut call).await.starts_with("HANDLER_TIMEOUT"));
    assert!(
        said(&mut front.hub.call(draft("chat.say", "2")).unwrap()).await.starts_with("NO_HANDLER")
    );
}

#[tokio::test]
async fn a_node_that_stops_waits_for_what_is_outstanding() {
    let front = Front::start().await;
    let mut backend = Backend::connect(&front, &["*"], 4).await;
    let mut call = front.hub.call(draft("chat.say", "1")).unwrap();
    let command = backend.command().await;
    front.stop.cancel();
    backend.reply(reply(&command, "7")).await;
    assert_eq!(said(&mut call).await, "7");
    assert_eq!(backend.end().await, "Unavailable DRAINING");
}

#[tokio::test]
async fn only_who_may_answer_a_method_can_register_it() {
    let without = key("fk_without", &[Scope::Publish], &["*"]);
    let narrow = ApiKey {
        methods: vec!["chat.*".parse().unwrap()],
        ..key("fk_narrow", &[Scope::Commands], &["*"])
    };
    let front = Front::with_keys(vec![without, narrow]).await;
    let refused = async |key: &str, methods: &[&str]| {
        why(&Backend::try_connect(&front, key, methods, 0).await.err().expect("it is refused"))
    };
    assert_eq!(refused("fk_unknown", &["chat.*"]).await, "Unauthenticated UNAUTHENTICATED");
    assert_eq!(refused("fk_without", &["chat.*"]).await, "PermissionDenied PERMISSION_DENIED");
    assert_eq!(refused("fk_narrow", &["*"]).await, "PermissionDenied PERMISSION_DENIED");
    assert_eq!(refused("fk_narrow", &[]).await, "InvalidArgument INVALID_ARGUMENT");
    assert_eq!(refused("fk_narrow", &[""]).await, "InvalidArgument INVALID_ARGUMENT");
    assert!(Backend::try_connect(&front, "fk_narrow", &["chat.a"], 0).await.is_ok());
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A backend with an open stream.
struct Backend {
    requests: mpsc::Sender<ServeRequest>,
    responses: Streaming<ServeResponse>,
    max_in_flight: u32,
}

impl Backend {
    async fn connect(front: &Front, methods: &[&str], max_in_flight: u32) -> Self {
        Self::connect_as(front, FULL_KEY, methods, max_in_flight).await
    }

    async fn connect_as(front: &Front, key: &str, methods: &[&str], max_in_flight: u32) -> Self {
        Self::try_connect(front, key, methods, max_in_flight).await.expect("it may register")
    }

    async fn try_connect(
        front: &Front,
        key: &str,
        methods: &[&str],
        max_in_flight: u32,
    ) -> Result<Self, Status> {
        let (requests, outgoing) = mpsc::channel(16);
        let methods = methods.iter().map(ToString::to_string).collect();
        let register = serve_request::Item::Register(Register { methods, max_in_flight });
        requests.send(ServeRequest { item: Some(register) }).await.expect("it is read");
        let outgoing = futures_util::stream::unfold(outgoing, |mut outgoing| async {
            outgoing.recv().await.map(|request| (request, outgoing))
        });
        let mut client = CommandBusClient::new(front.with_key(key));
        let mut responses = in_time(client.serve(outgoing.boxed())).await?.into_inner();
        match in_time(responses.message()).await?.expect("an item").item.expect("an item") {
            Item::Registered(registered) => {
                Ok(Backend { requests, responses, max_in_flight: registered.max_in_flight })
            }
            other @ (Item::Command(_) | Item::Cancelled(_) | Item::Rejected(_)) => {
                panic!("registered comes first, not {other:?}")
            }
        }
    }

    async fn send(&self, item: serve_request::Item) {
        self.requests.send(ServeRequest { item: Some(item) }).await.expect("the stream is open");
    }

    async fn reply(&self, reply: CommandReply) {
        self.send(serve_request::Item::Reply(reply)).await;
    }

    async fn item(&mut self) -> Item {
        let response = in_time(self.responses.message()).await.expect("no error");
        response.expect("not the end").item.expect("an item")
    }

    async fn command(&mut self) -> Command {
        loop {
            match self.item().await {
                Item::Command(command) => return command,
                Item::Registered(_) | Item::Cancelled(_) | Item::Rejected(_) => {}
            }
        }
    }

    /// How the stream ends, after whatever cancellations still come.
    async fn end(&mut self) -> String {
        loop {
            match in_time(self.responses.message()).await {
                Ok(Some(_)) => {}
                Ok(None) => return "OK".into(),
                Err(status) => return why(&status),
            }
        }
    }
}

fn draft(method: &str, data: &'static str) -> CommandDraft {
    CommandDraft {
        method: method.parse().unwrap(),
        channel: None,
        payload: Payload::new(Default::default(), data.into()).unwrap(),
        user: UserId::new("ada"),
        connection: None,
        claims: [("role".into(), "admin".into())].into(),
        idempotency_key: None,
        trace: TRACE.parse().ok(),
    }
}

fn reply(command: &Command, data: &'static str) -> CommandReply {
    CommandReply { id: command.id.clone(), data: data.into(), ..CommandReply::default() }
}

fn with_publish(channel: &str, data: &str) -> CommandReply {
    CommandReply { publish: vec![publish_request(channel, data)], ..CommandReply::default() }
}

fn with_id(command: &Command, reply: CommandReply) -> CommandReply {
    CommandReply { id: command.id.clone(), ..reply }
}

/// What a call says next, in short.
async fn said(call: &mut Call) -> String {
    match in_time(call.next()).await {
        Some(Ok(Reply { payload, more, .. })) => {
            let data = String::from_utf8(payload.data().to_vec()).unwrap();
            if more { format!("{data}, more") } else { data }
        }
        Some(Err(error)) => error.to_string(),
        None => "over".into(),
    }
}
