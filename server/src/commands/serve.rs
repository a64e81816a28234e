//! `fanline serve`: a hub with a configuration.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;
use tracing::{info, warn};

use crate::cli::ConfigFile;
use crate::config::ConfigOrigin;
use crate::lifecycle::Signals;
use crate::node::{Addresses, Extras, Node};
use crate::telemetry;

pub(super) async fn run(file: &ConfigFile) -> Result<ExitCode> {
    let origin = ConfigOrigin::File(file.config.clone());
    let settings = origin.load()?.settings()?;
    let spans = telemetry::start(&settings.telemetry)?;
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    let signals = Signals::take().context("signals cannot be taken over")?;
    let node = Node::start(settings, origin, Extras::default(), spans)?;
    let Addresses { public, grpc, ops } = node.addresses();
    info!(%public, %grpc, %ops, "listening");
    let ready = serde_json::to_string(&Ready { ready: true, public, grpc, ops })?;
    writeln!(io::stdout(), "{ready}")?;
    Ok(node.run(signals).await.into())
}

/// The one line on standard output, for whoever started us and waits: where we listen.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    public: SocketAddr,
    grpc: SocketAddr,
    ops: SocketAddr,
}
