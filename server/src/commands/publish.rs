//! `fanline publish`: one event over gRPC.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use fanline_client::Publication;

use super::client;
use crate::cli::Publish;

pub(super) async fn run(arguments: Publish) -> Result<ExitCode> {
    let Publish { channel, data, event_type, content_type, key, hub } = arguments;
    let data = if data == "-" { standard_input()? } else { data.into_bytes() };
    let mut event = Publication::bytes(channel, event_type, content_type, data);
    if let Some(key) = key {
        event = event.idempotency_key(key);
    }
    let published = client::connect(hub).await?.publish(event).await?;
    let duplicate = if published.duplicate { "  (published before with this key)" } else { "" };
    let (position, id) = (published.position, published.event_id);
    writeln!(io::stdout(), "{position}  event {id}{duplicate}")?;
    Ok(ExitCode::SUCCESS)
}

fn standard_input() -> Result<Vec<u8>> {
    let mut data = Vec::new();
    io::stdin().read_to_end(&mut data).context("standard input cannot be read")?;
    // What a shell's pipe adds; the data itself is one JSON text, which ends without it.
    Ok(data.trim_ascii_end().to_vec())
}
