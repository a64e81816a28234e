//! Streams of events that bring none, over HTTP/2 without TLS, many on one connection.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::select;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Idlers;
use crate::hub::Hub;

const DEADLINE: Duration = Duration::from_secs(10);
const HEARTBEAT: &[u8] = b":\n";

pub(super) struct Streams<'a> {
    hub: &'a Hub,
    channel: &'static str,
    per_connection: usize,
    /// Each lives as long as it is held. The next stream goes on the last.
    connections: Vec<Connection>,
    /// One task drives each connection and one reads each stream; none of them may end.
    tasks: JoinSet<Result<Infallible>>,
    runtime: Runtime,
}

struct Connection {
    requests: SendRequest<Empty<Bytes>>,
    streams: usize,
    /// As the hub's settings say.
    streams_allowed: usize,
}

impl<'a> Streams<'a> {
    pub(super) fn new(hub: &'a Hub, channel: &'static str, per_connection: usize) -> Result<Self> {
        Ok(Self {
            hub,
            channel,
            per_connection,
            connections: Vec::new(),
            tasks: JoinSet::new(),
            runtime: Builder::new_current_thread().enable_all().build()?,
        })
    }
}

impl Idlers for Streams<'_> {
    fn enter(&mut self, count: usize) -> Result<()> {
        let Self { hub, channel, per_connection, connections, tasks, runtime } = self;
        let uri = format!("http://{}/v1/sse?channel={channel}", hub.public());
        runtime.block_on(async {
            for number in 0..count {
                let next = async {
                    match connections.last_mut() {
                        Some(connection) if connection.streams < *per_connection => {
                            connection.streams += 1;
                            open(&mut connection.requests, &uri, &hub.token).await
                        }
                        _ => {
                            let (connection, stream) = connect(hub, &uri, tasks).await?;
                            *per_connection = connection.streams_allowed.min(*per_connection);
                            connections.push(connection);
                            Ok(stream)
                        }
                    }
                };
                let stream = timeout(DEADLINE, next)
                    .await
                    .context("it does not open")
                    .flatten()
                    .with_context(|| format!("stream {number} of {count}"))?;
                tasks.spawn(silent(stream));
            }
            Ok(())
        })
    }

    /// Only heartbeats may come.
    fn hold(&mut self, time: Duration) -> Result<()> {
        self.runtime.block_on(async {
            match timeout(time, self.tasks.join_next()).await {
                Err(_all_were_silent) => Ok(()),
                Ok(ended) => match ended.context("there is no stream")?? {
                    Err(error) => Err(error),
                },
            }
        })
    }

    fn describe(&self) -> String {
        let allowed = self.connections.last().map_or(0, |connection| connection.streams_allowed);
        format!("{} streams on each connection; the hub allows {allowed}", self.per_connection)
    }
}

/// A connection and its first stream.
async fn connect(
    hub: &Hub,
    uri: &str,
    tasks: &mut JoinSet<Result<Infallible>>,
) -> Result<(Connection, Incoming)> {
    let socket = TcpStream::connect(hub.public()).await?;
    socket.set_nodelay(true)?;
    let (mut requests, mut connection) =
        handshake(TokioExecutor::new(), TokioIo::new(socket)).await?;
    let stream = select! {
        stream = open(&mut requests, uri, &hub.token) => stream?,
        ended = &mut connection => bail!("the hub ended a connection: {ended:?}"),
    };
    // The settings are the first that a hub says, long before it answers.
    let streams_allowed = connection.current_max_send_streams();
    tasks.spawn(async {
        connection.await?;
        bail!("the hub ended a connection")
    });
    Ok((Connection { requests, streams: 1, streams_allowed }, stream))
}

/// A stream whose first block was read.
async fn open(
    requests: &mut SendRequest<Empty<Bytes>>,
    uri: &str,
    token: &str,
) -> Result<Incoming> {
    let request =
        Request::get(uri).header("authorization", format!("Bearer {token}")).body(Empty::new())?;
    let answer = requests.send_request(request).await?;
    ensure!(answer.status() == StatusCode::OK, "it is answered with {}", answer.status());
    let mut stream = answer.into_body();
    let mut block = Vec::new();
    while !block.ends_with(b"\n\n") {
        block.extend_from_slice(&next(&mut stream).await?);
    }
    ensure!(
        block.starts_with(b"event: fanline.open\n"),
        "it begins with {}",
        String::from_utf8_lossy(&block)
    );
    Ok(stream)
}

async fn silent(mut stream: Incoming) -> Result<Infallible> {
    loop {
        let bytes = next(&mut stream).await?;
        ensure!(
            bytes == HEARTBEAT,
            "a stream brought {} and nothing was published",
            String::from_utf8_lossy(&bytes)
        );
    }
}

async fn next(stream: &mut Incoming) -> Result<Bytes> {
    let frame = stream.frame().await.context("the hub ended a stream")?;
    Ok(frame.context("a stream broke off")?.into_data().unwrap_or_default())
}
