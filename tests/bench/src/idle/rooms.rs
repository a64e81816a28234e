//! WebSockets in a room that nobody speaks in.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Idlers;
use crate::entrance::enter_hub;
use crate::hub::Hub;
use crate::members::Members;
use crate::trial::fill;

pub(super) struct Rooms<'a> {
    hub: &'a Hub,
    channel: &'static str,
    members: Members,
}

impl<'a> Rooms<'a> {
    pub(super) fn new(hub: &'a Hub, channel: &'static str) -> Result<Self> {
        Ok(Self { hub, channel, members: Members::new()? })
    }
}

impl Idlers for Rooms<'_> {
    fn enter(&mut self, count: usize) -> Result<()> {
        fill(&mut self.members, count, |_| {
            Ok((enter_hub(self.hub.public(), &self.hub.token, self.channel)?, 0))
        })
    }

    /// Answers pings, and nothing else may come.
    fn hold(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.members.turn(left, |_| bail!("an event arrived and none was published"))?;
        }
    }
}
