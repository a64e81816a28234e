//! A client that polls.

use std::collections::VecDeque;

use anyhow::{Context, Result, bail};
use http::StatusCode;
use serde_json::Value;

use super::transport::{Closed, Transport, lost, text};
use crate::commands::target::{ANSWER_BYTES, Target, path};

/// The client, between two polls.
pub(super) struct Poll {
    target: Target,
    token: String,
    channel: String,
    cursor: String,
    /// The positions of events that have come and were not asked for yet.
    waiting: VecDeque<String>,
    lost: Option<String>,
}

impl Transport for Poll {
    const NAME: &'static str = "long-polling";

    async fn open(
        target: &Target,
        token: &str,
        channel: &str,
        since: Option<&str>,
    ) -> Result<Self, Closed> {
        let mut poll = Poll {
            target: target.clone(),
            token: token.to_owned(),
            channel: channel.to_owned(),
            cursor: since.unwrap_or_default().to_owned(),
            waiting: VecDeque::new(),
            lost: None,
        };
        poll.ask("0").await?;
        Ok(poll)
    }

    async fn next(&mut self) -> Result<String> {
        loop {
            if let Some(position) = self.waiting.pop_front() {
                return Ok(position);
            }
            self.ask("25").await?;
            if let Some(reason) = &self.lost {
                bail!("events are lost ({reason})");
            }
        }
    }

    /// Of all that has come: the cursor moves with a batch.
    fn place(&self) -> &str {
        &self.cursor
    }

    fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }
}

impl Poll {
    /// Polls once, for so many seconds.
    async fn ask(&mut self, wait: &str) -> Result<(), Closed> {
        let mut parameters = vec![("channel", &*self.channel), ("wait", wait)];
        if !self.cursor.is_empty() {
            parameters.push(("cursor", &self.cursor));
        }
        let answer = self.target.get(&path("/v1/poll", &parameters), Some(&self.token)).await?;
        let status = answer.status();
        if ![StatusCode::OK, StatusCode::GONE].contains(&status) {
            return Err(Closed::Refused(status));
        }
        let answer: Value = answer.json(ANSWER_BYTES).await?;
        text(&answer, "cursor")?.clone_into(&mut self.cursor);
        self.lost = lost(&answer["channels"][&self.channel]);
        if status == StatusCode::OK {
            let events = answer["events"].as_array().context("`events` is missing")?;
            for event in events {
                self.waiting.push_back(text(event, "position")?.to_owned());
            }
        }
        Ok(())
    }
}
