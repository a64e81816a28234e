//! The broker on real Redis servers, started here on free ports.

mod cluster;
mod conformance;
mod faults;
mod foreign;
mod harness;
mod login;
mod presence;
mod sentinel;
mod shards;
mod two_nodes;
