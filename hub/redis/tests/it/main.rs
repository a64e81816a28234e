//! The broker on real Redis servers, started here on free ports.

mod changes;
mod cluster;
mod conformance;
mod faults;
mod foreign;
mod harness;
mod login;
mod order;
mod presence;
mod round_trips;
mod sentinel;
mod shards;
mod two_nodes;
