//! The publishing side of a load generator. It only hands events over: whether and when they arrive is seen at the members.

use std::convert::Infallible;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow, bail};
use fanline_proto::v1::PublishRequest;
use fanline_proto::v1::publisher_client::PublisherClient;
use futures_util::{Stream, StreamExt, stream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};

use crate::ledger::OUTSTANDING_MAX;

pub(crate) trait Publisher {
    /// Hands one event for each channel of `burst` to the server, all at once and without waiting for an answer. A burst
    /// that trickled in would leave the server less to coalesce, and measure the generator.
    fn publish(&mut self, burst: &[usize]) -> Result<()>;

    /// Why nothing arrives any more, if the server said so.
    fn failure(&self) -> Option<&str>;
}

/// Publishes over one gRPC `PublishStream`. Its I/O has a thread of its own, on the load generator's core.
pub(crate) struct HubPublisher {
    bursts: mpsc::Sender<Vec<PublishRequest>>,
    failure: Arc<OnceLock<String>>,
    /// The event of each channel.
    prepared: Vec<PublishRequest>,
    /// Runs the stream, until dropped.
    _runtime: Runtime,
}

impl HubPublisher {
    /// Every event carries the same `data`.
    pub(crate) fn connect(
        grpc: SocketAddr,
        api_key: &str,
        channels: &[String],
        data: &str,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let endpoint = Endpoint::from_shared(format!("http://{grpc}"))?.tcp_nodelay(true);
        let transport = runtime
            .block_on(endpoint.connect())
            .with_context(|| format!("connecting to gRPC at {grpc}"))?;
        let (bursts, receiver) = mpsc::channel(OUTSTANDING_MAX);
        let mut requests = Request::new(ReceiverStream::new(receiver).flat_map(stream::iter));
        let credential: AsciiMetadataValue = format!("Bearer {api_key}").parse()?;
        requests.metadata_mut().insert("authorization", credential);

        let failure = Arc::new(OnceLock::new());
        let told = Arc::clone(&failure);
        runtime.spawn(async move {
            let Err(error) = read_answers(PublisherClient::new(transport), requests).await;
            told.get_or_init(|| format!("{error:#}"));
        });
        Ok(Self {
            bursts,
            failure,
            prepared: channels
                .iter()
                .map(|channel| event(channel, data))
                .collect(),
            _runtime: runtime,
        })
    }
}

impl Publisher for HubPublisher {
    fn publish(&mut self, burst: &[usize]) -> Result<()> {
        let requests = burst
            .iter()
            .map(|&channel| self.prepared[channel].clone())
            .collect();
        self.bursts
            .try_send(requests)
            .map_err(|error| match self.failure() {
                Some(failure) => anyhow!("publishing failed: {failure}"),
                None => anyhow!("the hub takes no more events: {error}"),
            })
    }

    fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }
}

fn event(channel: &str, data: &str) -> PublishRequest {
    PublishRequest {
        channel: channel.to_owned(),
        r#type: "bench.tick".to_owned(),
        data: data.to_owned().into(),
        ..PublishRequest::default()
    }
}

/// Returns only with the reason why the stream is over.
async fn read_answers(
    mut client: PublisherClient<Channel>,
    requests: Request<impl Stream<Item = PublishRequest> + Send + 'static>,
) -> Result<Infallible> {
    let mut answers = client.publish_stream(requests).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        if let Some(error) = answer.error {
            bail!("status {}: {}", error.code, error.message);
        }
    }
    bail!("the hub ended the PublishStream");
}

/// Triggers a bare broadcaster: four bytes, the channel's number, are one event.
pub(crate) struct BarePublisher {
    control: TcpStream,
    triggers: Vec<u8>,
}

impl BarePublisher {
    /// Opens the control connection, which has to be the broadcaster's first.
    pub(crate) fn connect(broadcaster: SocketAddr) -> Result<Self> {
        let control =
            TcpStream::connect(broadcaster).context("connecting to the bare broadcaster")?;
        control.set_nodelay(true)?;
        Ok(Self {
            control,
            triggers: Vec::new(),
        })
    }
}

impl Publisher for BarePublisher {
    fn publish(&mut self, burst: &[usize]) -> Result<()> {
        self.triggers.clear();
        for &channel in burst {
            let channel = u32::try_from(channel).context("channel numbers are below 2^32")?;
            self.triggers.extend(channel.to_le_bytes());
        }
        self.control
            .write_all(&self.triggers)
            .context("triggering the bare broadcaster")
    }

    fn failure(&self) -> Option<&str> {
        None
    }
}
