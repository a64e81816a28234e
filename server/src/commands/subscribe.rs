//! `fanline subscribe`: a channel, a line for each event, across broken streams.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fanline_core::random::Random;
use fanline_proto::v1::subscribe_response::Item;
use fanline_proto::v1::subscriber_client::SubscriberClient;
use fanline_proto::v1::{ChannelSelector, SubscribeRequest};
use tokio::time::sleep;
use tonic::{Code, Status};

use super::channel_start::{ChannelStart, position_text};
use super::client::{self, Client};
use super::event_line::EventLine;
use crate::cli::Subscribe;

/// First pause before a broken stream is taken up again; it doubles up to the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(10);

pub(super) async fn run(arguments: Subscribe) -> Result<ExitCode> {
    let Subscribe { channel, since, json, hub } = arguments;
    // Whoever reads a pipe is a program.
    let line = if json || !io::stdout().is_terminal() { EventLine::Json } else { EventLine::Text };
    let random = Random::from_system().context("there is no randomness")?;
    let subscriber = SubscriberClient::new(client::connect(&hub).await?);
    let mut follower = Follower { subscriber, channel, start: since, line, started: false };
    let mut pause = FIRST_PAUSE;
    loop {
        let before = follower.start.clone();
        match follower.follow().await? {
            // Nobody reads any more.
            Ended::Reader => return Ok(ExitCode::SUCCESS),
            Ended::Stream(status) if worth_a_retry(status.code(), follower.started) => {
                if follower.start != before {
                    pause = FIRST_PAUSE;
                }
                let jittered = pause.mul_f64(0.5 + random.fraction() / 2.0);
                eprintln!(
                    "fanline: the stream broke ({}); again in {} ms",
                    client::refusal(&status),
                    jittered.as_millis()
                );
                sleep(jittered).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
            Ended::Stream(status) => bail!(client::refusal(&status)),
        }
    }
}

/// A hub that answered once and is away now will be back; one that refuses will refuse again.
fn worth_a_retry(code: Code, started: bool) -> bool {
    started
        && matches!(
            code,
            Code::Ok | Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
        )
}

/// Why following ended.
enum Ended {
    Reader,
    Stream(Status),
}

struct Follower {
    subscriber: SubscriberClient<Client>,
    channel: String,
    /// Where the next stream starts: after all that was seen.
    start: Option<ChannelStart>,
    line: EventLine,
    /// Whether the hub has taken the subscription once.
    started: bool,
}

impl Follower {
    async fn follow(&mut self) -> Result<Ended> {
        let selector = ChannelSelector {
            channel: self.channel.clone(),
            start: self.start.clone().map(Into::into),
        };
        let mut stream =
            match self.subscriber.subscribe(SubscribeRequest { channels: vec![selector] }).await {
                Ok(answer) => answer.into_inner(),
                Err(status) => return Ok(Ended::Stream(status)),
            };
        loop {
            match stream.message().await {
                Ok(Some(answer)) => {
                    if let Some(item) = answer.item
                        && self.take(item)?.is_break()
                    {
                        return Ok(Ended::Reader);
                    }
                }
                Ok(None) => return Ok(Ended::Stream(Status::ok("it ended"))),
                Err(status) => return Ok(Ended::Stream(status)),
            }
        }
    }

    /// Writes one item, and remembers where to go on.
    fn take(&mut self, item: Item) -> Result<ControlFlow<()>> {
        let position = match item {
            Item::Subscribed(subscribed) => {
                let from = position_text(subscribed.position.as_ref());
                match subscribed.recovered {
                    Some(false) => eprintln!(
                        "fanline: {} cannot be resumed there ({}); it goes on from {from}",
                        subscribed.channel, subscribed.reason
                    ),
                    Some(true) | None => {
                        eprintln!("fanline: following {} from {from}", subscribed.channel)
                    }
                }
                self.started = true;
                subscribed.position
            }
            Item::Gap(gap) => {
                let (from, to) = (position_text(gap.from.as_ref()), position_text(gap.to.as_ref()));
                eprintln!("fanline: events after {from} up to {to} are lost ({})", gap.reason);
                gap.to
            }
            Item::Event(event) => {
                let mut out = io::stdout().lock();
                match writeln!(out, "{}", self.line.write(&event)).and_then(|()| out.flush()) {
                    Ok(()) => event.position,
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                        return Ok(ControlFlow::Break(()));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        if let Some(position) = position {
            self.start = Some(ChannelStart::After(position));
        }
        Ok(ControlFlow::Continue(()))
    }
}
