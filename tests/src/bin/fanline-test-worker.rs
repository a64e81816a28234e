//! A backend as a process of its own, so that a test can kill it: it answers every command with its name and the data.
//!
//! Arguments: the hub's gRPC address, an API key, its name, a pattern of methods. It prints `serving` each time that it is
//! registered, and at SIGTERM answers what it has and exits. All else is the worker of [`fanline_client`], which stays
//! when the hub goes and serves again when it is back.

use std::time::Duration;

use fanline_client::{Call, Client, Reply};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// What the work of one command takes: long enough for a worker to have several when it is killed.
const WORK: Duration = Duration::from_millis(20);
/// Commands at a time.
const MAX_IN_FLIGHT: u32 = 32;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |what: &str| arguments.next().unwrap_or_else(|| panic!("{what} is missing"));
    let address = argument("the address");
    let (key, name, method) = (argument("the key"), argument("the name"), argument("the methods"));
    let client = Client::builder(format!("http://{address}")).api_key(key).build();
    let handler = move |call: Call| {
        let name = name.clone();
        async move {
            tokio::time::sleep(WORK).await;
            let asked: Value = call.json()?;
            Reply::json(&json!({"asked": asked, "by": name}))
        }
    };
    let worker = client.expect("an address and a key").serve([method], handler);
    let worker = worker.max_in_flight(MAX_IN_FLIGHT).on_serving(|| println!("serving"));
    let mut terminated = signal(SignalKind::terminate()).expect("signals can be heard");
    let stop = async {
        terminated.recv().await;
    };
    worker.run(stop).await.expect("the key may serve");
}
