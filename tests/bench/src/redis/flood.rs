//! A publisher that hands in events as fast as they are taken, and counts the answers.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fanline_proto::v1::PublishRequest;
use fanline_proto::v1::publisher_client::PublisherClient;
use futures_util::stream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};

const WARM_UP: Duration = Duration::from_secs(1);

pub(crate) struct Flood {
    runtime: Runtime,
    client: PublisherClient<Channel>,
    credential: AsciiMetadataValue,
    streams: usize,
    /// The event of each channel.
    prepared: Arc<[PublishRequest]>,
}

impl Flood {
    pub(crate) fn connect(
        grpc: SocketAddr,
        api_key: &str,
        channels: &[String],
        data: &str,
        streams: NonZeroUsize,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let endpoint = Endpoint::from_shared(format!("http://{grpc}"))?.tcp_nodelay(true);
        let transport = runtime
            .block_on(endpoint.connect())
            .with_context(|| format!("connecting to gRPC at {grpc}"))?;
        Ok(Self {
            runtime,
            client: PublisherClient::new(transport),
            credential: format!("Bearer {api_key}").parse()?,
            streams: streams.get(),
            prepared: channels.iter().map(|channel| event(channel, data)).collect(),
        })
    }

    /// Publishes one event by itself.
    pub(crate) fn publish_one(&mut self, channel: &str, data: &str) -> Result<()> {
        let request = self.authorised(event(channel, data));
        self.runtime.block_on(self.client.publish(request))?;
        Ok(())
    }

    pub(crate) fn warm_up(&self) -> Result<()> {
        self.run(WARM_UP).map(drop)
    }

    /// Publishes for a time, and waits for what is under way then. Answers how many were published.
    pub(crate) fn run(&self, window: Duration) -> Result<u64> {
        let over = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU64::new(0));
        self.runtime.block_on(async {
            let mut streams = JoinSet::new();
            for _ in 0..self.streams {
                let (prepared, over) = (Arc::clone(&self.prepared), Arc::clone(&over));
                let requests = stream::iter(
                    (0..)
                        .take_while(move |_| !over.load(Ordering::Relaxed))
                        .map(move |number: usize| prepared[number % prepared.len()].clone()),
                );
                let requests = self.authorised(requests);
                streams.spawn(count(self.client.clone(), requests, Arc::clone(&answered)));
            }
            tokio::time::sleep(window).await;
            over.store(true, Ordering::Relaxed);
            while let Some(stream) = streams.join_next().await {
                stream??;
            }
            Ok(answered.load(Ordering::Relaxed))
        })
    }

    fn authorised<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.credential.clone());
        request
    }
}

async fn count<S>(
    mut client: PublisherClient<Channel>,
    requests: Request<S>,
    answered: Arc<AtomicU64>,
) -> Result<()>
where
    S: futures_util::Stream<Item = PublishRequest> + Send + 'static,
{
    let mut answers = client.publish_stream(requests).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        if let Some(error) = answer.error {
            bail!("status {}: {}", error.code, error.message);
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn event(channel: &str, data: &str) -> PublishRequest {
    PublishRequest {
        channel: channel.to_owned(),
        r#type: "bench.tick".to_owned(),
        data: data.to_owned().into(),
        ..PublishRequest::default()
    }
}
