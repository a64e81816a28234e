//! An operation under way: one at a time per connection, so that answers keep the order of the requests and a client
//! that asks for much waits instead of filling a queue.

use crate::message;
use crate::request::RequestId;
use crate::spans;
use bytes::Bytes;
use fanline_core::catchup::Start;
use fanline_core::connections::Transport;
use fanline_core::feed::Opened;
use fanline_core::history::HistoryRequest;
use fanline_core::presence::Membership;
use fanline_core::spans::fail;
use fanline_core::{ChannelName, Refusal};
use fanline_edge::{Client, ClientEvent, Edge, Identity};
use std::future::Future;
use std::pin::Pin;
use tracing::{Instrument, Span};

/// An operation under way.
pub(crate) type Work = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What came of it.
pub(crate) enum Done {
    /// A token was verified, or refused.
    Identified { id: RequestId, identified: Result<Identity, Refusal> },
    /// An answer.
    Answer(Bytes),
    /// A channel to take in, then the answer.
    Joined { id: RequestId, entry: Entry },
    /// The channels that the token puts the connection into; the welcome follows, and the answer to `auth` if that
    /// was how the token came.
    Placed { auth: Option<RequestId>, entries: Vec<Entry> },
    /// A channel to take in because the server says so.
    Moved(Entry),
    /// Nothing that the client is told.
    Nothing,
    /// The operation was refused.
    Refused { id: RequestId, refusal: Refusal },
}

/// A channel that was opened and entered.
pub(crate) type Entry = (Opened, Membership);

pub(crate) fn identify(edge: Edge, id: RequestId, token: String) -> Work {
    Box::pin(async move {
        let identified = edge.identify(&token, Transport::WebSocket).await;
        Done::Identified { id, identified }
    })
}

pub(crate) fn join(client: Client, id: RequestId, channel: ChannelName, start: Start) -> Work {
    Box::pin(async move {
        match client.join(channel, start).await {
            Ok(entry) => Done::Joined { id, entry },
            Err(refusal) => Done::Refused { id, refusal },
        }
    })
}

/// Joins what the token says, each from its live end. What cannot be joined is left out of the welcome.
pub(crate) fn place(client: Client, auth: Option<RequestId>, channels: Vec<ChannelName>) -> Work {
    Box::pin(async move {
        let mut entries = Vec::new();
        for channel in channels {
            match client.clone().join(channel.clone(), Start::Live).await {
                Ok(entry) => entries.push(entry),
                Err(refusal) => {
                    tracing::debug!(%channel, %refusal, "a token names a channel that cannot be joined")
                }
            }
        }
        Done::Placed { auth, entries }
    })
}

/// Answered once the membership has ended, so that a `join` that follows is not undone by it.
pub(crate) fn leave(membership: Membership, id: RequestId) -> Work {
    Box::pin(async move {
        let channel = membership.channel().clone();
        membership.end().await;
        Done::Answer(message::left_as_asked(&id, &channel))
    })
}

/// Joins because it was ordered. Nobody asked, so a failure is told to nobody here.
pub(crate) fn move_in(client: Client, channel: ChannelName) -> Work {
    Box::pin(async move {
        match client.place(channel.clone(), Start::Live).await {
            Ok(entry) => Done::Moved(entry),
            Err(refusal) => {
                tracing::debug!(%channel, %refusal, "a connection could not be put into a channel");
                Done::Nothing
            }
        }
    })
}

/// Leaves because it was ordered.
pub(crate) fn move_out(membership: Membership) -> Work {
    Box::pin(async move {
        let channel = membership.channel().clone();
        membership.end().await;
        Done::Answer(message::left_by_backend(&channel))
    })
}

pub(crate) fn publish(client: Client, id: RequestId, event: ClientEvent) -> Work {
    let span = spans::of_publish(&client, &event);
    let publishing = async move {
        let channel = event.channel.clone();
        match client.publish(event).await {
            Ok(published) => Done::Answer(message::published(&id, &channel, published)),
            Err(refusal) => {
                fail(&Span::current(), refusal.reason().as_str());
                Done::Refused { id, refusal }
            }
        }
    };
    Box::pin(publishing.instrument(span))
}

pub(crate) fn presence(client: Client, id: RequestId, channel: ChannelName) -> Work {
    Box::pin(async move {
        match client.members(channel.clone()).await {
            Ok(members) => Done::Answer(message::members(&id, &channel, &members)),
            Err(refusal) => Done::Refused { id, refusal },
        }
    })
}

pub(crate) fn history(
    client: Client,
    id: RequestId,
    channel: ChannelName,
    request: HistoryRequest,
) -> Work {
    Box::pin(async move {
        match client.history(channel.clone(), request).await {
            Ok(history) => Done::Answer(message::history(&id, &channel, &history)),
            Err(refusal) => Done::Refused { id, refusal },
        }
    })
}
