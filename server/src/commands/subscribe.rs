//! `fanline subscribe`: a channel, a line for each event, across broken streams.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use fanline_client::{Item, Selector};

use super::client;
use super::event_line::EventLine;
use crate::cli::Subscribe;

pub(super) async fn run(arguments: Subscribe) -> Result<ExitCode> {
    let Subscribe { channel, since, json, hub } = arguments;
    // Whoever reads a pipe is a program.
    let line = if json || !io::stdout().is_terminal() { EventLine::Json } else { EventLine::Text };
    let selector = since.map_or_else(|| Selector::live(&*channel), |start| start.of(&channel));
    let mut subscription = client::connect(hub).await?.subscribe([selector]);
    let mut away_since = None;
    loop {
        match subscription.next().await? {
            Item::Subscribed { channel, position } => {
                eprintln!("fanline: following {channel} from {position}");
            }
            Item::Gap(gap) => {
                let (from, to, reason) = (gap.from, gap.to, gap.reason);
                eprintln!("fanline: events after {from} up to {to} are lost ({reason})");
            }
            Item::Interrupted(failure) => {
                away_since = Some(Instant::now());
                eprintln!(
                    "fanline: waiting for the hub: {failure}; {channel} goes on where it stood as soon as it is back"
                );
            }
            Item::Resumed => {
                let away = away_since.take().map_or(Duration::ZERO, |since| since.elapsed());
                eprintln!("fanline: the hub is back after {:.1} s", away.as_secs_f64());
            }
            Item::Event(event) => {
                let mut out = io::stdout().lock();
                match writeln!(out, "{}", line.write(&event)).and_then(|()| out.flush()) {
                    Ok(()) => {}
                    // Nobody reads any more.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                        return Ok(ExitCode::SUCCESS);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}
