//! A backend on gRPC, with its credential on every call.

use std::net::SocketAddr;

use fanline_proto::v1::channels_client::ChannelsClient;
use fanline_proto::v1::connections_client::ConnectionsClient;
use fanline_proto::v1::publisher_client::PublisherClient;
use fanline_proto::v1::subscriber_client::SubscriberClient;
use fanline_proto::v1::{
    ChannelSelector, PublishRequest, SubscribeRequest, SubscribeResponse, channel_selector::Start,
};
use fanline_test_redis::{DEADLINE, within};
use serde_json::Value;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::position::Position;

/// A connection to the gRPC listener.
#[derive(Clone, Debug)]
pub struct Rpc {
    connection: Channel,
    bearer: Bearer,
}

/// A connection that adds a credential to each call.
pub type Authenticated = InterceptedService<Channel, Bearer>;

impl Rpc {
    /// Connects; `credential` is an API key or a token.
    pub async fn connect(address: SocketAddr, credential: Option<&str>) -> Self {
        let endpoint =
            Endpoint::from_shared(format!("http://{address}")).expect("an address makes a URI");
        let connection = within(DEADLINE, "the gRPC connection", endpoint.connect())
            .await
            .expect("the hub listens");
        let bearer = Bearer(credential.map(str::to_owned));
        Self { connection, bearer }
    }

    /// Uses a connection that was made elsewhere.
    pub fn over(connection: Channel, credential: Option<&str>) -> Self {
        let bearer = Bearer(credential.map(str::to_owned));
        Self { connection, bearer }
    }

    /// The connection, for the stubs of other services.
    pub fn authenticated(&self) -> Authenticated {
        InterceptedService::new(self.connection.clone(), self.bearer.clone())
    }

    /// The stub of `Publisher`.
    pub fn publisher(&self) -> PublisherClient<Authenticated> {
        PublisherClient::new(self.authenticated())
    }

    /// The stub of `Subscriber`.
    pub fn subscriber(&self) -> SubscriberClient<Authenticated> {
        SubscriberClient::new(self.authenticated())
    }

    /// The stub of `Channels`.
    pub fn channels(&self) -> ChannelsClient<Authenticated> {
        ChannelsClient::new(self.authenticated())
    }

    /// The stub of `Connections`.
    pub fn connections(&self) -> ConnectionsClient<Authenticated> {
        ConnectionsClient::new(self.authenticated())
    }

    /// Publishes, which has to succeed.
    pub async fn publish(&self, publication: Publication) -> Position {
        let publish = self.try_publish(publication).await;
        let response = publish.unwrap_or_else(|status| panic!("not published: {status:?}"));
        response.position.expect("an answer has a position").into()
    }

    /// Publishes.
    ///
    /// # Errors
    ///
    /// The hub's own refusal.
    pub async fn try_publish(
        &self,
        publication: Publication,
    ) -> Result<fanline_proto::v1::PublishResponse, Status> {
        let mut publisher = self.publisher();
        let publish = publisher.publish(publication.0);
        within(DEADLINE, "the answer to Publish", publish).await.map(tonic::Response::into_inner)
    }

    /// Publishes the numbers of a range, one event each, and returns the last position.
    pub async fn publish_numbers(
        &self,
        channel: &str,
        numbers: std::ops::RangeInclusive<u64>,
    ) -> Position {
        let mut last = None;
        for number in numbers {
            last = Some(self.publish(Publication::to(channel, number)).await);
        }
        last.expect("a range of at least one")
    }

    /// Subscribes to one channel.
    pub async fn subscribe(
        &self,
        channel: &str,
        start: Option<Start>,
    ) -> Streaming<SubscribeResponse> {
        let selector = ChannelSelector { channel: channel.to_owned(), start };
        self.subscribe_all(vec![selector]).await
    }

    /// Subscribes to several channels on one stream.
    pub async fn subscribe_all(
        &self,
        channels: Vec<ChannelSelector>,
    ) -> Streaming<SubscribeResponse> {
        let mut subscriber = self.subscriber();
        let subscribe = subscriber.subscribe(SubscribeRequest { channels });
        within(DEADLINE, "the subscription", subscribe)
            .await
            .unwrap_or_else(|status| panic!("not subscribed: {status:?}"))
            .into_inner()
    }
}

/// An event to publish, most of whose fields are seldom set.
#[derive(Clone, Debug)]
pub struct Publication(pub PublishRequest);

impl Publication {
    /// JSON data for a channel.
    pub fn to(channel: &str, data: impl Into<Value>) -> Self {
        Self(PublishRequest {
            channel: channel.to_owned(),
            r#type: "note".to_owned(),
            data: data.into().to_string().into(),
            ..PublishRequest::default()
        })
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.0.idempotency_key = key.to_owned();
        self
    }

    /// Sets the id that the answer on a stream carries.
    #[must_use]
    pub fn request_id(mut self, id: impl ToString) -> Self {
        self.0.request_id = id.to_string();
        self
    }
}

/// The reason in a status, whose domain has to be ours.
pub fn reason(status: &Status) -> String {
    let info =
        status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "fanline", "in {status:?}");
    info.reason
}

/// The fields that a status calls wrong.
pub fn violated_fields(status: &Status) -> Vec<String> {
    let request =
        status.get_details_bad_request().unwrap_or_else(|| panic!("no BadRequest in {status:?}"));
    let violations = request.field_violations.into_iter();
    violations.map(|violation| violation.field).collect()
}

/// Adds `authorization: Bearer` to each call.
#[derive(Clone, Debug)]
pub struct Bearer(Option<String>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(credential) = &self.0 {
            let value = MetadataValue::try_from(format!("Bearer {credential}"))
                .map_err(|_| Status::internal("the credential is no header value"))?;
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}
