//! `idle`: what a connection that says nothing keeps resident in the hub. The kernel's memory for its socket is not counted.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use crate::accounting::resident_bytes;
use crate::cores::Cores;
use crate::entrance::enter_hub;
use crate::hub::Hub;
use crate::members::Members;
use crate::report::write_json;
use crate::trial::{Arena, fill};

const CHANNEL: &str = "bench:idle";
/// Bytes per connection that the issue of the first release allows.
const GOAL_BYTES: u64 = 6 * 1024;

#[derive(Args, Debug)]
pub(crate) struct IdleOptions {
    /// Connections, each joined to the same channel.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    connections: u64,
    /// Time between the last join and the measurement. By default every connection has been pinged once by then (25 s and a
    /// fifth), and what that needs is resident.
    #[arg(long, default_value_t = 35)]
    seconds: u64,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/idle.json")]
    json: PathBuf,
}

#[derive(Serialize)]
struct Report {
    bench: &'static str,
    cores: Cores,
    connections: u64,
    resident_bytes_before: u64,
    resident_bytes_after: u64,
    resident_bytes_per_connection: u64,
    goal: u64,
    opening_seconds: f64,
}

pub(crate) fn run(arena: &Arena, options: &IdleOptions) -> Result<()> {
    let hub = Hub::start(arena.cores, &arena.hub_binary)?;
    let mut members = Members::new()?;
    // The first connection brings code and tables into memory that all share.
    let enter = |_| Ok((enter_hub(hub.public(), &hub.token, CHANNEL)?, 0));
    fill(&mut members, 1, enter)?;
    let before = resident_bytes(hub.pid())?;

    eprintln!("idle: opening {} connections", options.connections);
    let start = Instant::now();
    fill(&mut members, usize::try_from(options.connections)?, enter)?;
    let opening = start.elapsed();
    eprintln!("idle: quiet for {} s", options.seconds);
    keep_quiet(&mut members, Duration::from_secs(options.seconds))?;
    let after = resident_bytes(hub.pid())?;

    let report = Report {
        bench: "idle",
        cores: arena.cores,
        connections: options.connections,
        resident_bytes_before: before,
        resident_bytes_after: after,
        resident_bytes_per_connection: after.saturating_sub(before) / options.connections,
        goal: GOAL_BYTES,
        opening_seconds: opening.as_secs_f64(),
    };
    report.print();
    write_json(&options.json, &report)
}

/// Answers pings, and nothing else may come.
fn keep_quiet(members: &mut Members, time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        members.turn(left, |_| bail!("an event arrived and none was published"))?;
    }
}

impl Report {
    fn print(&self) {
        let verdict =
            if self.resident_bytes_per_connection <= self.goal { "held" } else { "MISSED" };
        println!(
            "\nidle, {} connections, opened in {:.1} s",
            self.connections, self.opening_seconds
        );
        println!("resident before   {:>12} B", self.resident_bytes_before);
        println!("resident after    {:>12} B", self.resident_bytes_after);
        println!(
            "per connection    {:>12} B (goal {}: {verdict})",
            self.resident_bytes_per_connection, self.goal
        );
    }
}
