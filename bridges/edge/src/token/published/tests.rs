//! Published keys beside configured ones: which counts, when a token has them fetched, and what it waits for.

use super::*;
use crate::token::testing::{KeyPair, ec_pair, ed_pair, named, sign};
use crate::token::{Identity, KeyMaterial, TokenKey, TokenRules, TokenVerifier};
use fanline_core::Reason;
use fanline_core::clock::ManualClock;
use futures_util::FutureExt;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

/// A verifier with published keys, and the clock that it goes by.
struct Desk {
    keys: PublishedKeys,
    verifier: TokenVerifier,
    clock: ManualClock,
}

impl Desk {
    fn start() -> Self {
        Desk::with_keys(Vec::new())
    }

    fn with_keys(configured: Vec<TokenKey>) -> Self {
        let clock = ManualClock::default();
        let keys = PublishedKeys::none(Arc::new(clock.clone()), KeySetMetrics::default());
        keys.expect(Some(for_clients(&[Algorithm::ES256, Algorithm::EdDSA])), false);
        let rules = TokenRules { keys: configured, ..TokenRules::default() };
        let verifier = TokenVerifier::new(rules, Arc::new(clock.clone())).unwrap();
        Desk { verifier: verifier.with_published_keys(keys.clone()), keys, clock }
    }

    fn publish(&self, keys: &[Value]) -> Fetched {
        self.keys.fetch().bring(document(keys).as_bytes()).unwrap()
    }

    fn token(&self, header: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
        let expires = self.clock.wall().seconds() + 600;
        sign(header, &format!(r#"{{"sub":"ada","exp":{expires}}}"#), key, algorithm)
    }

    /// A token of an Ed25519 key under this name.
    fn ed_token(&self, kid: &str, pair: &KeyPair) -> String {
        let key = EncodingKey::from_ed_pem(pair.private_pem.as_bytes()).unwrap();
        self.token(&format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#), &key, Algorithm::EdDSA)
    }

    /// The verdict on a token that nothing is fetched for.
    #[track_caller]
    fn verdict(&self, token: &str) -> Result<Identity, Refusal> {
        self.verifier.verify(token).now_or_never().expect("it does not wait")
    }
}

fn for_clients(algorithms: &[Algorithm]) -> KeySetPolicy {
    KeySetPolicy { algorithms: algorithms.to_vec(), usage: KeyUse::Client }
}

fn document(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_published_key_is_taken_until_the_key_has_left_the_set() {
    let desk = Desk::start();
    let (old, new) = (ed_pair(), ed_pair());
    desk.publish(&[named(&old.jwk, "old")]);
    let generation = desk.verifier.generation();
    assert_eq!(desk.verdict(&desk.ed_token("old", &old)).unwrap().user.unwrap().as_str(), "ada");
    // As often as it is fetched: whoever remembers a token need not look at it again.
    assert!(!desk.publish(&[named(&old.jwk, "old")]).is_new);
    assert_eq!(desk.verifier.generation(), generation);

    assert!(desk.publish(&[named(&new.jwk, "new")]).is_new);
    assert_ne!(desk.verifier.generation(), generation);
    desk.verdict(&desk.ed_token("new", &new)).unwrap();
    // Its `kid` asks for a fetch, which nobody carries out here.
    assert!(desk.verifier.verify(&desk.ed_token("old", &old)).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_published_key_has_the_algorithms_of_the_configuration_and_no_other() {
    let desk = Desk::start();
    let (p256, p384) = (ec_pair(Algorithm::ES256), ec_pair(Algorithm::ES384));
    desk.publish(&[named(&p256.jwk, "p256"), named(&p384.jwk, "p384")]);
    assert_eq!(desk.keys.len(), 1);
    let key = |pair: &KeyPair| EncodingKey::from_ec_pem(pair.private_pem.as_bytes()).unwrap();
    let es256 = desk.token(r#"{"alg":"ES256","kid":"p256"}"#, &key(&p256), Algorithm::ES256);
    desk.verdict(&es256).unwrap();
    let secret = EncodingKey::from_secret(p256.public_pem.as_bytes());
    let by_secret = |header: &str| desk.token(header, &secret, Algorithm::HS256);
    for forged in [
        desk.token(r#"{"alg":"ES384","kid":"p384"}"#, &key(&p384), Algorithm::ES384),
        by_secret(r#"{"alg":"HS256","kid":"p256"}"#),
        by_secret(r#"{"alg":"ES256","kid":"p256"}"#),
        desk.ed_token("p256", &ed_pair()),
    ] {
        assert_eq!(desk.verdict(&forged).unwrap_err().reason(), Reason::Unauthenticated);
    }
}

#[test]
fn a_kid_of_the_configuration_is_never_looked_for_among_published_keys() {
    let (ours, theirs) = (ed_pair(), ed_pair());
    let configured = |usage| TokenKey {
        kid: Some("k".into()),
        algorithm: Algorithm::EdDSA,
        material: KeyMaterial::PublicKeyPem(ours.public_pem.clone().into_bytes()),
        usage,
    };
    for usage in [KeyUse::Client, KeyUse::Service] {
        let desk = Desk::with_keys(vec![configured(usage)]);
        desk.publish(&[named(&theirs.jwk, "k"), named(&theirs.jwk, "other")]);
        let forged = desk.verdict(&desk.ed_token("k", &theirs));
        assert_eq!(forged.unwrap_err().reason(), Reason::Unauthenticated, "{usage:?}");
        desk.verdict(&desk.ed_token("other", &theirs)).unwrap();
        assert_eq!(desk.verdict(&desk.ed_token("k", &ours)).is_ok(), usage == KeyUse::Client);
    }
}

#[test]
fn keys_for_services_verify_no_client_and_the_other_way_round() {
    let desk = Desk::start();
    let pair = ed_pair();
    desk.publish(&[named(&pair.jwk, "k")]);
    let token = desk.ed_token("k", &pair);
    let on_grpc = |desk: &Desk| desk.verifier.verify_service(&token).now_or_never().unwrap();
    assert_eq!(on_grpc(&desk).unwrap_err().reason(), Reason::PermissionDenied);

    let for_services = KeySetPolicy { usage: KeyUse::Service, ..for_clients(&[Algorithm::EdDSA]) };
    desk.keys.expect(Some(for_services), true);
    assert_eq!(on_grpc(&desk).unwrap().name.as_deref(), Some("ada"));
    assert_eq!(desk.verdict(&token).unwrap_err().reason(), Reason::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn tokens_with_an_unknown_kid_wait_for_one_fetch_together() {
    let desk = Desk::start();
    let (old, new) = (ed_pair(), ed_pair());
    desk.publish(&[named(&old.jwk, "old")]);
    let token = desk.ed_token("new", &new);
    let fetcher = async {
        desk.keys.asked_for().await;
        desk.keys.fetch().bring(document(&[named(&new.jwk, "new")]).as_bytes()).unwrap();
    };
    let (first, second, ()) =
        tokio::join!(desk.verifier.verify(&token), desk.verifier.verify(&token), fetcher);
    assert!(first.is_ok() && second.is_ok());
    // The next one is told at once, until the time for another fetch has come. One that names no key never waits.
    let unknown = desk.ed_token("newer", &ed_pair());
    assert_eq!(desk.verdict(&unknown).unwrap_err().reason(), Reason::Unauthenticated);
    desk.clock.advance(KEY_SET_EARLY_INTERVAL);
    desk.publish(&[named(&old.jwk, "old"), named(&new.jwk, "new")]);
    let key = EncodingKey::from_ed_pem(new.private_pem.as_bytes()).unwrap();
    let nameless = desk.token(r#"{"alg":"EdDSA"}"#, &key, Algorithm::EdDSA);
    assert_eq!(desk.verdict(&nameless).unwrap_err().reason(), Reason::Unauthenticated);
    assert!(desk.verifier.verify(&unknown).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_token_waits_for_a_fetch_only_so_long_and_a_failed_one_changes_nothing() {
    let desk = Desk::start();
    let pair = ed_pair();
    desk.publish(&[named(&pair.jwk, "k")]);
    let unknown = desk.ed_token("unknown", &ed_pair());
    let begun = tokio::time::Instant::now();
    let fetch = desk.keys.fetch();
    assert!(desk.verifier.verify(&unknown).await.is_err());
    assert_eq!(begun.elapsed(), KEY_SET_WAIT);
    assert_eq!(fetch.bring(b"<html>"), Err(KeySetError::NotAKeySet));
    desk.keys.fetch().fail();
    drop(desk.keys.fetch());
    desk.verdict(&desk.ed_token("k", &pair)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn until_the_first_keys_are_here_a_token_of_theirs_is_told_to_come_back() {
    let desk = Desk::start();
    let token = desk.ed_token("k", &ed_pair());
    assert!(desk.keys.are_missing());
    assert!(desk.verifier.verify(&token).now_or_never().is_none(), "it asks for a fetch");
    desk.keys.fetch().fail();
    let refusal = desk.verdict(&token).unwrap_err();
    assert_eq!(refusal.reason(), Reason::Unauthenticated);
    assert!(refusal.retry_after().is_some() && refusal.message().contains("fetched"), "{refusal}");
}

#[test]
fn keys_from_another_source_replace_those_of_before_at_once() {
    let desk = Desk::start();
    let pair = ed_pair();
    desk.publish(&[named(&pair.jwk, "k")]);
    let token = desk.ed_token("k", &pair);
    let late = desk.keys.fetch();
    desk.keys.expect(Some(for_clients(&[Algorithm::EdDSA])), false);
    assert!(desk.keys.are_missing());
    // What was under way was asked of the source of before.
    let _none_of_it_counts = late.bring(document(&[named(&pair.jwk, "k")]).as_bytes());
    assert!(desk.keys.are_missing());
    desk.keys.expect(None, false);
    assert!(!desk.keys.are_missing());
    assert_eq!(desk.verdict(&token).unwrap_err().reason(), Reason::Unauthenticated);
}
