//! Two nodes with members and publishers on each, and the account at the end.

use std::time::Duration;

use fanline_tests::{
    Account, Hub, Ledger, Position, Record, Room, Shared, Steady, Step, Token, Witness,
    position_of, seeds,
};
use futures_util::{StreamExt as _, future, stream};
use serde_json::Value;
use toml::Table;

/// The room of all scenarios. Its namespace keeps more than they publish.
pub(super) const CHANNEL: &str = "room:lobby";
/// Its meta in Redis, under the usual prefix.
pub(super) const META: &str = "{fanline:room:lobby}:meta";

/// Seeds that each scenario is tried with.
const SEEDS: u64 = 5;

/// Runs a scenario with each seed, some of them at once: what they wait for is mostly elections and outages.
pub(super) async fn with_each_seed<F>(at_once: usize, scenario: impl FnMut(u64) -> F)
where
    F: Future<Output = ()>,
{
    stream::iter(seeds(SEEDS)).map(scenario).buffer_unordered(at_once).collect::<()>().await;
}

pub(super) struct Scene {
    pub(super) nodes: [Hub; 2],
    /// For each node one in a room and one on a stream.
    pub(super) witnesses: Vec<Witness>,
    /// As many for each node.
    pub(super) publishers: Vec<Steady>,
}

/// How a scene is set.
pub(super) struct Setting {
    pub(super) durability: &'static str,
    /// Scenes on one Redis have different ones.
    pub(super) prefix: String,
    pub(super) publishers_on_each_node: usize,
    /// Between two events of a publisher.
    pub(super) period: Duration,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            durability: "volatile",
            prefix: "fanline".to_owned(),
            publishers_on_each_node: 1,
            period: Duration::from_millis(20),
        }
    }
}

impl Setting {
    /// Starts everything: on each node a member in a room, one on a stream, and the publishers.
    pub(super) async fn start(self, redis: &impl Shared) -> Scene {
        self.start_on([redis.broker(), redis.broker()]).await
    }

    /// The same, with a way to Redis for each node.
    pub(super) async fn start_on(self, ways: [Table; 2]) -> Scene {
        let start = async |mut broker: Table| {
            broker.insert("durability".to_owned(), self.durability.into());
            broker.insert("prefix".to_owned(), (&*self.prefix).into());
            let builder = Hub::builder()
                .set("namespaces.room.history_size", 100_000)
                .set("namespaces.room.presence", true);
            let node = builder.on(&broker).start().await;
            node.is_ready().await;
            node
        };
        let [near, far] = ways;
        let (near, far) = tokio::join!(start(near), start(far));
        let nodes = [near, far];
        let mut witnesses = Vec::new();
        let mut publishers = Vec::new();
        for (number, node) in nodes.iter().enumerate() {
            let (room, start) = join(node, &format!("member{number}")).await;
            witnesses.push(Witness::in_room(room, start));
            let stream = node.rpc().await.subscribe(CHANNEL, None).await;
            witnesses.push(Witness::on_stream(stream).await);
        }
        for (home, letter) in ['a', 'b'].into_iter().enumerate() {
            for number in 0..self.publishers_on_each_node {
                let name = format!("{letter}{number}-");
                // Each has a node of its own, and the other one for bad days.
                let ways = vec![nodes[home].rpc().await, nodes[1 - home].rpc().await];
                publishers.push(Steady::start(ways, CHANNEL, &name, self.period));
            }
        }
        Scene { nodes, witnesses, publishers }
    }
}

impl Scene {
    /// Waits until each publisher has so many more events acknowledged.
    pub(super) async fn publishes(&mut self, more: usize) {
        future::join_all(self.publishers.iter_mut().map(|one| one.publishes(more))).await;
    }

    /// Waits until all nodes are red.
    pub(super) async fn turns_red(&self) {
        future::join_all(self.nodes.iter().map(Hub::is_unready)).await;
    }

    /// Waits until all nodes are green.
    pub(super) async fn turns_green(&self) {
        future::join_all(self.nodes.iter().map(Hub::is_ready)).await;
    }

    /// Waits until each member was told of a gap.
    pub(super) async fn tells_of_a_gap(&self) {
        future::join_all(self.witnesses.iter().map(Witness::is_told_of_a_gap)).await;
    }

    /// Stops the publishers, lets the members come to the end, and makes up the account.
    pub(super) async fn settles(&mut self, scenario: &str, seed: u64) -> Account {
        let stopping = self.publishers.drain(..).map(Steady::stop);
        let ledgers: Vec<Ledger> = future::join_all(stopping).await;
        let lasts = ledgers.iter().filter_map(|ledger| ledger.acknowledged.last());
        let newest = lasts.clone().max_by_key(|last| last.at).expect("something was published");
        for last in lasts.filter(|last| last.position.epoch == newest.position.epoch) {
            for witness in &self.witnesses {
                witness.knows_of(&last.position).await;
            }
        }
        let records: Vec<Record> = self.witnesses.iter().map(Witness::record).collect();
        let account = Account::of(&ledgers, &records);
        let account = account.unwrap_or_else(|error| panic!("{scenario}, seed {seed}: {error}"));
        println!("{scenario}, seed {seed}: {account}");
        // History holds all that these scenarios publish: nothing of an epoch that is still there may be called lost.
        for step in records.iter().flat_map(|record| &record.steps) {
            if let Step::Gap(from, to) = step {
                assert_eq!(to.offset, 0, "{scenario}, seed {seed}: a gap from {from} to {to}");
            }
        }
        account
    }
}

/// A client in the room of the scenarios, and where it starts.
pub(super) async fn join(node: &Hub, user: &str) -> (Room, Position) {
    let mut room = client(node, user).await;
    let start = position_of(&room.join(CHANNEL).await);
    (room, start)
}

/// A client that joins from a position, and the answer.
pub(super) async fn join_since(node: &Hub, user: &str, since: &Position) -> (Room, Value) {
    let mut room = client(node, user).await;
    let answer = room.join_since(CHANNEL, since).await;
    (room, answer)
}

async fn client(node: &Hub, user: &str) -> Room {
    node.room(&Token::user(user).everything_in(&["room:*"])).await
}
