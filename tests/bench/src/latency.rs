//! `latency`: how long a delivery takes while the server is far from full: events at a fixed rate, one sample per delivery.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::bare::BareMode;
use crate::contest::{Contest, Outcome};
use crate::cores::Cores;
use crate::ledger::Sample;
use crate::load::Pace;
use crate::report::write_json;
use crate::trial::{Arena, Contestant, PAYLOAD_BYTES, Work};

#[derive(Args, Debug)]
pub(crate) struct LatencyOptions {
    /// Members of the one channel.
    #[arg(long, default_value = "1000")]
    members: NonZeroUsize,
    /// Events per second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Length of one measured window.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Bytes of an event's data.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(PAYLOAD_BYTES))]
    payload: u16,
    /// Rounds, of which the medians are printed.
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// Leave the hub out, to learn what the machine gives.
    #[arg(long)]
    bare_only: bool,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/latency.json")]
    json: PathBuf,
}

#[derive(Serialize)]
struct Report {
    bench: &'static str,
    cores: Cores,
    members: usize,
    events_per_second: u32,
    payload_bytes: usize,
    window_seconds: u64,
    outcome: Outcome,
}

pub(crate) fn run(arena: &Arena, options: &LatencyOptions) -> Result<()> {
    let hub = (!options.bare_only).then_some(Contestant::Hub);
    let contest = Contest {
        title: format!(
            "latency, {} members, {} events/s, {} byte payload",
            options.members, options.rate, options.payload
        ),
        work: Work {
            channels: 1,
            members: options.members.get(),
            payload_bytes: options.payload.into(),
            pace: Pace::Every(Duration::from_secs(1) / options.rate),
            sample: Sample::EveryReceipt,
            window: Duration::from_secs(options.seconds),
        },
        contestants: hub.into_iter().chain([Contestant::Bare(BareMode::Write)]).collect(),
        rounds: options.rounds.get(),
        goal: None,
    };
    let outcome = contest.hold(arena)?;
    outcome.print();
    let report = Report {
        bench: "latency",
        cores: arena.cores,
        members: options.members.get(),
        events_per_second: options.rate,
        payload_bytes: options.payload.into(),
        window_seconds: options.seconds,
        outcome,
    };
    write_json(&options.json, &report)
}
