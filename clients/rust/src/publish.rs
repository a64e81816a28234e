//! Publishing an event, once.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::time;
use tonic::Request;

use crate::backoff::Backoff;
use crate::client::{Client, until};
use crate::failure::Failure;
use crate::limits::ATTEMPT_TIMEOUT;
use crate::position::Position;
use crate::proto::publisher_client::PublisherClient;
use crate::proto::{PublishRequest, PublishResponse};

impl Client {
    /// Publishes an event. Once this returns, the event is in the channel's history and on its way to every subscriber.
    ///
    /// An attempt whose outcome is unknown is repeated with the same idempotency key, and one that comes too soon after
    /// others is repeated later, for as long as [`publish_patience`](crate::ClientBuilder::publish_patience) says: the
    /// event is published once. A key is made where the publication has none.
    ///
    /// # Errors
    ///
    /// The hub refuses the event (`PERMISSION_DENIED`, `SCHEMA_VIOLATION`, ...), and nothing was published; or the patience
    /// is over, and if the failure is retryable the event may have been published or not.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: whether the event was published is then unknown. With an idempotency key of your own you can publish
    /// it again.
    pub async fn publish(&self, publication: Publication) -> Result<Published, Failure> {
        self.publish_telling(publication, |_retry| {}).await
    }

    /// [`publish`](Self::publish), telling of each attempt that failed and is to be repeated: for a person who waits, or a
    /// log.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_telling(
        &self,
        publication: Publication,
        mut tell: impl FnMut(&Retry),
    ) -> Result<Published, Failure> {
        let mut event = PublishRequest::from(publication);
        if event.idempotency_key.is_empty() {
            event.idempotency_key = self.random.key();
        }
        let mut publisher = PublisherClient::new(self.connection());
        let deadline = time::Instant::now() + self.patience;
        let mut backoff = Backoff::default();
        loop {
            let mut attempt = Request::new(event.clone());
            attempt.set_timeout(ATTEMPT_TIMEOUT);
            let failure = match publisher.publish(attempt).await {
                Ok(response) => return response.into_inner().try_into(),
                Err(status) => Failure::from(status),
            };
            let Some(at) = self.retry_at(&failure, &mut backoff, Some(deadline)) else {
                return Err(failure);
            };
            tracing::debug!(channel = event.channel, %failure, "publishing again");
            tell(&Retry { failure, at: at.into_std(), until: deadline.into_std() });
            until(Some(at)).await;
        }
    }
}

/// A publish is not done yet, and is tried again.
#[derive(Clone, Debug)]
pub struct Retry {
    /// What became of the last attempt.
    pub failure: Failure,
    /// When the next one begins.
    pub at: Instant,
    /// When the patience is over, and the publish fails.
    pub until: Instant,
}

/// An event to publish.
#[derive(Clone, Debug)]
pub struct Publication(PublishRequest);

impl Publication {
    /// Data as JSON.
    ///
    /// # Errors
    ///
    /// The data has no form in JSON, such as a map whose keys are no strings.
    pub fn json(
        channel: impl Into<String>,
        event_type: impl Into<String>,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Self, serde_json::Error> {
        let data = serde_json::to_vec(data)?;
        Ok(Self::bytes(channel, event_type, "application/json", data))
    }

    /// Data of any media type.
    pub fn bytes(
        channel: impl Into<String>,
        event_type: impl Into<String>,
        content_type: impl Into<String>,
        data: impl Into<Bytes>,
    ) -> Self {
        Self(PublishRequest {
            channel: channel.into(),
            r#type: event_type.into(),
            content_type: content_type.into(),
            data: data.into(),
            ..PublishRequest::default()
        })
    }

    /// The same key on the same channel within the hub's idempotency window (5 min) publishes nothing and gives the first
    /// answer back: for events that have an identity of their own, such as an order's number, and whose publisher may
    /// restart. At most 128 bytes.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.0.idempotency_key = key.into();
        self
    }

    /// Adds a header that travels with the event.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.headers.insert(name.into(), value.into());
        self
    }

    /// A connection that does not get the event, such as the one whose user caused it.
    #[must_use]
    pub fn except(mut self, connection: impl Into<String>) -> Self {
        self.0.exclude_connections.push(connection.into());
        self
    }

    /// How long history keeps the event, where that is shorter than what its namespace says.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        // What protobuf cannot hold is longer than any namespace keeps an event.
        self.0.ttl = ttl.try_into().ok();
        self
    }
}

impl From<Publication> for PublishRequest {
    fn from(publication: Publication) -> Self {
        publication.0
    }
}

/// What became of a publish.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Published {
    /// Id of the event.
    pub event_id: String,
    /// Where it stands in its channel.
    pub position: Position,
    /// An earlier publish with this key published it; this one did not.
    pub duplicate: bool,
}

impl TryFrom<PublishResponse> for Published {
    type Error = Failure;

    fn try_from(response: PublishResponse) -> Result<Self, Failure> {
        let position = response.position.ok_or_else(|| Failure::incomplete("position"))?;
        let PublishResponse { event_id, duplicate, .. } = response;
        Ok(Self { event_id, position: position.into(), duplicate })
    }
}
