//! `fanline publish`: one event over gRPC.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fanline_client::{Failure, Publication, Retry};

use super::client;
use crate::cli::Publish;

pub(super) async fn run(arguments: Publish) -> Result<ExitCode> {
    let Publish { channel, data, event_type, content_type, key, patience, hub } = arguments;
    let has_key = key.is_some();
    let data = if data == "-" { standard_input()? } else { data.into_bytes() };
    let mut event = Publication::bytes(channel, event_type, content_type, data);
    if let Some(key) = key {
        event = event.idempotency_key(key);
    }
    let client = client::builder(hub)?.publish_patience(patience).connect().await?;
    let mut waiting = Waiting::default();
    let published = match client.publish_telling(event, |retry| waiting.tell(retry)).await {
        Ok(published) => published,
        Err(failure) if failure.is_retryable() => return Err(unknown(failure, patience, has_key)),
        Err(failure) => return Err(failure.into()),
    };
    let duplicate = if published.duplicate { "  (published before with this key)" } else { "" };
    let (position, id) = (published.position, published.event_id);
    writeln!(io::stdout(), "{position}  event {id}{duplicate}")?;
    Ok(ExitCode::SUCCESS)
}

/// Tells the person who waits what for, and until when at most. Once, and again when it is something else.
#[derive(Default)]
struct Waiting {
    told: Option<String>,
}

impl Waiting {
    fn tell(&mut self, retry: &Retry) {
        let failure = retry.failure.to_string();
        if self.told.as_ref() == Some(&failure) {
            return;
        }
        let rest = retry.until.saturating_duration_since(Instant::now()).as_secs_f64().ceil();
        eprintln!("fanline: not published yet: {failure}; trying again for up to {rest} s");
        self.told = Some(failure);
    }
}

/// The patience is over, and nobody knows whether the last attempt arrived.
fn unknown(failure: Failure, patience: Duration, has_key: bool) -> anyhow::Error {
    let remedy = if has_key {
        "with the same --key the command can be repeated and publishes once"
    } else {
        "with a --key it could be repeated and would publish once"
    };
    let patience = humantime::format_duration(patience);
    anyhow::Error::new(failure)
        .context(format!("gave up after {patience}; the event may be published or not: {remedy}"))
}

fn standard_input() -> Result<Vec<u8>> {
    let mut data = Vec::new();
    io::stdin().read_to_end(&mut data).context("standard input cannot be read")?;
    // What a shell's pipe adds; the data itself is one JSON text, which ends without it.
    Ok(data.trim_ascii_end().to_vec())
}
