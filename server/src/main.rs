//! The `fanline` binary: it wires the hub, its fronts and bridges together, runs them, and drains them.
//!
//! What the parts do is in their crates. Start with [`cli`] for what can be asked of the binary, and with `node` for how
//! a hub is put together.

mod cli;
mod commands;
mod config;
mod console;
mod lifecycle;
mod listener;
mod mint;
mod new_key;
mod node;
mod ops;
mod problem;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli.command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fanline: {error:#}");
            ExitCode::FAILURE
        }
    }
}
