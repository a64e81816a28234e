//! A Redis that is not as the hub needs it: the hub lives, says which key to look at and what to do, and loses nothing in
//! silence. `docs/redis.md` says the same in its table of bad days.

use fanline_proto::v1::subscribe_response::Item;
use fanline_tests::{
    DEADLINE, Hub, Publication, RedisServer, eventually, free_port, reason, until, within,
};
use toml::{Table, toml};
use tonic::Code;

/// A `[broker]` with one key in another way than the server has it.
fn broker(mode: &str, port: u16, more: Table) -> Table {
    let mut broker = toml! { kind = "redis" };
    broker.insert("mode".to_owned(), mode.into());
    broker.insert("urls".to_owned(), vec![format!("redis://127.0.0.1:{port}/0")].into());
    broker.extend(more);
    broker
}

/// Starts a hub that cannot work with its Redis, and checks how it says so.
async fn is_told(case: &str, broker: Table, advice: &str) {
    let mut hub = Hub::builder().on(&broker).start().await;
    let told = eventually(&format!("{case}: /readyz says {advice:?}"), async || {
        let complaint = hub.is_unready().await;
        // Until the first try is over it is only not connected.
        complaint.replace('\\', "").contains(advice).then_some(complaint)
    })
    .await;
    println!("{case:36} {told}");
    let publish = hub.rpc().await.try_publish(Publication::to("news:1", 1)).await;
    let refusal = publish.expect_err("there is no broker");
    assert_eq!(
        (refusal.code(), reason(&refusal)),
        (Code::Unavailable, "BROKER_UNAVAILABLE".into()),
        "{case}"
    );
    hub.process.terminate();
    hub.process.exit().await;
    let said = hub.process.output();
    assert!(
        said.replace('\\', "").contains(advice),
        "{case}: the log does not say {advice:?}\n{said}"
    );
    assert!(!said.contains("panicked") && !said.contains("wrong-password"), "{case}\n{said}");
}

#[tokio::test]
async fn a_redis_that_the_hub_cannot_use_is_told_with_the_key_to_look_at() {
    let plain = RedisServer::start().await;
    let locked = RedisServer::with(&["--requirepass", "secret"]).await;
    let bus = free_port().to_string();
    let clustered = RedisServer::with(&["--cluster-enabled", "yes", "--cluster-port", &bus]).await;
    let port = plain.port.to_string();
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]).await;
    let watch = format!("sentinel monitor main 127.0.0.1 {port} 1");
    let sentinel = RedisServer::sentinel(free_port(), &watch).await;
    plain
        .run::<String>(&["ACL", "SETUSER", "weak", "on", ">secret", "~*", "+hello", "+info"])
        .await;

    let none = Table::new;
    let table = [
        (
            "wrong password",
            broker("standalone", locked.port, toml! { password = "wrong-password" }),
            "`user` and `password` in [broker]",
        ),
        (
            "no password",
            broker("standalone", locked.port, none()),
            "`user` and `password` in [broker]",
        ),
        (
            "a user without the rights",
            broker(
                "standalone",
                plain.port,
                toml! { user = "weak"
                password = "secret" },
            ),
            "rights in docs/redis.md",
        ),
        ("no cluster", broker("cluster", plain.port, none()), "no cluster: see `mode` in [broker]"),
        (
            "a cluster",
            broker("standalone", clustered.port, none()),
            "set `mode = \"cluster\"` in [broker]",
        ),
        (
            "a sentinel",
            broker("standalone", sentinel.port, none()),
            "set `mode = \"sentinel\"` in [broker]",
        ),
        (
            "no sentinel",
            broker("sentinel", plain.port, none()),
            "see `mode` and `urls` in [broker]",
        ),
        (
            "sentinels that watch another",
            broker("sentinel", sentinel.port, toml! { primary = "other" }),
            "see `primary` in [broker]",
        ),
        (
            "a replica",
            broker("standalone", replica.port, none()),
            "name its primary in `urls` of [broker]",
        ),
        ("nobody there", broker("standalone", free_port(), none()), "see `urls` in [broker]"),
        (
            "nobody there, a cluster",
            broker("cluster", free_port(), none()),
            "see `urls` in [broker]",
        ),
    ];
    for (case, broker, advice) in table {
        is_told(case, broker, advice).await;
    }
}

#[tokio::test]
async fn a_redis_that_is_full_refuses_and_goes_on_when_there_is_room() {
    let redis = RedisServer::start().await;
    let [mut hub] = Hub::nodes(&redis).await;
    let rpc = hub.rpc().await;
    let first = rpc.publish(Publication::to("news:1", 1)).await;
    redis.run::<String>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let refusal = rpc.try_publish(Publication::to("news:1", 2)).await.expect_err("no room");
    assert_eq!(
        (refusal.code(), reason(&refusal)),
        (Code::ResourceExhausted, "LIMIT_EXCEEDED".into())
    );
    assert!(refusal.message().contains("maxmemory"), "{refusal}");
    redis.run::<String>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let second = rpc.publish(Publication::to("news:1", 2)).await;
    assert_eq!((second.epoch, second.offset), (first.epoch, first.offset + 1));
    hub.process.terminate();
    hub.process.exit().await;
    assert!(hub.process.output().contains("`maxmemory`"), "{}", hub.process.output());
}

#[tokio::test]
async fn a_foreign_value_under_a_key_is_told_and_left_alone() {
    let redis = RedisServer::start().await;
    let [mut hub] = Hub::nodes(&redis).await;
    let rpc = hub.rpc().await;
    for (channel, key) in [("news:1", "{fanline:news:1}:meta"), ("news:2", "{fanline:news:2}:log")]
    {
        redis.run::<String>(&["SET", key, "mine"]).await;
        let refusal = rpc.try_publish(Publication::to(channel, 1)).await.expect_err("not ours");
        assert_eq!((refusal.code(), reason(&refusal)), (Code::Internal, "INTERNAL".into()));
        assert_eq!(redis.run::<String>(&["GET", key]).await, "mine");
    }
    rpc.publish(Publication::to("news:3", 1)).await;
    hub.process.terminate();
    hub.process.exit().await;
    let said = hub.process.output();
    assert!(said.contains("`prefix` in [broker]") && !said.contains("panicked"), "{said}");
}

#[tokio::test]
async fn an_evicted_meta_key_is_a_gap_and_a_new_epoch() {
    let redis = RedisServer::start().await;
    let [hub] = Hub::nodes(&redis).await;
    let rpc = hub.rpc().await;
    let mut follower = rpc.subscribe("news:1", None).await;
    let first = rpc.publish(Publication::to("news:1", 1)).await;
    redis.run::<u64>(&["DEL", "{fanline:news:1}:meta"]).await;
    let second = rpc.publish(Publication::to("news:1", 2)).await;
    assert_ne!(second.epoch, first.epoch);
    let mut seen = Vec::new();
    while seen.last() != Some(&format!("event {}", second.offset)) || seen.len() < 4 {
        let item = within(DEADLINE, "an item", follower.message()).await.expect("no error");
        seen.push(match item.and_then(|response| response.item).expect("the stream goes on") {
            Item::Subscribed(_) => "subscribed".to_owned(),
            Item::Event(event) => format!("event {}", event.position.expect("it has one").offset),
            Item::Gap(gap) => format!("gap {}", gap.reason),
        });
    }
    assert_eq!(seen, ["subscribed", "event 1", "gap epoch_changed", "event 1"]);
}

#[tokio::test]
async fn a_primary_that_becomes_a_replica_is_left_until_it_is_one_again() {
    let other = RedisServer::start().await;
    let redis = RedisServer::start().await;
    let [hub] = Hub::nodes(&redis).await;
    let rpc = hub.rpc().await;
    rpc.publish(Publication::to("news:1", 1)).await;
    redis.run::<String>(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]).await;
    until("/readyz says that it is a replica", async || {
        hub.is_unready().await.contains("is a replica")
    })
    .await;
    let refusal = rpc.try_publish(Publication::to("news:1", 2)).await.expect_err("a replica");
    assert_eq!(
        (refusal.code(), reason(&refusal)),
        (Code::Unavailable, "BROKER_UNAVAILABLE".into())
    );
    redis.run::<String>(&["REPLICAOF", "NO", "ONE"]).await;
    hub.is_ready().await;
    rpc.publish(Publication::to("news:1", 3)).await;
}
