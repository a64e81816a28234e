//! `fanout`: what a delivery costs at full speed, in the three shapes that decide (see [`PRESETS`]) or in one that is asked
//! for. Full speed is a closed loop: a number of events is always on its way, and one that every member has makes room for
//! the next. Latencies are from publish to receipt by the last member.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::bare::BareMode;
use crate::contest::{Contest, Outcome};
use crate::cores::Cores;
use crate::ledger::{OUTSTANDING_MAX, Sample};
use crate::load::Pace;
use crate::report::write_json;
use crate::trial::{Arena, Contestant, PAYLOAD_BYTES, Work};

#[derive(Args, Debug)]
pub(crate) struct FanoutOptions {
    /// Members of each channel. With none of the first three options: the three presets, one after the other.
    #[arg(long)]
    members: Option<NonZeroUsize>,
    /// Channels, which take the events in turn. Default: 1.
    #[arg(long)]
    channels: Option<NonZeroUsize>,
    /// Events on their way at any time, all channels together. Default: 32.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=OUTSTANDING_MAX as i64))]
    in_flight: Option<u16>,
    /// Length of one measured window. Short ones, so that the machine is much the same for all who take their turn.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Bytes of an event's data.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(PAYLOAD_BYTES))]
    payload: u16,
    /// Rounds, of which the medians are printed.
    #[arg(long, default_value = "7")]
    rounds: NonZeroUsize,
    /// Leave the hub out, to learn what the machine gives.
    #[arg(long)]
    bare_only: bool,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/fanout.json")]
    json: PathBuf,
}

struct Shape {
    channels: usize,
    members: usize,
    in_flight: usize,
    against: &'static [BareMode],
    goal: Option<f64>,
}

/// Much to coalesce, nothing to coalesce, and few members per event.
const PRESETS: [Shape; 3] = [
    Shape {
        channels: 1,
        members: 1000,
        in_flight: 32,
        against: &[BareMode::Batch],
        goal: Some(0.6),
    },
    Shape {
        channels: 1,
        members: 1000,
        in_flight: 1,
        against: &[BareMode::Write],
        goal: Some(0.8),
    },
    Shape {
        channels: 1000,
        members: 5,
        in_flight: 32,
        against: &[BareMode::Write, BareMode::Batch],
        goal: Some(0.7),
    },
];

#[derive(Serialize)]
struct Report {
    bench: &'static str,
    cores: Cores,
    payload_bytes: usize,
    window_seconds: u64,
    outcomes: Vec<Outcome>,
}

pub(crate) fn run(arena: &Arena, options: &FanoutOptions) -> Result<()> {
    let mut outcomes = Vec::new();
    for shape in options.shapes() {
        let outcome = options.contest(&shape).hold(arena)?;
        outcome.print();
        outcomes.push(outcome);
    }
    let report = Report {
        bench: "fanout",
        cores: arena.cores,
        payload_bytes: options.payload.into(),
        window_seconds: options.seconds,
        outcomes,
    };
    write_json(&options.json, &report)
}

impl FanoutOptions {
    fn shapes(&self) -> Vec<Shape> {
        if (self.members, self.channels, self.in_flight) == (None, None, None) {
            return PRESETS.into();
        }
        vec![Shape {
            channels: self.channels.map_or(1, NonZeroUsize::get),
            members: self.members.map_or(1000, NonZeroUsize::get),
            in_flight: self.in_flight.unwrap_or(32).into(),
            against: &[BareMode::Batch, BareMode::Write],
            goal: None,
        }]
    }

    fn contest(&self, shape: &Shape) -> Contest {
        let hub = (!self.bare_only).then_some(Contestant::Hub);
        let bare = shape.against.iter().copied().map(Contestant::Bare);
        Contest {
            title: format!(
                "fanout, {} channels x {} members, {} in flight, {} byte payload",
                shape.channels, shape.members, shape.in_flight, self.payload
            ),
            work: Work {
                channels: shape.channels,
                members: shape.members,
                payload_bytes: self.payload.into(),
                pace: Pace::InFlight(shape.in_flight),
                sample: Sample::LastReceipt,
                window: Duration::from_secs(self.seconds),
            },
            contestants: hub.into_iter().chain(bare).collect(),
            rounds: self.rounds.get(),
            goal: shape.goal,
        }
    }
}
