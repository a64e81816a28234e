//! A backend that the hub calls: it serves `CommandHandler`, and its test answers.

use std::net::SocketAddr;
use std::sync::Arc;

use fanline_proto::v1::command_handler_server::{CommandHandler, CommandHandlerServer};
use fanline_proto::v1::{Command, CommandReply};
use fanline_test_redis::{DEADLINE, free_port, within};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::backend::answer;
use crate::grpc_server::GrpcServer;

/// A listening backend. Dropping it breaks all connections off and refuses further ones.
#[derive(Debug)]
pub struct Handler {
    /// Where it listens.
    pub address: SocketAddr,
    asked: mpsc::Receiver<Asked>,
    _server: GrpcServer,
}

/// A command that waits for its answer. Dropped without one, it is answered `INTERNAL`.
#[derive(Debug)]
pub struct Asked {
    /// The command.
    pub command: Command,
    /// What came with it.
    pub metadata: MetadataMap,
    reply: oneshot::Sender<Result<CommandReply, Status>>,
}

impl Handler {
    /// A backend on a free port.
    pub async fn start() -> Self {
        Self::start_at(free_address(), None).await
    }

    /// A backend at an address, perhaps one where another was. With TLS as `tls` says.
    pub async fn start_at(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let (asked_in, asked) = mpsc::channel(64);
        let service = CommandHandlerServer::new(Desk { asked: asked_in });
        let server = GrpcServer::start(address, tls, service).await;
        Self { address, asked, _server: server }
    }

    /// The next command.
    pub async fn asked(&mut self) -> Asked {
        within(DEADLINE, "a call of the hub", self.asked.recv()).await.expect("it serves")
    }

    /// Whether a command came that was not yet taken.
    pub fn is_asked(&self) -> bool {
        !self.asked.is_empty()
    }
}

impl Asked {
    /// Answers with one JSON text.
    pub fn answer(self, data: impl Into<Value>) {
        let reply = answer(&self.command, data);
        self.reply(Ok(reply));
    }

    /// Answers. It is an error if nobody waits any more.
    pub fn reply(self, reply: Result<CommandReply, Status>) {
        self.reply.send(reply).expect("the hub waits for it");
    }

    /// Waits until the hub has given the call up.
    pub async fn given_up(mut self) {
        within(DEADLINE, "the end of the call", self.reply.closed()).await;
    }
}

/// An address at which nothing listens.
pub fn free_address() -> SocketAddr {
    ([127, 0, 0, 1], free_port()).into()
}

/// Passes each command to the test.
struct Desk {
    asked: mpsc::Sender<Asked>,
}

#[tonic::async_trait]
impl CommandHandler for Desk {
    async fn handle(&self, request: Request<Command>) -> Result<Response<CommandReply>, Status> {
        let (reply, answer) = oneshot::channel();
        let (metadata, _, command) = request.into_parts();
        let asked = Asked { command, metadata, reply };
        self.asked.send(asked).await.map_err(|_| Status::internal("the test is over"))?;
        answer.await.map_err(|_| Status::internal("the test dropped it"))?.map(Response::new)
    }
}
