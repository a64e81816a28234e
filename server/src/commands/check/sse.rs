//! A client of an event stream (HTML standard, section 9.2.6).

use anyhow::{Context, Result, bail, ensure};
use http::StatusCode;
use serde_json::Value;

use super::transport::{Closed, Transport, lost, text};
use crate::commands::target::{Target, path};
use crate::http_client::Answer;

/// An event is far smaller; what goes on without an end is no stream of a hub.
const UNREAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The client, on its stream.
pub(super) struct Sse {
    blocks: Blocks,
    place: String,
    lost: Option<String>,
}

struct Blocks {
    answer: Answer,
    unread: Vec<u8>,
}

/// The fields of a block that matter here.
#[derive(Default)]
struct Block {
    event: String,
    data: String,
    id: Option<String>,
}

impl Transport for Sse {
    const NAME: &'static str = "SSE";

    async fn open(
        target: &Target,
        token: &str,
        channel: &str,
        since: Option<&str>,
    ) -> Result<Self, Closed> {
        let mut parameters = vec![("channel", channel)];
        parameters.extend(since.map(|since| ("since", since)));
        let answer = target.get(&path("/v1/sse", &parameters), Some(token)).await?;
        if answer.status() != StatusCode::OK {
            return Err(Closed::Refused(answer.status()));
        }
        let mut blocks = Blocks { answer, unread: Vec::new() };
        let open = blocks.next().await?;
        let start: Value = serde_json::from_str(&open.data).context("no JSON comes")?;
        let place = open.id.context("the first block has no id to resume from")?;
        Ok(Sse { blocks, place, lost: lost(&start["channels"][channel]) })
    }

    async fn next(&mut self) -> Result<String> {
        loop {
            let block = self.blocks.next().await?;
            if let Some(id) = block.id {
                self.place = id;
            }
            if block.event.is_empty() {
                let event: Value = serde_json::from_str(&block.data).context("no JSON comes")?;
                return text(&event, "position").map(str::to_owned);
            }
            if ["fanline.gap", "fanline.close"].contains(&&*block.event) {
                bail!("instead of the event comes {} {}", block.event, block.data);
            }
        }
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }
}

impl Blocks {
    /// The next block that says something.
    async fn next(&mut self) -> Result<Block> {
        let mut block = Block::default();
        loop {
            let line = self.line().await?;
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut block.event),
                "data" if block.data.is_empty() => value.clone_into(&mut block.data),
                "data" => {
                    block.data.push('\n');
                    block.data.push_str(value);
                }
                "id" => block.id = Some(value.to_owned()),
                // The end of a block; a heartbeat or `retry` alone is none.
                "" if line.is_empty() && !block.data.is_empty() => return Ok(block),
                _ => {}
            }
        }
    }

    async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return String::from_utf8(line[..end].to_vec()).context("the stream is not UTF-8");
            }
            let chunk = self.answer.chunk().await?;
            self.unread.extend_from_slice(&chunk);
            ensure!(self.unread.len() <= UNREAD_BYTES_MAX, "a line of the stream has no end");
        }
    }
}
