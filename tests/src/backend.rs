//! A backend that answers commands, connected to the hub by `CommandBus.Serve`.

use fanline_proto::v1::command_bus_client::CommandBusClient;
use fanline_proto::v1::serve_request::Item as Request;
use fanline_proto::v1::serve_response::Item as Response;
use fanline_proto::v1::{Command, CommandReply, Drain, Register, ServeRequest, ServeResponse};
use fanline_test_redis::{DEADLINE, within};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::rpc::Rpc;

/// A registered backend. Dropping it breaks its connection off.
#[derive(Debug)]
pub struct Backend {
    requests: mpsc::Sender<ServeRequest>,
    responses: Streaming<ServeResponse>,
}

impl Backend {
    /// Connects and registers.
    pub async fn serve(rpc: &Rpc, methods: &[&str], max_in_flight: u32) -> Self {
        let (requests, outgoing) = mpsc::channel(64);
        let mut client = CommandBusClient::new(rpc.authenticated());
        let serve = client.serve(ReceiverStream::new(outgoing));
        let responses = within(DEADLINE, "the stream of commands", serve).await;
        let responses = responses.expect("the key may serve").into_inner();
        let mut backend = Self { requests, responses };
        let methods = methods.iter().map(ToString::to_string).collect();
        backend.send(Request::Register(Register { methods, max_in_flight })).await;
        let first = backend.response().await;
        assert!(matches!(first, Response::Registered(_)), "first comes {first:?}");
        backend
    }

    /// The next command; whatever else is told is passed over.
    pub async fn command(&mut self) -> Command {
        loop {
            if let Response::Command(command) = self.response().await {
                return command;
            }
        }
    }

    /// What the hub says next.
    pub async fn response(&mut self) -> Response {
        let response = within(DEADLINE, "word from the hub", self.responses.message()).await;
        response.expect("the stream goes on").expect("it has not ended").item.expect("an item")
    }

    /// Answers.
    pub async fn reply(&self, reply: CommandReply) {
        self.send(Request::Reply(reply)).await;
    }

    /// Says that it wants no more commands.
    pub async fn drain(&self) {
        self.send(Request::Drain(Drain {})).await;
    }

    /// Waits for the end of the stream, after whatever still comes.
    ///
    /// # Errors
    /// The hub's own refusal.
    pub async fn end(&mut self) -> Result<(), Status> {
        while within(DEADLINE, "the end", self.responses.message()).await?.is_some() {}
        Ok(())
    }

    async fn send(&self, item: Request) {
        let sent = self.requests.send(ServeRequest { item: Some(item) }).await;
        sent.expect("the hub reads");
    }
}

/// The answer to a command: one JSON text.
pub fn answer(command: &Command, data: impl Into<Value>) -> CommandReply {
    let data = data.into().to_string().into();
    CommandReply { id: command.id.clone(), data, ..CommandReply::default() }
}
