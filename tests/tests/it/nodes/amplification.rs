//! What leaves Redis for each byte that reaches it, when every channel has its members on one node: about one, however
//! many nodes there are.

use std::time::Duration;

use fanline_proto::v1::subscribe_response::Item;
use fanline_proto::v1::{ChannelSelector, PublishRequest, SubscribeResponse};
use fanline_tests::{Hub, RedisServer, within};
use futures_util::future::join_all;
use futures_util::stream;
use tokio::time::Instant;
use tonic::Streaming;

const CHANNELS: usize = 800;
const EVENTS_PER_CHANNEL: usize = 10;
/// A typical event is smaller: the more of it is overhead, the more of that is in the command and the less in the message.
const DATA_BYTES: usize = 1024;
/// Channels of one stream.
const PER_STREAM: usize = 100;
/// Longer than the round in which each node looks after its channels.
const IDLE: Duration = Duration::from_secs(6);
const LOADED: Duration = Duration::from_secs(60);
/// Out over in, without the constant traffic.
const MOST: f64 = 1.1;

/// What a server has read and written.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    read: f64,
    written: f64,
    at: Instant,
}

impl Traffic {
    async fn of(redis: &RedisServer) -> Self {
        let stats: String = redis.run(&["INFO", "stats"]).await;
        let field = |name: &str| -> f64 {
            let line = stats.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.expect("it is there").trim().parse().expect("a number")
        };
        Traffic {
            read: field("total_net_input_bytes"),
            written: field("total_net_output_bytes"),
            at: Instant::now(),
        }
    }

    /// Bytes read and written since then, and the seconds.
    fn since(self, then: Traffic) -> (f64, f64, f64) {
        let seconds = self.at.duration_since(then.at).as_secs_f64();
        (self.read - then.read, self.written - then.written, seconds)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_redis_does_not_grow_with_the_number_of_nodes() {
    println!("nodes    events    bytes in   bytes out   out/in   idle out/s");
    measure::<2>().await;
    measure::<4>().await;
    measure::<8>().await;
}

async fn measure<const N: usize>() {
    let redis = RedisServer::start().await;
    let nodes: [Hub; N] = Hub::nodes(&redis).await;
    let mut members = Vec::new();
    for first in (0..CHANNELS).step_by(PER_STREAM) {
        let channels = (first..first + PER_STREAM)
            .map(|number| ChannelSelector { channel: channel(number), start: None });
        // Each channel's members are on one node.
        let rpc = nodes[first / PER_STREAM % N].rpc().await;
        let mut member = rpc.subscribe_all(channels.collect()).await;
        read(&mut member, PER_STREAM, |item| matches!(item, Item::Subscribed(_))).await;
        members.push(member);
    }

    let before = Traffic::of(&redis).await;
    tokio::time::sleep(IDLE).await;
    let (idle_read, idle_written, idle_seconds) = Traffic::of(&redis).await.since(before);

    let before = Traffic::of(&redis).await;
    let publishing = join_all(nodes.iter().enumerate().map(|(node, hub)| publish(hub, node, N)));
    let receiving = join_all(members.iter_mut().map(async |member| {
        let events = PER_STREAM * EVENTS_PER_CHANNEL;
        read(member, events, |item| matches!(item, Item::Event(_))).await;
    }));
    within(LOADED, "all events", async { tokio::join!(publishing, receiving) }).await;
    let (read, written, seconds) = Traffic::of(&redis).await.since(before);

    let read = read - idle_read / idle_seconds * seconds;
    let written = written - idle_written / idle_seconds * seconds;
    let ratio = written / read;
    println!(
        "{N:5} {:9} {read:11.0} {written:11.0} {ratio:8.2} {:12.0}",
        CHANNELS * EVENTS_PER_CHANNEL,
        idle_written / idle_seconds
    );
    assert!(ratio <= MOST, "{N} nodes: {written} bytes out for {read} bytes in");
    assert!(written > (CHANNELS * EVENTS_PER_CHANNEL * DATA_BYTES) as f64, "each event left once");
}

/// Publishes a node's share of the events, each to the members of another node as often as to its own.
async fn publish(hub: &Hub, node: usize, nodes: usize) {
    let data = format!("\"{}\"", "x".repeat(DATA_BYTES));
    let requests: Vec<_> = (0..CHANNELS * EVENTS_PER_CHANNEL)
        .filter(|number| (number + number / CHANNELS) % nodes == node)
        .map(|number| PublishRequest {
            channel: channel(number % CHANNELS),
            data: data.clone().into(),
            ..PublishRequest::default()
        })
        .collect();
    let count = requests.len();
    let mut publisher = hub.rpc().await.publisher();
    let answers = publisher.publish_stream(stream::iter(requests)).await;
    let mut answers = answers.expect("the stream is open").into_inner();
    for _ in 0..count {
        let answer = answers.message().await.expect("no error").expect("an answer for each");
        assert_eq!(answer.error, None);
    }
}

fn channel(number: usize) -> String {
    format!("news:{number}")
}

/// Reads so many items, all of the wanted kind.
async fn read(
    member: &mut Streaming<SubscribeResponse>,
    count: usize,
    wanted: impl Fn(&Item) -> bool,
) {
    for _ in 0..count {
        let response = within(LOADED, "an item", member.message()).await.expect("no error");
        let item = response.and_then(|response| response.item).expect("the stream goes on");
        assert!(wanted(&item), "{item:?}");
    }
}
