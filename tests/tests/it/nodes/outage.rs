//! One Redis that breaks off, dies or stands still, and comes back.

use std::time::Duration;

use fanline_tests::{RedisServer, seeds};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep_until};

use super::scene::{Setting, with_each_seed};

/// The subscribe connections of both nodes are killed so often, in so long.
const KILLS: u32 = 20;
const KILLING: Duration = Duration::from_secs(10);
/// How long a Redis stands still.
const STANDSTILL: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribe_connections_killed_twenty_times_lose_and_double_nothing_and_end_no_client() {
    let seed = seeds(1)[0];
    let mut rng = StdRng::seed_from_u64(seed);
    let redis = RedisServer::start().await;
    // 500 events a second together.
    let setting = Setting {
        publishers_on_each_node: 2,
        period: Duration::from_millis(8),
        ..Setting::default()
    };
    let mut scene = setting.start(&redis).await;
    scene.publishes(10).await;
    let start = Instant::now();
    let mut killed = 0;
    for kill in 0..KILLS {
        // In each half second at another moment.
        let moment = KILLING * kill / KILLS + KILLING / KILLS * rng.random_range(0..100) / 100;
        sleep_until(start + moment).await;
        killed += redis.run::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    }
    sleep_until(start + KILLING).await;
    let account = scene.settles("subscribe connections killed", seed).await;
    println!(
        "seed {seed}: {killed} connections killed, {} events a second",
        account.acknowledged as u64 / KILLING.as_secs()
    );
    assert!(killed >= u64::from(KILLS), "only {killed} connections were killed");
    assert!(account.is_whole(), "{account}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_killed_and_restarted_from_its_log_loses_nothing_in_silence() {
    with_each_seed(5, async |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        // Whether Redis writes each publish to disk before it is acknowledged.
        let lasting = seed % 2 == 0;
        let (fsync, durability) =
            if lasting { ("always", "aof_always") } else { ("everysec", "volatile") };
        let settings = ["--appendonly", "yes", "--appendfsync", fsync];
        let mut redis = RedisServer::with(&settings).await;
        let mut scene = Setting { durability, ..Setting::default() }.start(&redis).await;
        for _ in 0..2 {
            scene.publishes(rng.random_range(20..100)).await;
            redis.kill();
            scene.turns_red().await;
            redis.restart().await;
            scene.turns_green().await;
        }
        scene.publishes(20).await;
        let account = scene.settles(&format!("killed, {durability}"), seed).await;
        assert_eq!(account.is_whole(), lasting, "{account}");
        assert_eq!(account.epochs, if lasting { 1 } else { 3 }, "{account}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still_for_ten_seconds_holds_up_and_loses_nothing() {
    with_each_seed(5, async |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let redis = RedisServer::start().await;
        let mut scene = Setting::default().start(&redis).await;
        scene.publishes(rng.random_range(20..200)).await;
        let start = Instant::now();
        redis.signal("STOP");
        scene.turns_red().await;
        sleep_until(start + STANDSTILL).await;
        redis.signal("CONT");
        scene.turns_green().await;
        scene.publishes(20).await;
        let account = scene.settles("stood still", seed).await;
        assert!(account.is_whole(), "{account}");
    })
    .await;
}
