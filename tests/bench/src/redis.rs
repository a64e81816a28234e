//! `redis`: how many events a node publishes through gRPC `PublishStream` into one Redis, with history, beside what
//! `redis-benchmark` gets out of the same server with the same script and arguments. Both take turns within one run.
//!
//! Redis has the server's core for itself. The other core is for whoever drives it: `redis-benchmark`, or the hub and the
//! publisher together.

mod flood;
mod rival;
mod server;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::accounting::cpu_time;
use crate::cores::Cores;
use crate::hub::Hub;
use crate::redis::flood::Flood;
use crate::redis::rival::Rival;
use crate::redis::server::RedisServer;
use crate::report::{median, write_json};
use crate::trial::{Arena, PAYLOAD_BYTES, json_of};

/// Publishes of the hub over those of `redis-benchmark`, at the least.
const GOAL: f64 = 0.5;

#[derive(Args, Debug)]
pub(crate) struct RedisOptions {
    /// Channels, which take the events in turn.
    #[arg(long, default_value = "100")]
    channels: NonZeroUsize,
    /// `PublishStream`s, over one connection.
    #[arg(long, default_value = "1")]
    streams: NonZeroUsize,
    /// Connections of `redis-benchmark`.
    #[arg(long, default_value = "4")]
    clients: NonZeroUsize,
    /// Commands of each that are under way.
    #[arg(long, default_value = "64")]
    pipeline: NonZeroUsize,
    /// Length of one measured window.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Bytes of an event's data.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(PAYLOAD_BYTES))]
    payload: u16,
    /// Rounds, of which the medians are printed.
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/redis.json")]
    json: PathBuf,
}

#[derive(Serialize)]
struct Report {
    bench: &'static str,
    cores: Cores,
    channels: usize,
    streams: usize,
    payload_bytes: usize,
    /// Of an event as it lies in Redis.
    event_bytes: usize,
    hub: Vec<Figures>,
    redis_benchmark: Vec<Figures>,
    /// The median of the ratios within each round.
    ratio: f64,
    goal: f64,
}

/// One window of one contestant. Times are microseconds of CPU for each publish.
#[derive(Clone, Copy, Debug, Serialize)]
struct Figures {
    publishes_per_second: f64,
    redis_cpu_micros: f64,
    /// Of the hub alone; nothing for `redis-benchmark`.
    hub_cpu_micros: f64,
    /// Of its core, during the window.
    redis_busy: f64,
}

pub(crate) fn run(arena: &Arena, options: &RedisOptions) -> Result<()> {
    let redis = RedisServer::start(arena.cores)?;
    let hub = Hub::start_on_redis(&arena.hub_binary, &redis.url())?;
    // As many digits as `redis-benchmark` puts for a random number.
    let channels: Vec<String> =
        (0..options.channels.get()).map(|number| format!("bench:{number:012}")).collect();
    let data = json_of(usize::from(options.payload));
    let mut flood = Flood::connect(hub.grpc(), hub.api_key(), &channels, &data, options.streams)?;
    let sample = redis.next_publish(|| flood.publish_one(&channels[0], &data))?;
    let rival = Rival::new(&redis, sample, options.clients, options.pipeline, options.channels);

    let window = Duration::from_secs(options.seconds);
    let (mut of_hub, mut of_rival) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds.get() {
        eprintln!("redis: round {round} of {}, redis-benchmark", options.rounds);
        let rate = of_rival.last().map_or(50_000.0, |last: &Figures| last.publishes_per_second);
        of_rival.push(measure(redis.pid(), None, || rival.run(rate * window.as_secs_f64()))?);
        eprintln!("redis: round {round} of {}, hub", options.rounds);
        flood.warm_up()?;
        of_hub.push(measure(redis.pid(), Some(hub.pid()), || flood.run(window))?);
    }
    let ratios = of_hub.iter().zip(&of_rival);
    let ratios = ratios.map(|(hub, rival)| hub.publishes_per_second / rival.publishes_per_second);
    let report = Report {
        bench: "redis",
        cores: arena.cores,
        channels: channels.len(),
        streams: options.streams.get(),
        payload_bytes: data.len(),
        event_bytes: rival.event_bytes(),
        ratio: median(ratios),
        hub: of_hub,
        redis_benchmark: of_rival,
        goal: GOAL,
    };
    report.print();
    write_json(&options.json, &report)
}

/// Measures what publishes as many as it says.
fn measure(redis: u32, hub: Option<u32>, work: impl FnOnce() -> Result<u64>) -> Result<Figures> {
    let books = || -> Result<(Duration, Duration)> {
        Ok((cpu_time(redis)?, hub.map(cpu_time).transpose()?.unwrap_or_default()))
    };
    let (redis_before, hub_before) = books()?;
    let start = Instant::now();
    let publishes = work()? as f64;
    let wall = start.elapsed().as_secs_f64();
    let (redis_after, hub_after) = books()?;
    let redis_cpu = (redis_after - redis_before).as_secs_f64();
    Ok(Figures {
        publishes_per_second: publishes / wall,
        redis_cpu_micros: redis_cpu * 1e6 / publishes,
        hub_cpu_micros: (hub_after - hub_before).as_secs_f64() * 1e6 / publishes,
        redis_busy: redis_cpu / wall,
    })
}

impl Report {
    fn print(&self) {
        println!(
            "\nredis, {} channels with history, {} PublishStreams, events of {} B",
            self.channels, self.streams, self.event_bytes
        );
        println!(
            "{:16}{:>14}{:>14}{:>12}{:>12}",
            "", "publishes/s", "Redis us/p", "hub us/p", "Redis busy"
        );
        for (name, rounds) in [("redis-benchmark", &self.redis_benchmark), ("hub", &self.hub)] {
            let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure));
            println!(
                "{name:16}{:>14.0}{:>14.2}{:>12.2}{:>11.0}%",
                of(|round| round.publishes_per_second),
                of(|round| round.redis_cpu_micros),
                of(|round| round.hub_cpu_micros),
                of(|round| round.redis_busy) * 100.0,
            );
        }
        let verdict = if self.ratio >= self.goal { "held" } else { "MISSED" };
        println!(
            "  hub against redis-benchmark: {:.2} of its publishes (goal {:.2}: {verdict})",
            self.ratio, self.goal
        );
    }
}
