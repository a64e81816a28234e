//! `idle`: what a client that says nothing keeps resident in the hub, and what is still resident when all of them were cut. The
//! kernel's memory for its socket is not counted. Each way to be idle is an [`Idlers`], and all go through the same [`run`].

mod polls;
mod rooms;
mod streams;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::accounting::resident_bytes;
use crate::cores::Cores;
use crate::hub::Hub;
use crate::report::write_json;
use crate::trial::Arena;

const CHANNEL: &str = "bench:idle";
/// Bytes per WebSocket connection that the issue of the first release allows. Nothing is set for streams and polls.
const ROOM_GOAL_BYTES: u64 = 6 * 1024;
/// When memory is read after a cut.
const AFTER_CUT: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(10)];
/// How long the hub may take to see that a client came or went.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);
const NOTICED_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Args, Debug)]
pub(crate) struct IdleOptions {
    /// How the clients are connected. Default: one way after the other.
    #[arg(long, value_enum)]
    transport: Option<Transport>,
    /// Clients, each following the same channel.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    connections: u64,
    /// How often the clients come and are cut, at one hub.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Time between the last client and the measurement. Default: until everything that the hub says to a silent client by
    /// itself was said once, because what that needs is resident: 35 s for WebSockets, which are pinged each 25 s and a
    /// fifth, 25 s for streams, whose heart beats each 20 s and a fifth, 5 s for polls. A poll waits no longer than 45 s.
    #[arg(long)]
    seconds: Option<u64>,
    /// Streams on one HTTP/2 connection, if the hub allows so many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    streams_per_connection: u64,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/idle.json")]
    json: PathBuf,
}

/// How a client that says nothing is connected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Transport {
    /// In a room, by WebSocket
    Websocket,
    /// A stream of events, over HTTP/2 without TLS
    Sse,
    /// A poll that waits, over HTTP/1.1
    Poll,
}

/// Clients that say nothing. Dropping them cuts all of them.
trait Idlers {
    /// Connects so many more, each on the channel when this returns or soon after.
    fn enter(&mut self, count: usize) -> Result<()>;

    /// Keeps all of them connected for so long.
    ///
    /// # Errors
    ///
    /// One of them was ended, or was told something that is not for a silent client.
    fn hold(&mut self, time: Duration) -> Result<()>;

    /// What a reader of the figures has to know about them.
    fn describe(&self) -> String {
        String::new()
    }
}

#[derive(Serialize)]
struct Report {
    bench: &'static str,
    cores: Cores,
    connections: u64,
    transports: Vec<Standing>,
}

/// How one transport did.
#[derive(Serialize)]
struct Standing {
    transport: Transport,
    /// Empty, or how clients shared connections.
    detail: String,
    /// With one client, which brought code and tables into memory that all share.
    resident_bytes_before: u64,
    rounds: Vec<Round>,
    /// For the bytes per client of the first round.
    goal: Option<u64>,
}

#[derive(Serialize)]
struct Round {
    opening_seconds: f64,
    resident_bytes_after: u64,
    resident_bytes_per_client: u64,
    cut: Cut,
}

/// What the hub made of the end of all clients.
#[derive(Serialize)]
struct Cut {
    /// Until the hub counted no client any more.
    gone_after_seconds: f64,
    resident: Vec<AfterCut>,
}

#[derive(Serialize)]
struct AfterCut {
    seconds: u64,
    resident_bytes: u64,
}

pub(crate) fn run(arena: &Arena, options: &IdleOptions) -> Result<()> {
    let transports = options
        .transport
        .map_or_else(|| Transport::value_variants().to_vec(), |transport| vec![transport]);
    let mut report = Report {
        bench: "idle",
        cores: arena.cores,
        connections: options.connections,
        transports: Vec::new(),
    };
    println!("\nidle, {} clients each way", options.connections);
    print_head();
    for transport in transports {
        let hub = Hub::start(arena.cores, &arena.hub_binary)?;
        report.transports.push(Standing::measure(&hub, transport, options)?);
    }
    write_json(&options.json, &report)
}

impl Transport {
    fn idlers<'a>(self, hub: &'a Hub, options: &IdleOptions) -> Result<Box<dyn Idlers + 'a>> {
        Ok(match self {
            Self::Websocket => Box::new(rooms::Rooms::new(hub, CHANNEL)?),
            Self::Sse => Box::new(streams::Streams::new(
                hub,
                CHANNEL,
                usize::try_from(options.streams_per_connection)?,
            )?),
            Self::Poll => Box::new(polls::Polls::new(hub, CHANNEL)),
        })
    }

    fn quiet(self) -> Duration {
        Duration::from_secs(match self {
            Self::Websocket => 35,
            Self::Sse => 25,
            Self::Poll => 5,
        })
    }

    fn goal(self) -> Option<u64> {
        match self {
            Self::Websocket => Some(ROOM_GOAL_BYTES),
            Self::Sse | Self::Poll => None,
        }
    }
}

impl Standing {
    /// Prints each round when it has ended.
    fn measure(hub: &Hub, transport: Transport, options: &IdleOptions) -> Result<Self> {
        let mut first = transport.idlers(hub, options)?;
        first.enter(1)?;
        settle(hub, 1)?;
        let resident_bytes_before = resident_bytes(hub.pid())?;
        drop(first);
        settle(hub, 0)?;

        let mut standing = Self {
            transport,
            detail: String::new(),
            resident_bytes_before,
            rounds: Vec::new(),
            goal: transport.goal(),
        };
        for _ in 0..options.rounds {
            let mut idlers = transport.idlers(hub, options)?;
            let (count, quiet) = (
                options.connections,
                options.seconds.map_or(transport.quiet(), Duration::from_secs),
            );
            let start = Instant::now();
            idlers.enter(usize::try_from(count)?)?;
            let opening = start.elapsed();
            settle(hub, count)?;
            idlers.hold(quiet)?;
            settle(hub, count)?;
            let after = resident_bytes(hub.pid())?;
            standing.detail = idlers.describe();
            standing.rounds.push(Round {
                opening_seconds: opening.as_secs_f64(),
                resident_bytes_after: after,
                resident_bytes_per_client: after.saturating_sub(resident_bytes_before) / count,
                cut: Cut::of(idlers, hub)?,
            });
            standing.print_last();
        }
        Ok(standing)
    }

    fn print_last(&self) {
        let Some(round) = self.rounds.last() else { return };
        print!(
            "{:10}{:>6}{:>9.1} s{:>10}{:>10}{:>12} B{:>10.1} s",
            format!("{:?}", self.transport).to_lowercase(),
            self.rounds.len(),
            round.opening_seconds,
            mebibytes(self.resident_bytes_before),
            mebibytes(round.resident_bytes_after),
            round.resident_bytes_per_client,
            round.cut.gone_after_seconds,
        );
        for after_cut in &round.cut.resident {
            print!("{:>10}", mebibytes(after_cut.resident_bytes));
        }
        if let Some(goal) = self.goal {
            let verdict = if round.resident_bytes_per_client <= goal { "held" } else { "MISSED" };
            print!("  (goal {goal} B: {verdict})");
        }
        if !self.detail.is_empty() {
            print!("  ({})", self.detail);
        }
        println!();
    }
}

impl Cut {
    fn of(idlers: Box<dyn Idlers + '_>, hub: &Hub) -> Result<Self> {
        drop(idlers);
        let start = Instant::now();
        settle(hub, 0)?;
        let gone_after_seconds = start.elapsed().as_secs_f64();
        let mut resident = Vec::new();
        for after in AFTER_CUT {
            std::thread::sleep((start + after).saturating_duration_since(Instant::now()));
            let resident_bytes = resident_bytes(hub.pid())?;
            resident.push(AfterCut { seconds: after.as_secs(), resident_bytes });
        }
        Ok(Self { gone_after_seconds, resident })
    }
}

/// Waits until the hub counts so many clients.
fn settle(hub: &Hub, count: u64) -> Result<()> {
    let start = Instant::now();
    loop {
        let open = hub.open_connections()?;
        if open == count {
            return Ok(());
        }
        ensure!(
            start.elapsed() < NOTICED_WITHIN,
            "the hub counts {open} clients instead of {count}"
        );
        std::thread::sleep(NOTICED_INTERVAL);
    }
}

fn print_head() {
    print!(
        "{:10}{:>6}{:>11}{:>10}{:>10}{:>14}{:>12}",
        "", "round", "opened in", "MiB idle", "MiB with", "per client", "gone after",
    );
    for after in AFTER_CUT {
        print!("{:>10}", format!("MiB +{} s", after.as_secs()));
    }
    println!();
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1024.0 * 1024.0))
}
