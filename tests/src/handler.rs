//! A backend that the hub calls: it serves `CommandHandler`, and its test answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use fanline_proto::v1::command_handler_server::{CommandHandler, CommandHandlerServer};
use fanline_proto::v1::{Command, CommandReply};
use fanline_test_redis::{DEADLINE, eventually, free_port, within};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::backend::answer;

/// A listening backend. Dropping it breaks all connections off and refuses further ones.
#[derive(Debug)]
pub struct Handler {
    /// Where it listens.
    pub address: SocketAddr,
    asked: mpsc::Receiver<Asked>,
    _connections: JoinSet<Infallible>,
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
        // The address may still be in use by the end of what was there.
        let listener =
            eventually("the address is free", async || TcpListener::bind(address).await.ok()).await;
        let (asked_in, asked) = mpsc::channel(64);
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, tls, asked_in));
        Self { address, asked, _connections: connections }
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

async fn accept(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    asked: mpsc::Sender<Asked>,
) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.expect("the listener is open");
        connections.spawn(greet(socket, tls.clone(), asked.clone()));
    }
}

async fn greet(socket: TcpStream, tls: Option<Arc<ServerConfig>>, asked: mpsc::Sender<Asked>) {
    match tls {
        None => serve(socket, asked).await,
        Some(tls) => {
            if let Ok(socket) = TlsAcceptor::from(tls).accept(socket).await {
                serve(socket, asked).await;
            }
        }
    }
}

async fn serve(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    asked: mpsc::Sender<Asked>,
) {
    let service = TowerToHyperService::new(CommandHandlerServer::new(Desk { asked }));
    let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    let _broken_off = builder.serve_connection(TokioIo::new(socket), service).await;
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
