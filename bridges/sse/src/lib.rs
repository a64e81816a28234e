//! SSE: `GET /v1/sse` (contract section 5; HTML standard, section 9.2).
//!
//! A stream is the body of its answer and nothing else: no task and no queue of its own. The HTTP server asks for bytes
//! when the client can take them, and only then are they taken from the channel logs. Read `stream` first. What a client
//! may do is decided in `fanline-edge`, not here.

mod limits;

// On the wire.
mod block;
mod chunk;
mod message;

// The stream.
mod orders;
mod stream;
mod timer;

// How it is asked for.
mod accept;
mod handshake;
mod overload;
mod question;

pub use handshake::router;
