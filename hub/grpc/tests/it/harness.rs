//! A front on a port of its own, and clients for it.

use fanline_core::Limits;
use fanline_core::testing::TestHub;
use fanline_core::validator::NoCatalog;
use fanline_grpc::backends::Backends;
use fanline_grpc::keys::{ApiKey, ApiKeys, KeyHash, Scope};
use fanline_grpc::{GrpcMetrics, GrpcParts, router};
use fanline_proto::v1::channels_client::ChannelsClient;
use fanline_proto::v1::connections_client::ConnectionsClient;
use fanline_proto::v1::publisher_client::PublisherClient;
use fanline_proto::v1::subscriber_client::SubscriberClient;
use fanline_proto::v1::{
    ChannelSelector, PublishRequest, PublishResponse, SubscribeRequest, SubscribeResponse,
    channel_selector, subscribe_response,
};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt;

/// Longest wait for what should come at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a client's token may live.
pub(crate) const TOKEN_LIFE_MAX: Duration = Duration::from_secs(3600);

/// The key of a backend that may do everything.
pub(crate) const FULL_KEY: &str = "fk_full";

/// A running front over a hub on the memory broker (namespaces: see [`TestHub`]).
pub(crate) struct Front {
    pub(crate) hub: TestHub,
    pub(crate) stop: CancellationToken,
    registry: Registry,
    channel: Channel,
    _server: JoinSet<()>,
}

impl Front {
    /// Starts one that knows [`FULL_KEY`].
    pub(crate) async fn start() -> Self {
        Self::with_keys(Vec::new()).await
    }

    /// Starts one that knows more keys.
    pub(crate) async fn with_keys(keys: Vec<ApiKey>) -> Self {
        let full = key(FULL_KEY, &Scope::ALL, &["*"]);
        let keys = ApiKeys::new(keys.into_iter().chain([full]).collect());
        let hub = TestHub::with_limits(Limits { channels_per_connection: 3, ..Limits::default() });
        let (mut registry, stop) = (Registry::default(), CancellationToken::new());
        let router = router(GrpcParts {
            hub: hub.clone(),
            backends: Backends::with_keys(keys),
            catalog: Arc::new(NoCatalog),
            token_life_max: Arc::new(|| TOKEN_LIFE_MAX),
            metrics: GrpcMetrics::register(&mut registry),
            is_ready: Arc::new(|| true),
            stop: stop.clone(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.connect().await.unwrap();
        Front { hub, stop, registry, channel, _server: server }
    }

    /// A connection without a key.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn publisher(&self, key: &str) -> PublisherClient<WithKey> {
        // The limits in force are the server's, not those of this client.
        PublisherClient::new(self.with_key(key)).max_encoding_message_size(usize::MAX)
    }

    pub(crate) fn subscriber(&self, key: &str) -> SubscriberClient<WithKey> {
        SubscriberClient::new(self.with_key(key))
    }

    pub(crate) fn channels(&self, key: &str) -> ChannelsClient<WithKey> {
        ChannelsClient::new(self.with_key(key))
    }

    pub(crate) fn connections(&self, key: &str) -> ConnectionsClient<WithKey> {
        ConnectionsClient::new(self.with_key(key))
    }

    pub(crate) fn with_key(&self, key: &str) -> WithKey {
        InterceptedService::new(self.channel(), Credential(format!("Bearer {key}")))
    }

    /// Publishes a number to a channel.
    pub(crate) async fn publish(&self, channel: &str, number: u64) -> PublishResponse {
        let request = publish_request(channel, &number.to_string());
        self.publisher(FULL_KEY).publish(request).await.unwrap().into_inner()
    }

    /// Subscribes to channels, each from its start.
    pub(crate) async fn subscribe<const N: usize>(
        &self,
        channels: [(&str, Option<channel_selector::Start>); N],
    ) -> Items {
        let request = subscribe_request(channels);
        let response = self.subscriber(FULL_KEY).subscribe(request).await.unwrap();
        Items(response.into_inner())
    }

    /// The value of a series.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let mut values = text.lines().filter_map(|line| line.strip_prefix(series));
        values.next().unwrap_or_else(|| panic!("no {series} in {text}")).trim().parse().unwrap()
    }

    /// Waits for a series to have a value: a call is counted a moment after its client has seen the end.
    pub(crate) async fn until_metric(&self, series: &str, value: u64) {
        let reached = async {
            while self.metric(series) != value {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, reached).await;
        assert!(waited.is_ok(), "{series} is {}, not {value}", self.metric(series));
    }
}

pub(crate) type WithKey = InterceptedService<Channel, Credential>;

/// Puts a credential on each request.
#[derive(Clone)]
pub(crate) struct Credential(String);

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value: AsciiMetadataValue = self.0.parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

/// The items of a subscription.
pub(crate) struct Items(Streaming<SubscribeResponse>);

impl Items {
    /// The next item in short: `a:b after 3`, `a:b 3 = data`, `a:b lost 3..=5: trimmed`, or `UNAVAILABLE` at the end.
    pub(crate) async fn next(&mut self) -> String {
        match in_time(self.0.message()).await {
            Ok(Some(item)) => text(item),
            Ok(None) => "OK".into(),
            Err(status) => format!("{:?}", status.code()),
        }
    }
}

fn text(response: SubscribeResponse) -> String {
    use subscribe_response::Item;
    match response.item.unwrap() {
        Item::Subscribed(subscribed) => {
            let (channel, offset) = (subscribed.channel, subscribed.position.unwrap().offset);
            match subscribed.recovered {
                None => format!("{channel} after {offset}"),
                Some(true) => format!("{channel} after {offset}: recovered"),
                Some(false) => format!("{channel} after {offset}: {}", subscribed.reason),
            }
        }
        Item::Event(event) => {
            let data = String::from_utf8(event.data.to_vec()).unwrap();
            format!("{} {} = {data}", event.channel, event.position.unwrap().offset)
        }
        Item::Gap(gap) => {
            let (from, to) = (gap.from.unwrap().offset, gap.to.unwrap().offset);
            format!("{} lost {from}..={to}: {}", gap.channel, gap.reason)
        }
    }
}

/// Waits for what should come at once.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// The code and the reason of a status.
pub(crate) fn why(status: &Status) -> String {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    format!("{:?} {reason}", status.code())
}

pub(crate) fn publish_request(channel: &str, data: &str) -> PublishRequest {
    PublishRequest {
        channel: channel.into(),
        data: data.to_owned().into(),
        ..PublishRequest::default()
    }
}

pub(crate) fn subscribe_request<const N: usize>(
    channels: [(&str, Option<channel_selector::Start>); N],
) -> SubscribeRequest {
    let selector = |(channel, start): (&str, _)| ChannelSelector { channel: channel.into(), start };
    SubscribeRequest { channels: channels.map(selector).into() }
}

pub(crate) fn key(key: &str, scopes: &[Scope], channels: &[&str]) -> ApiKey {
    ApiKey {
        name: key.into(),
        hash: KeyHash::of(key),
        scopes: scopes.into(),
        channels: channels.iter().map(|pattern| pattern.parse().unwrap()).collect(),
        methods: Vec::new(),
    }
}
