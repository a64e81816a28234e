//! `fanline serve`: a hub with a configuration.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;
use tracing::warn;

use crate::cli::ConfigFile;
use crate::config::Loaded;
use crate::lifecycle::Signals;
use crate::node::{Extras, Node};
use crate::telemetry;

pub(super) async fn run(file: &ConfigFile) -> Result<ExitCode> {
    let settings = Loaded::from_file(file.config.as_deref())?.settings()?;
    telemetry::start(&settings.telemetry)?;
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    let signals = Signals::take().context("signals cannot be taken over")?;
    let node = Node::start(settings, Extras::default())?;
    let addresses = node.addresses();
    // For whoever started us and waits: the one line on standard output.
    let ready = json!({
        "ready": true,
        "public": addresses.public.to_string(),
        "grpc": addresses.grpc.to_string(),
        "ops": addresses.ops.to_string(),
    });
    writeln!(io::stdout(), "{ready}")?;
    Ok(node.run(signals).await)
}
