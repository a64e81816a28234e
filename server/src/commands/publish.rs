//! `fanline publish`: one event over gRPC.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use fanline_proto::v1::PublishRequest;
use fanline_proto::v1::publisher_client::PublisherClient;

use super::channel_start::position_text;
use super::client;
use crate::cli::Publish;

pub(super) async fn run(arguments: Publish) -> Result<ExitCode> {
    let Publish { channel, data, event_type, content_type, key, hub } = arguments;
    let data = if data == "-" { standard_input()? } else { data.into_bytes() };
    let request = PublishRequest {
        channel,
        r#type: event_type,
        data: data.into(),
        content_type,
        idempotency_key: key.unwrap_or_default(),
        ..PublishRequest::default()
    };
    let mut publisher = PublisherClient::new(client::connect(&hub).await?);
    let answer =
        publisher.publish(request).await.map_err(|status| client::refusal(&status))?.into_inner();
    let duplicate = if answer.duplicate { "  (published before with this key)" } else { "" };
    let position = position_text(answer.position.as_ref());
    writeln!(io::stdout(), "{position}  event {}{duplicate}", answer.event_id)?;
    Ok(ExitCode::SUCCESS)
}

fn standard_input() -> Result<Vec<u8>> {
    let mut data = Vec::new();
    io::stdin().read_to_end(&mut data).context("standard input cannot be read")?;
    // What a shell's pipe adds; the data itself is one JSON text, which ends without it.
    Ok(data.trim_ascii_end().to_vec())
}
