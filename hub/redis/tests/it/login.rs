//! TLS, and a user who may do no more than the hub needs.

use crate::harness::{Node, RedisServer, TestHub, free_port, until};
use bytes::Bytes;
use fanline_core::broker::{Broker, Revocation, Subject};
use fanline_core::clock::{Clock, SystemClock, Timestamp};
use fanline_core::ids::UserId;
use fanline_redis::RedisSettings;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::time::Duration;

/// The rights that `docs/redis.md` gives to the hub, without a cluster.
const RIGHTS: &str = "resetkeys resetchannels -@all ~{fanline:* &{fanline:* +hello +auth +select +info +script|load +evalsha +publish +subscribe +unsubscribe +scan +time +get +set +del +exists +pttl +pexpire +hget +hset +hmget +hdel +hexists +hgetall +hincrby +hsetnx +pexpireat +zadd +zcard +zrangebyscore +zrem +zrevrange +zscore +xadd +xlen +xrange +xrevrange +xtrim";

#[tokio::test]
async fn a_user_with_only_the_rights_that_are_documented_is_enough() {
    let server = RedisServer::start().await;
    let mut user = vec!["ACL", "SETUSER", "hub", "on", ">secret"];
    user.extend(RIGHTS.split(' '));
    server.run::<String>(&user).await;
    let url = format!("redis://hub:secret@127.0.0.1:{}/0", server.port);
    let hub = TestHub::start(RedisSettings::standalone(url)).await;
    let member = hub.observe("room:1").await;
    let (published, _) = hub.publish_surely("room:1", 1).await;
    member.reaches(published.position).await;
    hub.enter("room:1", "ada").await;
    member.presence(1).await;
    assert_eq!(hub.channels().await, ["room:1"]);
    let (nodes, notes) = (hub.broker.nodes(), hub.broker.notes());
    let ada = UserId::new("ada").expect("a name");
    nodes.attach(&ada);
    until("the user is found", async || nodes.of(&ada).await == Ok(vec![nodes.id()])).await;
    until("the node hears", async || nodes.tell(nodes.id(), Bytes::new()).await == Ok(true)).await;
    notes.keep("k", Bytes::new(), Duration::from_secs(30)).await.expect("kept");
    notes.take("k").await.expect("taken");
    let until = Timestamp::from_millis(SystemClock::start().wall().millis() + 60_000);
    let revocation = Revocation { subject: Subject::User(ada), issued_before: None, until };
    notes.revoke(revocation).await.expect("revoked");
    notes.revocations(None).await.expect("a page");
    let denied: Vec<redis::Value> = server.run(&["ACL", "LOG"]).await;
    assert_eq!(denied, [], "nothing else was tried");
}

#[tokio::test]
async fn a_server_behind_tls_is_believed_only_with_its_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = vec!["127.0.0.1".to_owned()];
    let signed = CertificateParams::new(names).expect("a name").signed_by(&key, &authority);
    let files = [
        ("ca.pem", authority.pem()),
        ("cert.pem", signed.expect("signed").pem()),
        ("key.pem", key.serialize_pem()),
    ];
    let files = files.map(|(name, text)| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    });
    let port = free_port().to_string();
    let [ca, cert, key] = &files;
    let log = ["--logfile", "log", "--loglevel", "verbose"];
    let settings = ["--tls-port", &port, "--tls-auth-clients", "no"];
    let files = ["--tls-ca-cert-file", ca, "--tls-cert-file", cert, "--tls-key-file", key];
    let server = RedisServer::with(&[&log[..], &settings, &files].concat()).await;
    let url = format!("rediss://127.0.0.1:{port}/0");

    let unknown = Node::unready(RedisSettings::standalone(url.clone()));
    until("it refused the certificate", async || server.log().contains("unknown ca")).await;
    let trusted =
        RedisSettings { ca: Some(authority.pem().into_bytes()), ..RedisSettings::standalone(url) };
    let hub = TestHub::start(trusted).await;
    let member = hub.observe("a:1").await;
    let (published, _) = hub.publish_surely("a:1", 1).await;
    member.reaches(published.position).await;
    assert!(unknown.broker.readiness().complaint().is_some());
}
