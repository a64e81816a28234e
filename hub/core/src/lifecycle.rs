//! Who comes and goes, told to backends as events in `$lifecycle:<namespace>`, which are subscribed to like any other.
//!
//! A namespace that asks for it ([`NamespaceOptions::lifecycle`](crate::namespace::NamespaceOptions)) has its members
//! tracked: the broker writes each [`Change`](crate::broker::Change) down in the step in which it happens, and whoever
//! tells it makes it forgotten. Each node tells of the channels in which its own members came or went, in their order; what
//! a node left untold, and its members when it dies, one of the others looks for. An event that is told twice has the same
//! idempotency key, so that it is published once by however many nodes.
//!
//! Connections are told of in the same way: those of a node are the members of a channel that nobody subscribes to. Read
//! `teller.rs` first, then `event.rs`; `look.rs` finds what others left.

mod attend;
mod event;
mod look;
mod teller;
mod waiting;

pub(crate) use attend::Attended;
pub(crate) use teller::Teller;

use crate::channel::ChannelName;
use crate::hub::Hub;
use crate::namespace::{Audience, NamespaceOptions, Retention};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What the channels begin with in which it is told, before the name of the namespace.
pub(crate) const PREFIX: &str = "$lifecycle:";

/// What such a channel keeps: some 3 MiB, enough for a backend that restarts under a wave of reconnects.
const KEEPS: Retention = Retention {
    size: 10_000,
    ttl: Duration::from_secs(3600),
    epoch_ttl: Duration::from_secs(24 * 3600),
};

/// Tells what this node did itself, and looks for what others left untold, until `stop`.
pub(crate) async fn run(hub: Hub, stop: CancellationToken) {
    let both = async { tokio::join!(teller::tell(&hub), look::look(&hub)) };
    stop.run_until_cancelled(both).await;
}

/// The options of the channels in which it is told. Only the hub publishes there.
pub(crate) fn options() -> NamespaceOptions {
    NamespaceOptions { publish: Audience::Nobody, retention: KEEPS, ..NamespaceOptions::default() }
}

/// The channel in which a namespace is told of. None: the name of the namespace is too long for one.
fn channel_of(namespace: &str) -> Option<ChannelName> {
    format!("{PREFIX}{namespace}").parse().ok()
}
