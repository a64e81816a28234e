//! `fanline.v1.Publisher`.

use crate::caller::Caller;
use crate::convert;
use crate::publish_stream::PublishStream;
use crate::scope::Scope;
use crate::status;
use fanline_core::limits::CHANNELS_PER_CALL;
use fanline_core::metrics::ReasonLabel;
use fanline_core::publish::Draft;
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use fanline_proto::v1;
use fanline_proto::v1::broadcast_response::Result as BroadcastResult;
use futures_util::stream::{self, StreamExt};
use std::collections::HashSet;
use std::mem;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// The service.
pub(crate) struct Publisher {
    hub: Hub,
    stop: CancellationToken,
}

impl Publisher {
    pub(crate) fn new(hub: Hub, stop: CancellationToken) -> Self {
        Publisher { hub, stop }
    }

    async fn publish_one(
        &self,
        caller: &Caller,
        mut request: v1::PublishRequest,
    ) -> Result<v1::PublishResponse, Refusal> {
        let request_id = mem::take(&mut request.request_id);
        let published = self.hub.publish(draft(&self.hub, caller, request)?).await?;
        Ok(convert::published(request_id, published))
    }

    /// One channel's part of a broadcast.
    async fn publish_copy(
        &self,
        caller: &Caller,
        channel: String,
        event: &v1::PublishRequest,
    ) -> BroadcastResult {
        let request = v1::PublishRequest { channel: channel.clone(), ..event.clone() };
        let answer = self.publish_one(caller, request).await;
        let response =
            answer.unwrap_or_else(|refusal| convert::refused(event.request_id.clone(), &refusal));
        BroadcastResult { channel, response: Some(response) }
    }
}

/// Reads a request into a draft that the caller may publish. A refusal here counts like one of the hub.
pub(crate) fn draft(
    hub: &Hub,
    caller: &Caller,
    request: v1::PublishRequest,
) -> Result<Draft, Refusal> {
    let draft = || {
        let channel: ChannelName = request.channel.parse()?;
        caller.require(Scope::Publish, &channel)?;
        convert::draft(channel, request)
    };
    draft().inspect_err(|refusal| {
        let label = ReasonLabel { reason: refusal.reason() };
        hub.metrics().publish_refusals.get_or_create(&label).inc();
    })
}

#[tonic::async_trait]
impl v1::publisher_server::Publisher for Publisher {
    async fn publish(
        &self,
        request: Request<v1::PublishRequest>,
    ) -> Result<Response<v1::PublishResponse>, Status> {
        let caller = Caller::of(&request)?;
        let answer = self.publish_one(&caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| status::of(&refusal))
    }

    async fn broadcast(
        &self,
        request: Request<v1::BroadcastRequest>,
    ) -> Result<Response<v1::BroadcastResponse>, Status> {
        let caller = Caller::of(&request)?;
        let v1::BroadcastRequest { channels, event } = request.into_inner();
        let event = check(&channels, event).map_err(|refusal| status::of(&refusal))?;
        let results = stream::iter(channels)
            .map(|channel| self.publish_copy(&caller, channel, &event))
            // All at once, so that they share the broker's round trips; in the order of the request, whichever answers first.
            .buffered(CHANNELS_PER_CALL)
            .collect()
            .await;
        Ok(Response::new(v1::BroadcastResponse { results }))
    }

    type PublishStreamStream = PublishStream<Streaming<v1::PublishRequest>>;

    async fn publish_stream(
        &self,
        request: Request<Streaming<v1::PublishRequest>>,
    ) -> Result<Response<Self::PublishStreamStream>, Status> {
        let caller = Caller::of(&request)?;
        let (hub, stop) = (self.hub.clone(), self.stop.clone());
        Ok(Response::new(PublishStream::new(hub, caller, request.into_inner(), stop)))
    }
}

/// Finds what is wrong with a broadcast as a whole, before anything is published.
fn check(
    channels: &[String],
    event: Option<v1::PublishRequest>,
) -> Result<v1::PublishRequest, Refusal> {
    let event = event.ok_or_else(|| Refusal::invalid("event", "there is no event to publish"))?;
    if !event.channel.is_empty() {
        let message = "it stays empty: the channels stand in the broadcast's own `channels`";
        return Err(Refusal::invalid("event.channel", message));
    }
    if channels.is_empty() {
        let message = "there is no channel to publish to";
        return Err(Refusal::invalid("channels", message));
    }
    if channels.len() > CHANNELS_PER_CALL {
        let message = format!("a broadcast has at most {CHANNELS_PER_CALL} channels");
        return Err(Refusal::new(Reason::LimitExceeded, message).with_field("channels"));
    }
    let mut seen = HashSet::with_capacity(channels.len());
    match channels.iter().find(|&channel| !seen.insert(channel)) {
        Some(twice) => {
            let message = format!("`{twice}` is named twice");
            Err(Refusal::invalid("channels", message))
        }
        None => Ok(event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("a:{n}")).collect()
    }

    #[test]
    fn a_broadcast_that_is_wrong_as_a_whole_is_refused_with_its_field() {
        let event = || Some(v1::PublishRequest::default());
        let addressed =
            v1::PublishRequest { channel: "a:1".into(), ..v1::PublishRequest::default() };
        let twice = vec!["a:1".into(), "a:2".into(), "a:1".into()];
        let table = [
            (channels(1), None, Reason::InvalidArgument, "event"),
            (channels(1), Some(addressed), Reason::InvalidArgument, "event.channel"),
            (Vec::new(), event(), Reason::InvalidArgument, "channels"),
            (twice, event(), Reason::InvalidArgument, "channels"),
            (channels(CHANNELS_PER_CALL + 1), event(), Reason::LimitExceeded, "channels"),
        ];
        for (channels, event, reason, field) in table {
            let refusal = check(&channels, event).unwrap_err();
            assert_eq!((refusal.reason(), refusal.field()), (reason, Some(field)));
        }
        assert!(check(&channels(CHANNELS_PER_CALL), event()).is_ok());
    }
}
