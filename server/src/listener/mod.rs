//! Listeners: from a bound address to requests, for all three of the hub's sockets.
//!
//! An accept loop of our own, because the ready-made ones leave open what an attacker asks for first: they wait for ever
//! for a peer that says nothing, take any number of HTTP/2 streams, and may never finish a graceful stop. Who a client is
//! and what it may do is decided behind the service; nothing here reads more of a request than its arrival.
//! Read [`Listener`] first.

mod accept;
mod connection;
mod metrics;
mod options;
mod peer_names;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use accept::Listener;
pub(crate) use metrics::ListenerMetrics;
pub(crate) use options::ListenerOptions;
