//! A backend as a process of its own, so that a test can kill it: it answers every command with its name and the data.
//!
//! Arguments: the hub's gRPC address, an API key, its name, a pattern of methods. It prints `serving` once it is
//! registered, drains at SIGTERM, and exits when the hub ends the stream.

use std::time::Duration;

use fanline_proto::v1::command_bus_client::CommandBusClient;
use fanline_proto::v1::serve_request::Item as Request;
use fanline_proto::v1::serve_response::Item as Response;
use fanline_proto::v1::{CommandReply, Drain, Register, ServeRequest};
use fanline_tests::Rpc;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;

/// What the work of one command takes: long enough for a worker to have several when it is killed.
const WORK: Duration = Duration::from_millis(20);
/// Commands at a time.
const MAX_IN_FLIGHT: u32 = 32;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |what: &str| arguments.next().unwrap_or_else(|| panic!("{what} is missing"));
    let address = argument("the address").parse().expect("an address");
    let (key, name, method) = (argument("the key"), argument("the name"), argument("the methods"));
    let rpc = Rpc::connect(address, Some(&key)).await;
    let (requests, outgoing) = mpsc::channel(64);
    let send = |item| ServeRequest { item: Some(item) };
    let register = Register { methods: vec![method], max_in_flight: MAX_IN_FLIGHT };
    requests.send(send(Request::Register(register))).await.expect("it is read");
    let mut client = CommandBusClient::new(rpc.authenticated());
    let serve = client.serve(ReceiverStream::new(outgoing)).await;
    let mut responses = serve.expect("the key may serve").into_inner();
    let mut terminated = signal(SignalKind::terminate()).expect("signals can be heard");
    let mut working = JoinSet::new();
    loop {
        tokio::select! {
            _ = terminated.recv() => {
                requests.send(send(Request::Drain(Drain {}))).await.expect("it is read");
            }
            Some(_) = working.join_next() => {}
            response = responses.message() => match response.expect("the stream goes on") {
                None => return,
                Some(response) => match response.item.expect("an item") {
                    Response::Registered(_) => println!("serving"),
                    Response::Command(command) => {
                        let (requests, name) = (requests.clone(), name.clone());
                        working.spawn(async move {
                            tokio::time::sleep(WORK).await;
                            let asked: Value = serde_json::from_slice(&command.data).expect("JSON");
                            let data = json!({"asked": asked, "by": name}).to_string().into();
                            let reply = CommandReply { id: command.id, data, ..CommandReply::default() };
                            let _killed_meanwhile = requests.send(send(Request::Reply(reply))).await;
                        });
                    }
                    Response::Cancelled(_) | Response::Rejected(_) => {}
                },
            },
        }
    }
}
