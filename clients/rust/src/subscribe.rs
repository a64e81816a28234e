//! Following channels across broken connections.

use std::collections::VecDeque;

use tokio::time::Instant;
use tonic::Streaming;

use crate::backoff::Backoff;
use crate::client::{Client, until};
use crate::cursors::{Cursors, Selector};
use crate::event::Item;
use crate::failure::Failure;
use crate::proto::SubscribeResponse;
use crate::proto::subscriber_client::SubscriberClient;

impl Client {
    /// Follows channels, each from its own start; nothing happens before the first [`next`](Subscription::next). Channels
    /// are not ordered among each other. Up to 128 of them, each once.
    pub fn subscribe(&self, channels: impl IntoIterator<Item = Selector>) -> Subscription {
        Subscription {
            client: self.clone(),
            cursors: Cursors::new(channels),
            items: VecDeque::new(),
            stream: None,
            backoff: Backoff::default(),
            retry_at: None,
        }
    }
}

/// Channels that are followed: each event once and in order, or a [`Gap`](crate::Gap).
#[derive(Debug)]
pub struct Subscription {
    client: Client,
    cursors: Cursors,
    /// Ready for the reader; what one message of the hub makes, which is three at most.
    items: VecDeque<Item>,
    stream: Option<Streaming<SubscribeResponse>>,
    backoff: Backoff,
    /// When the next stream may be asked for, after a break.
    retry_at: Option<Instant>,
}

impl Subscription {
    /// The next item, for which it waits. A hub that cannot be reached, or that stops, is waited for too, and then the
    /// subscription goes on where it stood; [`Item::Interrupted`] is no error but for those who want to know.
    ///
    /// A reader that is slow holds up nobody: what it has not read waits in the hub's history.
    ///
    /// # Errors
    ///
    /// The hub refuses the subscription. Calling this again asks it again, from where the subscription stands.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: no item is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Item, Failure> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(item);
            }
            let Err(failure) = self.advance().await else { continue };
            self.stream = None;
            let is_news = self.retry_at.is_none();
            self.retry_at = self.client.retry_at(&failure, &mut self.backoff, None);
            if self.retry_at.is_none() {
                return Err(failure);
            }
            tracing::debug!(%failure, "subscribing again");
            if is_news {
                return Ok(Item::Interrupted(failure));
            }
        }
    }

    /// One step: to a stream, or by a message of it.
    async fn advance(&mut self) -> Result<(), Failure> {
        let Some(stream) = &mut self.stream else {
            until(self.retry_at).await;
            let mut subscriber = SubscriberClient::new(self.client.connection());
            let response = subscriber.subscribe(self.cursors.request()).await?;
            self.stream = Some(response.into_inner());
            return Ok(());
        };
        let response = stream.message().await?.ok_or_else(Failure::ended)?;
        self.backoff.reset();
        if self.retry_at.take().is_some() {
            self.items.push_back(Item::Resumed);
        }
        match response.item {
            Some(item) => self.cursors.take(item, &mut self.items),
            // An item that a newer hub knows.
            None => Ok(()),
        }
    }
}
