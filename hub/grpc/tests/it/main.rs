//! The gRPC front over real sockets, as its clients see it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as the tests do")]

mod harness;

mod access;
mod channels;
mod commands;
mod connections;
mod operations;
mod publish;
mod subscribe;
