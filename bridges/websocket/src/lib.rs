//! WebSocket rooms: `GET /v1/ws`, subprotocol `fanline.v1` (contract section 4, RFC 6455).
//!
//! One task per connection, no queue per member: events are written from the channel logs at the pace of the socket.
//! Read `connection` first: it is the loop that everything else serves. What a client may do is decided in
//! `fanline-edge`, not here.

mod limits;

// On the wire.
mod close;
mod frame;
mod message;
mod request;

// The socket.
mod io;
mod outbox;
mod socket;

// The connection.
mod calls;
mod connection;
mod conversation;
mod handshake;
mod session;
mod spans;
mod task;
mod timer;
mod work;

pub use close::{CloseCode, Comeback};
pub use handshake::router;
