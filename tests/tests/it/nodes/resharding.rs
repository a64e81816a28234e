//! The slot of a busy channel moves from one server of a cluster to another.

use fanline_tests::{ClusterSetup, until};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::scene::{CHANNEL, Setting, with_each_seed};

const MOVES: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_channel_whose_slot_moves_loses_nothing_in_silence() {
    let redis = ClusterSetup::start().await;
    for server in &redis.servers {
        server.run::<String>(&["CONFIG", "SET", "appendfsync", "always"]).await;
        server.run::<String>(&["CONFIG", "SET", "appendonly", "yes"]).await;
    }
    with_each_seed(5, async |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        // Only a history that no server may lose goes on when it moves.
        let lasting = seed % 2 == 0;
        let durability = if lasting { "aof_always" } else { "volatile" };
        let prefix = format!("seed{seed}");
        let meta = format!("{{{prefix}:{CHANNEL}}}:meta");
        let live = format!("{{{prefix}:{CHANNEL}}}:live");
        let setting = Setting { durability, prefix: prefix.clone(), ..Setting::default() };
        let mut scene = setting.start(&redis).await;
        let mut home = redis.home(&meta).await;
        for _ in 0..MOVES {
            scene.publishes(rng.random_range(10..50)).await;
            let mut targets = redis.other_primaries(home).await;
            let target = targets.swap_remove(rng.random_range(0..targets.len()));
            redis.migrate(&meta, home, target).await;
            home = target;
            until("both nodes listen there", async || {
                redis.servers[home].listeners(&live).await == 2
            })
            .await;
        }
        scene.publishes(20).await;
        let account = scene.settles(&format!("slot moved, {durability}"), seed).await;
        assert_eq!(account.is_whole(), lasting, "{account}");
        assert_eq!(account.epochs, if lasting { 1 } else { 1 + MOVES }, "{account}");
    })
    .await;
}
