//! A contest: the same work for several contestants, in interleaved rounds (a machine that is shared is slower at one time
//! than at another; within a round the contestants meet the same machine).

use anyhow::Result;
use serde::Serialize;

use crate::report::{Ratio, Standing, print_ratio, print_standings};
use crate::trial::{Arena, Contestant, Work};

/// What the contract's event object, the frame and a short channel name add to the payload, while no hub has shown it.
const EVENT_ENVELOPE_BYTES: usize = 190;

pub(crate) struct Contest {
    pub(crate) title: String,
    pub(crate) work: Work,
    /// The hub first, if it takes part: the others write frames of its size.
    pub(crate) contestants: Vec<Contestant>,
    pub(crate) rounds: usize,
    /// For the ratio of CPU per delivery, a bare broadcaster over the hub.
    pub(crate) goal: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    title: String,
    standings: Vec<Standing>,
    ratios: Vec<Ratio>,
}

impl Contest {
    pub(crate) fn hold(self, arena: &Arena) -> Result<Outcome> {
        let mut frame_bytes = self.work.payload_bytes + EVENT_ENVELOPE_BYTES;
        let mut figures = vec![Vec::new(); self.contestants.len()];
        for round in 1..=self.rounds {
            for (&contestant, figures) in self.contestants.iter().zip(&mut figures) {
                eprintln!(
                    "{}: round {round} of {}, {}",
                    self.title,
                    self.rounds,
                    contestant.name()
                );
                let measured = self.work.trial(arena, contestant, frame_bytes)?;
                frame_bytes = measured.frame_bytes;
                figures.push(measured);
            }
        }
        let standings: Vec<Standing> = self
            .contestants
            .iter()
            .zip(figures)
            .map(|(contestant, rounds)| Standing::new(contestant.name(), rounds))
            .collect();
        let ratios = match &standings[..] {
            [hub, bare @ ..] if self.contestants[0] == Contestant::Hub => {
                bare.iter().map(|bare| Ratio::new(hub, bare, self.goal)).collect()
            }
            _ => Vec::new(),
        };
        Ok(Outcome { title: self.title, standings, ratios })
    }
}

impl Outcome {
    pub(crate) fn print(&self) {
        println!("\n{}", self.title);
        print_standings(&self.standings);
        self.ratios.iter().for_each(print_ratio);
    }
}
