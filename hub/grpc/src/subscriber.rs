//! `fanline.v1.Subscriber`, served by hand: its answers leave through a codec of their own, which generated code has no
//! place for.

use crate::caller::Caller;
use crate::convert;
use crate::message_size::{ANSWER_BYTES_MAX, request_bytes_max};
use crate::metrics::GrpcMetrics;
use crate::scope::Scope;
use crate::status;
use crate::subscribe_codec::{Outgoing, SubscribeCodec};
use crate::subscribe_stream::SubscribeStream;
use crate::term::WhileValid;
use fanline_core::catchup::Start;
use fanline_core::feed::{Opened, open};
use fanline_core::{ChannelName, Hub, Reason, Refusal};
use fanline_proto::v1::subscriber_server::SERVICE_NAME;
use fanline_proto::v1::{ChannelSelector, SubscribeRequest, channel_selector};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Response, Status};

const SUBSCRIBE: &str = "/fanline.v1.Subscriber/Subscribe";
/// `Subscribe` streams of the node. Backends hold one or a few each; a full one has 256 KiB read ahead and as much in
/// HTTP/2, so that all of them being slow at once costs 10,000 * 512 KiB = 5 GiB and no more.
const STREAMS_MAX: usize = 10_000;
/// Channels of one call that are opened at once: a broker answers them in few round trips, and other calls get theirs.
const OPENED_AT_ONCE: usize = 16;

/// The service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Subscriber(Arc<Inner>);

struct Inner {
    hub: Hub,
    metrics: GrpcMetrics,
    stop: CancellationToken,
    places: Arc<Semaphore>,
}

impl Subscriber {
    pub(crate) fn new(hub: Hub, metrics: GrpcMetrics, stop: CancellationToken) -> Self {
        Subscriber(Arc::new(Inner {
            hub,
            metrics,
            stop,
            places: Arc::new(Semaphore::new(STREAMS_MAX)),
        }))
    }

    async fn subscribe(
        &self,
        caller: &Caller,
        request: SubscribeRequest,
    ) -> Result<SubscribeStream, Refusal> {
        let Inner { hub, metrics, stop, places } = &*self.0;
        if stop.is_cancelled() {
            return Err(status::draining());
        }
        let channels_max = hub.limits().channels_per_connection;
        let selected = select(request.channels, channels_max)?;
        for (channel, _) in &selected {
            caller.require(Scope::Subscribe, channel)?;
        }
        let place = take_place(places)?;
        let opened: Vec<Opened> = stream::iter(selected)
            .map(|(channel, start)| open(hub.clone(), channel, start))
            .buffered(OPENED_AT_ONCE)
            .try_collect()
            .await?;
        Ok(SubscribeStream::new(hub.clone(), opened, stop.clone(), &metrics.subscriptions, place))
    }
}

fn take_place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
    Arc::clone(places).try_acquire_owned().map_err(|_all_taken| {
        let message = format!("this node serves at most {STREAMS_MAX} Subscribe streams");
        Refusal::new(Reason::LimitExceeded, message).with_retry_after(Duration::from_secs(1))
    })
}

/// Reads the selectors: each channel once, and not too many.
fn select(
    selectors: Vec<ChannelSelector>,
    channels_max: usize,
) -> Result<Vec<(ChannelName, Start)>, Refusal> {
    if selectors.is_empty() {
        return Err(Refusal::invalid("channels", "there is no channel to follow"));
    }
    if selectors.len() > channels_max {
        let message = format!("one stream follows at most {channels_max} channels");
        return Err(Refusal::new(Reason::LimitExceeded, message).with_field("channels"));
    }
    let mut seen = HashSet::with_capacity(selectors.len());
    let read = |selector: ChannelSelector| {
        let channel: ChannelName = selector.channel.parse()?;
        if !seen.insert(channel.clone()) {
            let message = format!("`{channel}` is named twice");
            return Err(Refusal::invalid("channels", message));
        }
        Ok((channel, start(selector.start)))
    };
    selectors.into_iter().map(read).collect()
}

fn start(start: Option<channel_selector::Start>) -> Start {
    match start {
        None | Some(channel_selector::Start::Earliest(false)) => Start::Live,
        Some(channel_selector::Start::Earliest(true)) => Start::Earliest,
        Some(channel_selector::Start::Last(count)) => convert::last(count),
        Some(channel_selector::Start::After(position)) => convert::after(&position),
    }
}

impl ServerStreamingService<SubscribeRequest> for Subscriber {
    type Response = Outgoing;
    type ResponseStream = WhileValid<SubscribeStream>;
    type Future = BoxFuture<'static, Result<Response<WhileValid<SubscribeStream>>, Status>>;

    fn call(&mut self, request: Request<SubscribeRequest>) -> Self::Future {
        let subscriber = self.clone();
        Box::pin(async move {
            let caller = Caller::of(&request)?;
            let stream = subscriber.subscribe(&caller, request.into_inner()).await;
            status::answer(stream.map(|stream| caller.while_valid(&subscriber.0.hub, stream)))
        })
    }
}

impl tower::Service<http::Request<Body>> for Subscriber {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let subscriber = self.clone();
        Box::pin(async move {
            if request.uri().path() != SUBSCRIBE {
                return Ok(Status::unimplemented("no such method").into_http());
            }
            let mut grpc = Grpc::new(SubscribeCodec)
                .max_decoding_message_size(request_bytes_max(subscriber.0.hub.limits()))
                .max_encoding_message_size(ANSWER_BYTES_MAX);
            Ok(grpc.server_streaming(subscriber, request).await)
        })
    }
}

impl NamedService for Subscriber {
    const NAME: &'static str = SERVICE_NAME;
}
