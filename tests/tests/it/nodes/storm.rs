//! One trouble after the other, as chance has it: whatever happens between the nodes and their Redis, the account is right.

use std::time::Duration;

use fanline_tests::{Proxy, RedisServer, Shared};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::sleep;

use super::scene::{META, Scene, Setting, with_each_seed};

const TROUBLES: usize = 5;

/// Something that goes wrong, and is over when its function returns.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Redis closes the connections that listen.
    Deafness,
    /// Redis closes all connections.
    Closing,
    /// Redis is killed and starts again from what is on disk.
    Restart,
    /// Redis stands still.
    Standstill,
    /// Redis forgets the channel's meta, as an eviction would.
    Eviction,
    /// Redis forgets the scripts.
    Forgetting,
    /// The connections of one node break.
    Cut,
    /// The line of one node says nothing any more.
    Silence,
    /// One node reaches nobody.
    Partition,
    /// The line of one node is slow.
    Delay,
}

const ALL: [Trouble; 10] = [
    Trouble::Deafness,
    Trouble::Closing,
    Trouble::Restart,
    Trouble::Standstill,
    Trouble::Eviction,
    Trouble::Forgetting,
    Trouble::Cut,
    Trouble::Silence,
    Trouble::Partition,
    Trouble::Delay,
];

impl Trouble {
    /// Whether Redis itself loses something by it, so that a gap is the truth.
    fn loses(self) -> bool {
        matches!(self, Self::Restart | Self::Eviction)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_troubles_come_one_after_the_other_nothing_is_lost_in_silence() {
    with_each_seed(5, async |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let redis = RedisServer::with(&["--appendonly", "yes"]).await;
        let address = ([127, 0, 0, 1], redis.port).into();
        let lines = [Proxy::to(address).await, Proxy::to(address).await];
        let brokers = lines.each_ref().map(|line| {
            let mut broker = redis.broker();
            broker.insert("urls".to_owned(), vec![format!("redis://{}", line.address)].into());
            broker
        });
        let scene = Setting::default().start_on(brokers).await;
        let mut storm = Storm { redis, lines, scene };
        let mut came = Vec::new();
        for _ in 0..TROUBLES {
            storm.scene.publishes(rng.random_range(5..40)).await;
            let trouble = *ALL.choose(&mut rng).expect("there are some");
            came.push(trouble);
            storm.brings(trouble, &mut rng).await;
        }
        storm.scene.turns_green().await;
        storm.scene.publishes(20).await;
        let account = storm.scene.settles(&format!("{came:?}"), seed).await;
        if !came.iter().any(|trouble| trouble.loses()) {
            assert!(account.is_whole(), "{account}");
        }
    })
    .await;
}

struct Storm {
    redis: RedisServer,
    /// From each node to Redis.
    lines: [Proxy; 2],
    scene: Scene,
}

impl Storm {
    async fn brings(&mut self, trouble: Trouble, rng: &mut StdRng) {
        let node = rng.random_range(0..2);
        let while_it_lasts = Duration::from_millis(rng.random_range(50..3000));
        match trouble {
            Trouble::Deafness => self.tells_redis(&["CLIENT", "KILL", "TYPE", "pubsub"]).await,
            Trouble::Closing => self.tells_redis(&["CLIENT", "KILL", "TYPE", "normal"]).await,
            Trouble::Eviction => self.tells_redis(&["DEL", META]).await,
            Trouble::Forgetting => self.tells_redis(&["SCRIPT", "FLUSH"]).await,
            Trouble::Restart => {
                self.redis.kill();
                sleep(while_it_lasts).await;
                self.redis.restart().await;
            }
            Trouble::Standstill => {
                self.redis.signal("STOP");
                sleep(while_it_lasts).await;
                self.redis.signal("CONT");
            }
            Trouble::Cut => self.lines[node].cut(),
            Trouble::Silence => {
                self.lines[node].silence();
                sleep(2 * while_it_lasts).await;
                self.lines[node].restore();
            }
            Trouble::Partition => {
                self.lines[node].take_down();
                sleep(while_it_lasts).await;
                self.lines[node].restore();
            }
            Trouble::Delay => {
                self.lines[node].delay(Duration::from_millis(100));
                sleep(while_it_lasts).await;
                self.lines[node].restore();
            }
        }
    }

    async fn tells_redis(&self, command: &[&str]) {
        let _whether_it_mattered: bool = self.redis.run(command).await;
    }
}
