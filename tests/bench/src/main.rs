//! `fanline-bench`: measures the real hub beside bare broadcasters that only write, in the same run and on the same machine.
//! `cargo xtask bench` builds both and calls it.
//!
//! What is measured is in [`fanout`], [`latency`], [`idle`] and [`redis`]; how, begins in [`trial`]. Linux only: processor time and
//! resident memory are read from `/proc`.

mod accounting;
mod bare;
mod contest;
mod cores;
mod entrance;
mod fanout;
mod frames;
mod hub;
mod idle;
mod latency;
mod ledger;
mod load;
mod members;
mod publisher;
mod redis;
mod report;
mod trial;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::cores::Cores;
use crate::trial::Arena;

/// Measures the hub beside bare broadcasters that only write ready-made frames.
#[derive(Parser)]
#[command(name = "fanline-bench")]
struct Cli {
    #[command(flatten)]
    hub: HubOptions,
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Args)]
struct HubOptions {
    /// The hub's binary. Default: `fanline` beside this one.
    #[arg(long, global = true, env = "FANLINE_BIN")]
    bin: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Bench {
    /// Deliveries per second, CPU per delivery and latency at full speed
    Fanout(fanout::FanoutOptions),
    /// Resident bytes per idle room member, stream and poll, and after all were cut
    Idle(idle::IdleOptions),
    /// Latency at a fixed rate
    Latency(latency::LatencyOptions),
    /// Publishes per second through one Redis, beside redis-benchmark
    Redis(redis::RedisOptions),
    /// A bare broadcaster, started by the others
    #[command(hide = true)]
    Bare(bare::BareOptions),
}

fn main() -> Result<()> {
    let Cli { hub, bench } = Cli::parse();
    match bench {
        Bench::Fanout(options) => fanout::run(&arena(hub)?, &options),
        Bench::Idle(options) => idle::run(&arena(hub)?, &options),
        Bench::Latency(options) => latency::run(&arena(hub)?, &options),
        Bench::Redis(options) => redis::run(&arena(hub)?, &options),
        Bench::Bare(options) => bare::run(options),
    }
}

fn arena(HubOptions { bin }: HubOptions) -> Result<Arena> {
    let hub_binary = match bin {
        Some(binary) => binary,
        None => std::env::current_exe()?
            .parent()
            .context("this program lies in a folder")?
            .join("fanline"),
    };
    Ok(Arena { cores: Cores::claim()?, hub_binary })
}
