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
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
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
            prepared: channels.iter().map(|channel| event(channel, data)).collect(),
            _runtime: runtime,
        })
    }
}

impl Publisher for HubPublisher {
    fn publish(&mut self, burst: &[usize]) -> Result<()> {
        let requests = burst.iter().map(|&channel| self.prepared[channel].clone()).collect();
        self.bursts.try_send(requests).map_err(|error| match self.failure() {
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
        Ok(Self { control, triggers: Vec::new() })
    }
}

impl Publisher for BarePublisher {
    fn publish(&mut self, burst: &[usize]) -> Result<()> {
        self.triggers.clear();
        for &channel in burst {
            let channel = u32::try_from(channel).context("channel numbers are below 2^32")?;
            self.triggers.extend(channel.to_le_bytes());
        }
        self.control.write_all(&self.triggers).context("triggering the bare broadcaster")
    }

    fn failure(&self) -> Option<&str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::{Duration, Instant};

    use fanline_proto::v1::publisher_server::{self, PublisherServer};
    use fanline_proto::v1::{BroadcastRequest, BroadcastResponse, PublishResponse};
    use futures_util::stream::BoxStream;
    use tonic::transport::server::{Server, TcpIncoming};
    use tonic::{Response, Status, Streaming};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    #[test]
    fn a_burst_reaches_its_channels_in_order() {
        let hub = FakeHub::start();
        let mut publisher = hub.publisher("secret");
        publisher.publish(&[0, 1]).unwrap();
        publisher.publish(&[0]).unwrap();
        let received = [(); 3].map(|()| hub.received.recv_timeout(DEADLINE).unwrap());
        assert_eq!(received, ["bench:0 {}", "bench:1 {}", "bench:0 {}"]);
        assert_eq!(publisher.failure(), None);
    }

    #[test]
    fn a_refused_event_is_a_failure_with_the_hubs_words() {
        let hub = FakeHub::start();
        let mut publisher = hub.publisher("secret");
        publisher.publish(&[2]).unwrap();
        let failure = failure_of(&publisher);
        assert!(failure.contains("bench:refused is refused"), "{failure}");
    }

    #[test]
    fn a_refused_key_is_a_failure() {
        let hub = FakeHub::start();
        let publisher = hub.publisher("wrong");
        let failure = failure_of(&publisher);
        assert!(failure.contains("no such key"), "{failure}");
    }

    fn failure_of(publisher: &HubPublisher) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(failure) = publisher.failure() {
                return failure.to_owned();
            }
            assert!(Instant::now() < deadline, "no failure was told");
            std::thread::yield_now();
        }
    }

    /// Answers what the contract says and tells the test what it received.
    struct FakeHub {
        address: SocketAddr,
        received: Receiver<String>,
        _runtime: Runtime,
    }

    impl FakeHub {
        fn start() -> Self {
            let (tell, received) = sync_channel(16);
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let incoming = runtime
                .block_on(async { TcpIncoming::bind("127.0.0.1:0".parse().unwrap()) })
                .unwrap();
            let address = incoming.local_addr().unwrap();
            let service = PublisherServer::new(FakePublisher { tell });
            runtime.spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
            Self { address, received, _runtime: runtime }
        }

        fn publisher(&self, api_key: &str) -> HubPublisher {
            let channels = ["bench:0", "bench:1", "bench:refused"].map(str::to_owned);
            HubPublisher::connect(self.address, api_key, &channels, "{}").unwrap()
        }
    }

    struct FakePublisher {
        tell: SyncSender<String>,
    }

    #[tonic::async_trait]
    impl publisher_server::Publisher for FakePublisher {
        type PublishStreamStream = BoxStream<'static, Result<PublishResponse, Status>>;

        async fn publish_stream(
            &self,
            requests: Request<Streaming<PublishRequest>>,
        ) -> Result<Response<Self::PublishStreamStream>, Status> {
            if requests.metadata().get("authorization")
                != Some(&AsciiMetadataValue::from_static("Bearer secret"))
            {
                return Err(Status::unauthenticated("no such key"));
            }
            let tell = self.tell.clone();
            let answers = requests.into_inner().map(move |request| {
                let PublishRequest { channel, data, .. } = request?;
                let error = (channel == "bench:refused").then(|| tonic_types::pb::Status {
                    code: 7,
                    message: format!("{channel} is refused"),
                    details: Vec::new(),
                });
                let data = String::from_utf8(data.to_vec()).expect("the test sends text");
                tell.send(format!("{channel} {data}"))
                    .map_err(|_| Status::cancelled("the test is over"))?;
                Ok(PublishResponse { error, ..PublishResponse::default() })
            });
            Ok(Response::new(answers.boxed()))
        }

        async fn publish(
            &self,
            _: Request<PublishRequest>,
        ) -> Result<Response<PublishResponse>, Status> {
            Err(Status::unimplemented("the bench streams"))
        }

        async fn broadcast(
            &self,
            _: Request<BroadcastRequest>,
        ) -> Result<Response<BroadcastResponse>, Status> {
            Err(Status::unimplemented("the bench streams"))
        }
    }
}
