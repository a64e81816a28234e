//! Another server takes over, with what it has of the channel: a new epoch, and what is lost is named.

use fanline_tests::{ClusterSetup, RedisServer, SentinelSetup, Shared, until};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use toml::Table;

use super::scene::{META, Setting, join_since, with_each_seed};

/// What happens to the primary.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Killed,
    /// Stands still until all nodes have gone to the one that took over.
    Frozen,
    /// Stands still only until another has taken over: nodes may still be with it, and publish there.
    Paused,
    /// An operator has its replica take over.
    Relieved,
}

impl Fate {
    /// Seeds that follow each other bring all of them.
    fn of(seed: u64) -> Self {
        [Self::Killed, Self::Frozen, Self::Paused, Self::Relieved][(seed % 4) as usize]
    }
}

/// Servers of which one can take over from the channel's own.
trait Replaceable: Shared {
    fn primary(&mut self) -> &mut RedisServer;
    async fn relieve(&self);
    async fn has_another_primary(&self) -> bool;
}

impl Replaceable for SentinelSetup {
    fn primary(&mut self) -> &mut RedisServer {
        &mut self.primary
    }

    async fn relieve(&self) {
        self.relieve().await;
    }

    async fn has_another_primary(&self) -> bool {
        self.replica.is_primary().await
    }
}

/// A cluster, and which of its servers the channel lives on.
struct Home(ClusterSetup, usize);

impl Shared for Home {
    fn broker(&self) -> Table {
        self.0.broker()
    }
}

impl Replaceable for Home {
    fn primary(&mut self) -> &mut RedisServer {
        &mut self.0.servers[self.1]
    }

    async fn relieve(&self) {
        self.0.relieve(self.1).await;
    }

    async fn has_another_primary(&self) -> bool {
        self.0.other_primaries(self.1).await.len() == ClusterSetup::PRIMARIES
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sentinel_failover_loses_is_named() {
    with_each_seed(5, async |seed| {
        what_is_lost_is_named(SentinelSetup::start().await, "sentinel", seed).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cluster_failover_loses_is_named() {
    with_each_seed(5, async |seed| {
        let cluster = ClusterSetup::start().await;
        let home = cluster.home(META).await;
        what_is_lost_is_named(Home(cluster, home), "cluster", seed).await;
    })
    .await;
}

async fn what_is_lost_is_named(mut redis: impl Replaceable, servers: &str, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let fate = Fate::of(seed);
    let mut scene = Setting::default().start(&redis).await;
    scene.publishes(rng.random_range(20..100)).await;
    match fate {
        Fate::Killed => redis.primary().kill(),
        Fate::Frozen | Fate::Paused => redis.primary().signal("STOP"),
        Fate::Relieved => redis.relieve().await,
    }
    match fate {
        Fate::Killed | Fate::Frozen => scene.turns_red().await,
        Fate::Paused => {
            until("another takes over", async || redis.has_another_primary().await).await;
            redis.primary().signal("CONT");
        }
        Fate::Relieved => {}
    }
    scene.tells_of_a_gap().await;
    scene.turns_green().await;
    if matches!(fate, Fate::Frozen) {
        redis.primary().signal("CONT");
    }
    scene.publishes(50).await;
    let account = scene.settles(&format!("{servers}, {fate:?}"), seed).await;
    assert_eq!(account.epochs, 2, "{account}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_events_that_a_failover_loses_leave_positions_that_never_come_back() {
    with_each_seed(5, async |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut redis = SentinelSetup::start().await;
        let mut scene = Setting::default().start(&redis).await;
        scene.publishes(20).await;
        // Neither the replica nor one of the nodes gets what follows: both stand still, and are cut off first.
        let deaf = &scene.nodes[1].process;
        deaf.signal("STOP");
        redis.replica.signal("STOP");
        redis.primary.run::<u64>(&["CLIENT", "KILL", "TYPE", "replica"]).await;
        redis.primary.run::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        let lost = rng.random_range(10..50);
        // One more, as the first may have been under way.
        scene.publishers[0].publishes(lost + 1).await;
        redis.primary.kill();
        scene.nodes[0].is_unready().await;
        let reached = scene.witnesses[0].record().end().clone();
        redis.replica.signal("CONT");
        scene.witnesses[0].is_told_of_a_gap().await;
        deaf.signal("CONT");
        scene.tells_of_a_gap().await;
        scene.turns_green().await;
        // Whoever comes back from a position that was lost is told, whatever stands at its offset now.
        scene.publishes(lost + 20).await;
        let (_late, answer) = join_since(&scene.nodes[1], "late", &reached).await;
        assert_eq!(answer["recovered"], false, "{answer}");
        assert_eq!(answer["reason"], "epoch_changed", "{answer}");
        println!("seed {seed}: at least {lost} acknowledged events were lost with their primary");
        let account = scene.settles("failover to a replica that was cut off", seed).await;
        assert_eq!(account.epochs, 2, "{account}");
        assert!(account.members.iter().all(|member| member.gaps == 1), "{account}");
        assert!(account.members[2..].iter().all(|member| member.lost >= lost), "{account}");
    })
    .await;
}
