//! Long-polling and the HTTP uplink (contract sections 6 and 7): the hub for clients that have nothing but requests.
//!
//! A poll is a request that is answered when there is news, and a cursor is all that lasts from one to the next: any
//! node answers any poll. The uplink is the operations of WebSocket rooms, each as a request of its own. Read `poll`
//! first. What a client may do is decided in `fanline-edge`, not here.

mod limits;

// A request, and the answer to it.
mod call;
mod reply;

// What is asked.
mod poll;
mod uplink;

// What is served, and its document.
mod openapi;
mod router;

pub use router::router;
