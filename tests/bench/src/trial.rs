//! One trial: a fresh server process, its members, a warm-up, and the window that is measured. The hub and the bare
//! broadcasters go through the same trial; they differ in how a member enters and how an event is published.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::accounting::cpu_time;
use crate::bare::{BareMode, BareOptions, BareProcess};
use crate::cores::Cores;
use crate::entrance::{Entered, enter_bare, enter_hub};
use crate::hub::Hub;
use crate::ledger::{Ledger, Sample};
use crate::load::{Load, Pace};
use crate::members::Members;
use crate::publisher::{BarePublisher, HubPublisher, Publisher};
use crate::report::Figures;

/// Sizes of an event's data: from the smallest JSON object that [`json_of`] pads to what leaves a frame below 64 KiB, the most
/// that [`crate::frames`] reads.
pub(crate) const PAYLOAD_BYTES: RangeInclusive<i64> = 11..=64_000;

const WARM_UP: Duration = Duration::from_secs(1);
/// Members that enter between two turns of those that are already in: somebody has to answer their pings.
const ENTRIES_PER_TURN: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Contestant {
    Hub,
    Bare(BareMode),
}

impl Contestant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Bare(mode) => mode.name(),
        }
    }
}

/// Where trials are held.
pub(crate) struct Arena {
    pub(crate) cores: Cores,
    pub(crate) hub_binary: PathBuf,
}

/// What every contestant has to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) channels: usize,
    /// Of each channel.
    pub(crate) members: usize,
    pub(crate) payload_bytes: usize,
    pub(crate) pace: Pace,
    pub(crate) sample: Sample,
    pub(crate) window: Duration,
}

impl Work {
    /// `frame_bytes` is the size of the frames a bare broadcaster writes; the hub's are what they are.
    pub(crate) fn trial(
        &self,
        arena: &Arena,
        contestant: Contestant,
        frame_bytes: usize,
    ) -> Result<Figures> {
        match contestant {
            Contestant::Hub => {
                let hub = Hub::start(arena.cores, &arena.hub_binary)?;
                let channels: Vec<String> =
                    (0..self.channels).map(|channel| format!("bench:{channel}")).collect();
                let publisher = HubPublisher::connect(
                    hub.grpc(),
                    hub.api_key(),
                    &channels,
                    &json_of(self.payload_bytes),
                )?;
                self.measure(hub.pid(), Box::new(publisher), |channel| {
                    enter_hub(hub.public(), &hub.token, &channels[channel])
                })
            }
            Contestant::Bare(mode) => {
                let bare = BareProcess::start(
                    arena.cores,
                    BareOptions {
                        mode,
                        channels: self.channels,
                        members: self.channels * self.members,
                        frame_bytes,
                    },
                )?;
                let publisher = BarePublisher::connect(bare.address)?;
                self.measure(bare.pid(), Box::new(publisher), |channel| {
                    enter_bare(bare.address, u32::try_from(channel)?)
                })
            }
        }
    }

    fn measure(
        &self,
        server: u32,
        publisher: Box<dyn Publisher>,
        enter: impl Fn(usize) -> Result<Entered>,
    ) -> Result<Figures> {
        let mut members = Members::new()?;
        fill(&mut members, self.channels * self.members, |number| {
            let channel = number % self.channels;
            Ok((enter(channel)?, channel))
        })?;
        let ledger = Ledger::new(self.channels, self.members, self.sample);
        let mut load = Load::new(members, publisher, ledger, self.pace, self.channels);
        load.run(WARM_UP)?;

        let generator = std::process::id();
        load.ledger.start_window();
        let start = Instant::now();
        let (server_before, generator_before) = (cpu_time(server)?, cpu_time(generator)?);
        load.run(self.window)?;
        let wall = start.elapsed();
        Ok(Figures::new(
            &load.ledger,
            wall,
            cpu_time(server)? - server_before,
            cpu_time(generator)? - generator_before,
            load.members.mean_event_frame_bytes().context("no member received an event")?,
        ))
    }
}

/// Lets `count` members in, one after the other.
pub(crate) fn fill(
    members: &mut Members,
    count: usize,
    enter: impl Fn(usize) -> Result<(Entered, usize)>,
) -> Result<()> {
    for number in 0..count {
        let (entered, channel) =
            enter(number).with_context(|| format!("member {number} of {count}"))?;
        members.add(entered, channel)?;
        if number % ENTRIES_PER_TURN == 0 {
            members.turn(Duration::ZERO, |_| {
                anyhow::bail!("an event arrived before one was published")
            })?;
        }
    }
    Ok(())
}

/// A JSON object of exactly `bytes`.
pub(crate) fn json_of(bytes: usize) -> String {
    let empty = r#"{"text":""}"#.len();
    format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes - empty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_json_of_the_size_asked_for() {
        for bytes in [11, 128] {
            let payload = json_of(bytes);
            assert_eq!(payload.len(), bytes);
            assert!(serde_json::from_str::<serde_json::Value>(&payload).is_ok());
        }
    }

    #[test]
    fn a_bare_broadcaster_is_loaded_in_process() {
        // Processes and pinning are left out; entrance, members, ledger, pace and publisher are the real ones.
        let (address, server) = crate::bare::tests::serve_on_a_thread(BareMode::Batch, 2, 6, 200);
        let work = Work {
            channels: 2,
            members: 3,
            payload_bytes: 128,
            pace: Pace::InFlight(8),
            sample: Sample::LastReceipt,
            window: Duration::from_millis(200),
        };
        let publisher = Box::new(BarePublisher::connect(address).unwrap());
        let figures = work
            .measure(std::process::id(), publisher, |channel| {
                enter_bare(address, u32::try_from(channel)?)
            })
            .unwrap();
        assert!(figures.deliveries_per_second > 0.0);
        assert_eq!(figures.frame_bytes, 200);
        server.join().unwrap().unwrap();
    }
}
