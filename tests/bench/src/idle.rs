//! `idle`: what a connection that says nothing keeps resident in the hub. The kernel's memory for its socket is not counted.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::accounting::resident_bytes;
use crate::cores::Cores;
use crate::entrance::enter_hub;
use crate::hub::Hub;
use crate::members::Members;
use crate::parked::Parked;
use crate::report::write_json;
use crate::trial::{Arena, fill};

const CHANNEL: &str = "bench:idle";
/// Bytes per WebSocket connection that the issue of the first release allows. Nothing is set for a poll.
const GOAL_BYTES: u64 = 6 * 1024;
/// How long after a cut the hub may still be busy with it.
const AFTER_CUT: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(crate) struct IdleOptions {
    /// How each of them is connected.
    #[arg(long, value_enum, default_value = "websocket")]
    transport: Transport,
    /// Connections, each joined to the same channel.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    connections: u64,
    /// Time between the last join and the measurement. By default every connection has been pinged once by then (25 s and a
    /// fifth), and what that needs is resident.
    /// A poll waits no longer than 45 s: with `--transport poll` choose a time that ends before that.
    #[arg(long, default_value_t = 35)]
    seconds: u64,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/idle.json")]
    json: PathBuf,
}

/// How a connection that says nothing is connected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Transport {
    Websocket,
    Poll,
}

/// What was measured, in bytes.
struct Measured {
    before: u64,
    after: u64,
    /// After all polls were cut; WebSockets are not.
    after_cut: Option<u64>,
    opening: Duration,
}

#[derive(Serialize)]
struct Report {
    bench: &'static str,
    transport: Transport,
    cores: Cores,
    connections: u64,
    resident_bytes_before: u64,
    resident_bytes_after: u64,
    resident_bytes_after_cut: Option<u64>,
    resident_bytes_per_connection: u64,
    goal: Option<u64>,
    opening_seconds: f64,
}

pub(crate) fn run(arena: &Arena, options: &IdleOptions) -> Result<()> {
    let hub = Hub::start(arena.cores, &arena.hub_binary)?;
    let Measured { before, after, after_cut, opening } = match options.transport {
        Transport::Websocket => in_rooms(&hub, options)?,
        Transport::Poll => parked(&hub, options)?,
    };
    let report = Report {
        bench: "idle",
        transport: options.transport,
        cores: arena.cores,
        connections: options.connections,
        resident_bytes_before: before,
        resident_bytes_after: after,
        resident_bytes_after_cut: after_cut,
        resident_bytes_per_connection: after.saturating_sub(before) / options.connections,
        goal: (options.transport == Transport::Websocket).then_some(GOAL_BYTES),
        opening_seconds: opening.as_secs_f64(),
    };
    report.print();
    write_json(&options.json, &report)
}

fn in_rooms(hub: &Hub, options: &IdleOptions) -> Result<Measured> {
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
    Ok(Measured { before, after, after_cut: None, opening })
}

fn parked(hub: &Hub, options: &IdleOptions) -> Result<Measured> {
    // As with rooms, the first brings code and tables into memory; it is that of another user.
    let first = Parked::open(hub.public(), CHANNEL, 1, |_| Ok(hub.token.clone()))?;
    let before = resident_bytes(hub.pid())?;
    eprintln!("idle: parking {} polls", options.connections);
    let start = Instant::now();
    let count = usize::try_from(options.connections)?;
    let polls = Parked::open(hub.public(), CHANNEL, count, |user| hub.token_of(user))?;
    let opening = start.elapsed();
    eprintln!("idle: quiet for {} s", options.seconds);
    std::thread::sleep(Duration::from_secs(options.seconds));
    polls.all_wait()?;
    let after = resident_bytes(hub.pid())?;
    drop((first, polls));
    std::thread::sleep(AFTER_CUT);
    Ok(Measured { before, after, after_cut: Some(resident_bytes(hub.pid())?), opening })
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
        let verdict = |goal| match self.resident_bytes_per_connection <= goal {
            true => format!(" (goal {goal}: held)"),
            false => format!(" (goal {goal}: MISSED)"),
        };
        println!(
            "\nidle, {} connections by {:?}, opened in {:.1} s",
            self.connections, self.transport, self.opening_seconds
        );
        println!("resident before   {:>12} B", self.resident_bytes_before);
        println!("resident after    {:>12} B", self.resident_bytes_after);
        if let Some(after_cut) = self.resident_bytes_after_cut {
            println!("after all are cut {after_cut:>12} B");
        }
        println!(
            "per connection    {:>12} B{}",
            self.resident_bytes_per_connection,
            self.goal.map(verdict).unwrap_or_default()
        );
    }
}
