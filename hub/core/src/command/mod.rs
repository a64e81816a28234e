//! Commands: what clients ask backends to do, and how each gets its answer.
//!
//! [`Hub::call`](crate::Hub::call) sends a [`Command`] through a [`CommandRouter`] and gives back a [`Call`], which always
//! ends with an answer: the backend's, or one of the hub's own reasons at the deadline at the latest. Backends that
//! connect to this node are [`Workers`]. How a backend is spoken to is the affair of the gRPC front.
//!
//! Read `router.rs` first, then `call.rs`, which is where the promise of an answer is kept.

// What passes through.
mod budget;
mod draft;
mod error;
mod method;
mod reply;

// The way there and back.
mod call;
mod replies;
mod router;
mod workers;

// The way to other nodes.
pub mod peers;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

pub(crate) use call::Commands;

pub use call::Call;
pub use draft::{Claims, Command, CommandDraft};
pub use error::{BackendError, CommandError, ErrorCode};
pub use method::{MethodName, RESERVED_PREFIX, Reserved};
pub use replies::{Received, Replies, ReplyOverflow, ReplySink, reply_pair};
pub use reply::Reply;
pub use router::{CommandRouter, Load, Ticket};
pub use workers::{LateReply, Order, Registration, ReplyFault, Worker, Workers};
