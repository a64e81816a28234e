//! The client for backends in Rust: a thin crate over the stubs of [`fanline_proto`].
//!
//! What it adds to them is what every backend needs and easily gets wrong:
//!
//! * [`Client::publish`] retries for as long as the outcome is unknown, with one idempotency key, so that an event is
//!   published once.
//! * [`Client::subscribe`] goes on after a broken connection where it stood: each event once and in order, or a
//!   [`Gap`] that says what is lost.
//! * [`Client::serve`] answers the commands of clients, as many at a time as you say, and ends without losing one.
//!
//! All other RPCs are called through their generated stubs, over [`Client::connection`].
//!
//! ```no_run
//! use fanline_client::{Call, Client, Item, Publication, Refusal, Reply, Selector};
//!
//! async fn say(call: Call) -> Result<Reply, Refusal> {
//!     let message: serde_json::Value = call.json()?;
//!     let event = Publication::json("chat:lobby", "message", &message)?;
//!     Ok(Reply::json(&"said")?.publish(event))
//! }
//!
//! # async fn backend() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("http://127.0.0.1:50051").api_key("fk_…").build()?;
//!
//! let hello = serde_json::json!({"text": "hello"});
//! let published = client.publish(Publication::json("chat:lobby", "message", &hello)?).await?;
//! println!("published at {}", published.position);
//!
//! let mut lobby = client.subscribe([Selector::last("chat:lobby", 10)]);
//! if let Item::Event(event) = lobby.next().await? {
//!     println!("{} at {}", event.event_type, event.position);
//! }
//!
//! let stop = async { drop(tokio::signal::ctrl_c().await) };
//! client.serve(["chat.*"], say).max_in_flight(32).run(stop).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Read [`Client`] first. Left out on purpose: several addresses for one hub. Put its nodes behind one name or balancer; a
//! node that stops ends its streams, and the client connects anew.

mod backoff;
mod call;
mod client;
mod cursors;
mod event;
mod failure;
mod limits;
mod position;
mod publish;
mod random;
mod reply;
mod serve;
mod session;
mod subscribe;

pub use self::call::{Call, Handler};
pub use self::client::{BuildError, Client, ClientBuilder, Connection};
pub use self::cursors::Selector;
pub use self::event::{Event, Gap, Item};
pub use self::failure::Failure;
pub use self::limits::PUBLISH_PATIENCE_MAX;
pub use self::position::{ParsePositionError, Position};
pub use self::publish::{Publication, Published, Retry};
pub use self::reply::{Refusal, Reply};
pub use self::serve::Worker;
pub use self::subscribe::Subscription;
/// The generated messages and stubs, of the version that this crate is built on.
pub use fanline_proto::v1 as proto;
/// gRPC status codes, of the version that this crate is built on.
pub use tonic::Code;

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
