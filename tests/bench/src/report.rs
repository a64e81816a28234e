//! What a bench says at its end: a table for people and JSON for machines, from the same figures.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::ledger::Ledger;

/// The figures of one trial, or their medians over the rounds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) deliveries_per_second: f64,
    pub(crate) cpu_micros_per_delivery: f64,
    pub(crate) latency_millis: Latency,
    /// Of its core, during the window.
    pub(crate) server_busy: f64,
    /// Close to 1, the load generator is what was measured.
    pub(crate) generator_busy: f64,
    pub(crate) frame_bytes: usize,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// How one contestant did, round by round.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    pub(crate) name: &'static str,
    pub(crate) median: Figures,
    pub(crate) rounds: Vec<Figures>,
}

/// The hub beside one bare broadcaster; 1.0 is as good. Medians of the ratios within each round.
#[derive(Debug, Serialize)]
pub(crate) struct Ratio {
    pub(crate) against: &'static str,
    /// CPU per delivery of the bare broadcaster over that of the hub.
    pub(crate) cpu: f64,
    /// Deliveries per second of the hub over those of the bare broadcaster.
    pub(crate) throughput: f64,
    /// What `cpu` should reach.
    pub(crate) goal: Option<f64>,
}

impl Figures {
    pub(crate) fn new(
        ledger: &Ledger,
        wall: Duration,
        server_cpu: Duration,
        generator_cpu: Duration,
        frame_bytes: usize,
    ) -> Self {
        let deliveries = ledger.deliveries() as f64;
        Self {
            deliveries_per_second: deliveries / wall.as_secs_f64(),
            cpu_micros_per_delivery: server_cpu.as_secs_f64() * 1e6 / deliveries,
            latency_millis: Latency::of(ledger.latencies()),
            server_busy: server_cpu.as_secs_f64() / wall.as_secs_f64(),
            generator_busy: generator_cpu.as_secs_f64() / wall.as_secs_f64(),
            frame_bytes,
        }
    }

    fn median_of(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure));
        Self {
            deliveries_per_second: of(|round| round.deliveries_per_second),
            cpu_micros_per_delivery: of(|round| round.cpu_micros_per_delivery),
            latency_millis: Latency {
                p50: of(|round| round.latency_millis.p50),
                p90: of(|round| round.latency_millis.p90),
                p99: of(|round| round.latency_millis.p99),
                max: of(|round| round.latency_millis.max),
            },
            server_busy: of(|round| round.server_busy),
            generator_busy: of(|round| round.generator_busy),
            frame_bytes: rounds[rounds.len() / 2].frame_bytes,
        }
    }
}

impl Latency {
    fn of(micros: &Histogram<u64>) -> Self {
        let millis = |micros: u64| micros as f64 / 1e3;
        Self {
            p50: millis(micros.value_at_quantile(0.5)),
            p90: millis(micros.value_at_quantile(0.9)),
            p99: millis(micros.value_at_quantile(0.99)),
            max: millis(micros.max()),
        }
    }
}

impl Standing {
    /// `rounds` holds at least one.
    pub(crate) fn new(name: &'static str, rounds: Vec<Figures>) -> Self {
        Self { name, median: Figures::median_of(&rounds), rounds }
    }
}

impl Ratio {
    pub(crate) fn new(hub: &Standing, bare: &Standing, goal: Option<f64>) -> Self {
        let rounds = || hub.rounds.iter().zip(&bare.rounds);
        Self {
            against: bare.name,
            cpu: median(
                rounds()
                    .map(|(hub, bare)| bare.cpu_micros_per_delivery / hub.cpu_micros_per_delivery),
            ),
            throughput: median(
                rounds().map(|(hub, bare)| hub.deliveries_per_second / bare.deliveries_per_second),
            ),
            goal,
        }
    }
}

pub(crate) fn print_standings(standings: &[Standing]) {
    println!(
        "{:14}{:>14}{:>10}{:>9}{:>9}{:>9}{:>9}{:>8}{:>11}{:>8}",
        "",
        "deliveries/s",
        "CPU us/d",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "server",
        "generator",
        "frame"
    );
    for Standing { name, median, .. } in standings {
        let latency = median.latency_millis;
        println!(
            "{name:14}{:>14.0}{:>10.3}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>7.0}%{:>10.0}%{:>6} B",
            median.deliveries_per_second,
            median.cpu_micros_per_delivery,
            latency.p50,
            latency.p90,
            latency.p99,
            latency.max,
            median.server_busy * 100.0,
            median.generator_busy * 100.0,
            median.frame_bytes,
        );
    }
}

pub(crate) fn print_ratio(ratio: &Ratio) {
    let Ratio { against, cpu, throughput, goal } = ratio;
    print!("  hub against {against}: CPU ratio {cpu:.2}");
    if let Some(goal) = goal {
        let verdict = if cpu >= goal { "held" } else { "MISSED" };
        print!(" (goal {goal:.2}: {verdict})");
    }
    println!(", throughput ratio {throughput:.2}");
}

/// Writes `report` as JSON, with the folders on its way.
pub(crate) fn write_json(path: &Path, report: &impl Serialize) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("creating {}", folder.display()))?;
    }
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
    println!("\nJSON: {}", path.display());
    Ok(())
}

/// The upper one of an even number.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        // Round 2 had half the machine; the ratio does not see it.
        let hub = standing("hub", [(100.0, 2.0), (50.0, 4.0), (100.0, 2.0)]);
        let bare = standing("limit-batch", [(200.0, 1.0), (100.0, 2.0), (200.0, 1.0)]);
        let ratio = Ratio::new(&hub, &bare, None);
        assert_eq!((ratio.cpu, ratio.throughput), (0.5, 0.5));
    }

    #[test]
    fn each_figure_has_its_own_median() {
        let hub = standing("hub", [(1.0, 30.0), (3.0, 10.0), (2.0, 20.0)]);
        assert_eq!(hub.median.deliveries_per_second, 2.0);
        assert_eq!(hub.median.cpu_micros_per_delivery, 20.0);
    }

    fn standing(name: &'static str, rounds: [(f64, f64); 3]) -> Standing {
        let figures = |(deliveries_per_second, cpu_micros_per_delivery)| Figures {
            deliveries_per_second,
            cpu_micros_per_delivery,
            latency_millis: Latency { p50: 0.0, p90: 0.0, p99: 0.0, max: 0.0 },
            server_busy: 0.0,
            generator_busy: 0.0,
            frame_bytes: 330,
        };
        Standing::new(name, rounds.map(figures).to_vec())
    }
}
