//! What a poll is answered: a batch with the next cursor, or that its cursor leads nowhere any more.

use super::batch::{Batch, Loss};
use super::request::PollRequest;
use crate::reply::json_text;
use axum::body::Body;
use axum::response::Response;
use fanline_core::catchup::{Recovery, Start};
use fanline_core::cursor::Cursor;
use fanline_core::feed::{self, Joined};
use fanline_core::{ChannelName, Feed, Position, Reason, Refusal};
use fanline_edge::Edge;
use fanline_edge::answer::{StartsView, write_json};
use fanline_edge::http_error::problem_with;
use http::header::{CONTENT_TYPE, ETAG, HeaderName};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// The cursor of an answer, for whoever reads headers.
const FANLINE_CURSOR: HeaderName = HeaderName::from_static("fanline-cursor");

/// Up to where the channels were read for a batch, which began at `starts`. What was passed over counts as read, so
/// that a channel full of it does not leave the cursor behind.
pub(super) fn positions(
    feed: &Feed,
    batch: &Batch,
    starts: &[(ChannelName, Joined)],
) -> Vec<(ChannelName, Position)> {
    let position = |(channel, position): (&ChannelName, Position)| {
        let start = || starts.iter().find(|(name, _)| name == channel).map(|(_, at)| at.position);
        let cut = batch.cut_at(channel);
        let position = cut.map_or(position, |taken| taken.or_else(start).unwrap_or(position));
        (channel.clone(), position)
    };
    feed.positions().map(position).collect()
}

/// Where the channels start after a loss that was met on the way.
pub(super) fn starts_after(
    positions: Vec<(ChannelName, Position)>,
    loss: &Loss,
) -> Vec<(ChannelName, Joined)> {
    let start = |(channel, position)| {
        let start = match channel == loss.channel {
            true => Joined { position: loss.to, recovery: Some(Recovery::Lost(loss.reason)) },
            false => Joined { position, recovery: Some(Recovery::Recovered) },
        };
        (channel, start)
    };
    positions.into_iter().map(start).collect()
}

/// Answers a batch and the positions after it: 200, or 304 if the client has it already.
pub(super) fn batch(
    request: &PollRequest,
    starts: &[(ChannelName, Joined)],
    positions: &[(ChannelName, Position)],
    batch: &Batch,
) -> Response {
    let cursor = cursor(positions.iter().map(|(channel, position)| (channel, *position)));
    let etag = format!("W/\"{cursor}\"");
    let is_known = batch.events() == 0 && request.knows(&etag);
    let mut response = if is_known {
        let mut response = json_text(Vec::new());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_TYPE);
        response
    } else {
        json_text(body(batch, &cursor, starts))
    };
    let headers = response.headers_mut();
    let value = |text: &str| HeaderValue::try_from(text).expect("a cursor is printable ASCII");
    headers.insert(ETAG, value(&etag));
    headers.insert(FANLINE_CURSOR, value(&cursor));
    response
}

fn body(batch: &Batch, cursor: &str, starts: &[(ChannelName, Joined)]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Rest<'a> {
        cursor: &'a str,
        more: bool,
        channels: StartsView<'a>,
    }
    let rest = Rest { cursor, more: batch.is_cut(), channels: StartsView(starts) };
    let mut text = Vec::with_capacity(batch.json().len() + 256);
    text.extend_from_slice(br#"{"events":["#);
    text.extend_from_slice(batch.json());
    text.extend_from_slice(b"]");
    let comma = text.len();
    write_json(&mut text, &rest);
    // The rest is an object of its own, which goes on in ours.
    text[comma] = b',';
    text
}

/// Answers 410: with `oldest` the client goes on from what history still holds, with `cursor` from now where something
/// was lost. Channels that lost nothing go on where they stood in both.
///
/// # Errors
/// A broker that is not available.
pub(super) async fn lost(
    edge: &Edge,
    starts: &[(ChannelName, Joined)],
) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Reset<'a> {
        reset: bool,
        oldest: &'a str,
        cursor: &'a str,
        channels: StartsView<'a>,
    }
    let oldest = cursor(starts.iter().map(|(channel, start)| (channel, start.position)));
    let mut live = Vec::with_capacity(starts.len());
    for (channel, start) in starts {
        let position = match start.recovery {
            Some(Recovery::Lost(_)) => {
                let opened = feed::open(edge.hub.clone(), channel.clone(), Start::Live).await?;
                opened.joined().position
            }
            Some(Recovery::Recovered) | None => start.position,
        };
        live.push((channel, position));
    }
    let live = cursor(live);
    edge.metrics.refused(Reason::PositionLost);
    let refusal = Refusal::new(
        Reason::PositionLost,
        "history does not reach back to the cursor: go on with `oldest`, or with `cursor` from now",
    );
    let channels = StartsView(starts);
    let reset = Reset { reset: true, oldest: &oldest, cursor: &live, channels };
    Ok(problem_with(&refusal.with_field("cursor"), &reset).map(Body::from))
}

fn cursor<'a>(positions: impl IntoIterator<Item = (&'a ChannelName, Position)>) -> String {
    Cursor::of(positions).expect("a poll has at least one channel").to_string()
}
