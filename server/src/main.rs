//! The `fanline` binary: it wires the hub, its fronts and bridges together, runs them, and drains them.
//!
//! What the parts do is in their crates. Start with [`cli`] for what can be asked of the binary, and with `node` for how
//! a hub is put together.

mod broker;
mod cli;
mod commands;
mod config;
mod console;
mod docs;
mod http_client;
mod jwks;
mod lifecycle;
mod listener;
mod mint;
mod new_key;
mod node;
mod ops;
mod problem;
mod reload;
mod service_tokens;
mod telemetry;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::Context;
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

/// Gives memory that was freed back to the system within ten seconds, by a thread of its own. That of the C library keeps it:
/// 10,000 clients that left would be paid for until the process ends.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let ended = runtime()
        .context("the runtime cannot start")
        .and_then(|runtime| runtime.block_on(commands::run(cli.command)));
    ended.unwrap_or_else(|error| {
        eprintln!("fanline: {}", told(&error));
        ExitCode::FAILURE
    })
}

/// An error with its causes, but for those that the one before ends with: libraries wrap errors and repeat them.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.ends_with(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// A worker for each core that this process may use. With one core there is nobody to share work with, and the scheduler
/// that does not try is cheaper.
fn runtime() -> std::io::Result<Runtime> {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let mut runtime =
        if cores == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    runtime.enable_all().build()
}
