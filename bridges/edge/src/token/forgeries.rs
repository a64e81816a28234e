//! Every way a token can be false, and that it is refused; and that the true one is taken.

use super::testing::{KeyPair, ec_pair, ed_pair, rsa_pair, sign, unsigned};
use super::{
    Algorithm, Identity, KeyMaterial, KeyUse, ServiceIdentity, TokenKey, TokenKeyError, TokenRules,
    TokenRulesError, TokenVerifier,
};
use crate::limits::{TOKEN_BYTES, TOKEN_KEYS_PER_ALGORITHM, TOKEN_LEEWAY};
use fanline_core::clock::{Clock, ManualClock};
use fanline_core::{Reason, Refusal};
use futures_util::FutureExt;
use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const SECRET: &[u8] = b"a secret of at least 32 bytes, for tests";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

#[test]
fn a_true_token_is_taken_with_each_kind_of_key() {
    let (p256, p384, ed) = (ec_pair(Algorithm::ES256), ec_pair(Algorithm::ES384), ed_pair());
    let private = |pair: &KeyPair| pair.private_pem.clone().into_bytes();
    let rsa = EncodingKey::from_rsa_pem(&private(rsa_pair())).unwrap();
    let table = [
        (Algorithm::HS256, secret_key(), EncodingKey::from_secret(SECRET)),
        (Algorithm::HS512, secret_key(), EncodingKey::from_secret(SECRET)),
        (Algorithm::RS256, public_key(rsa_pair()), rsa.clone()),
        (Algorithm::PS384, public_key(rsa_pair()), rsa),
        (Algorithm::ES256, public_key(&p256), EncodingKey::from_ec_pem(&private(&p256)).unwrap()),
        (Algorithm::ES384, public_key(&p384), EncodingKey::from_ec_pem(&private(&p384)).unwrap()),
        (Algorithm::EdDSA, public_key(&ed), EncodingKey::from_ed_pem(&private(&ed)).unwrap()),
    ];
    for (algorithm, material, signing) in table {
        let desk = Desk::with_keys([client_key(None, algorithm, material)]);
        let header = format!(r#"{{"alg":"{algorithm:?}"}}"#);
        let token = sign(&header, &desk.claims(3600, ""), &signing, algorithm);
        let identity = desk.verify(&token).unwrap();
        assert_eq!(identity.user.unwrap().as_str(), "ada");
        assert_eq!(identity.expires_at.millis(), desk.clock.wall().millis() + 3_600_000);
    }
}

#[test]
fn a_public_key_cannot_be_used_as_a_secret() {
    let desk = Desk::with_keys([client_key(None, Algorithm::RS256, public_key(rsa_pair()))]);
    let confused = EncodingKey::from_secret(rsa_pair().public_pem.as_bytes());
    for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#] {
        desk.refuses(&sign(header, &desk.claims(60, ""), &confused, Algorithm::HS256));
    }
    // Nor where a secret of that algorithm is configured beside it.
    let both = Desk::with_keys([
        client_key(Some("rsa"), Algorithm::RS256, public_key(rsa_pair())),
        client_key(Some("hmac"), Algorithm::HS256, secret_key()),
    ]);
    for kid in ["rsa", "hmac"] {
        let header = format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
        both.refuses(&sign(&header, &both.claims(60, ""), &confused, Algorithm::HS256));
    }
}

#[test]
fn a_token_without_a_signature_of_the_key_is_refused() {
    let desk = Desk::new();
    let good = desk.token(&desk.claims(60, ""));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let other = EncodingKey::from_secret(b"another secret of at least 32 bytes, forged");

    desk.refuses(&format!("{message}."));
    desk.refuses(&sign(HEADER, &desk.claims(60, ""), &other, Algorithm::HS256));
    desk.refuses(&format!("{}.{signature}", unsigned(HEADER, &desk.claims(61, ""))));
    // The key has one algorithm: neither a good signature by another, nor a header that names another, will do.
    let (hs256, hs384) = (Algorithm::HS256, Algorithm::HS384);
    for (header, algorithm) in
        [(r#"{"alg":"HS384"}"#, hs384), (r#"{"alg":"HS384"}"#, hs256), (HEADER, hs384)]
    {
        desk.refuses(&sign(header, &desk.claims(60, ""), &desk.key, algorithm));
    }
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let message = unsigned(&format!(r#"{{"alg":"{alg}"}}"#), &desk.claims(60, ""));
        desk.refuses(&format!("{message}."));
        desk.refuses(&format!("{message}.{signature}"));
    }
}

#[test]
fn a_header_that_asks_for_anything_special_is_refused() {
    let desk = Desk::new();
    for header in [
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"HS256","typ":"logout+jwt"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"typ":"JWT"}"#,
        r#"["HS256"]"#,
        "",
    ] {
        desk.refuses(&sign(header, &desk.claims(60, ""), &desk.key, Algorithm::HS256));
    }
    for typ in ["jwt", "at+JWT", "application/at+jwt"] {
        let header =
            format!(r#"{{"alg":"HS256","typ":"{typ}","jku":"https://evil.example","jwk":{{}}}}"#);
        desk.verify(&sign(&header, &desk.claims(60, ""), &desk.key, Algorithm::HS256)).unwrap();
    }
}

#[test]
fn a_kid_selects_among_the_configured_keys() {
    let second = b"the second secret of at least 32 bytes".to_vec();
    let desk = Desk::with_keys([
        client_key(Some("k1"), Algorithm::HS256, secret_key()),
        client_key(Some("k2"), Algorithm::HS256, KeyMaterial::Secret(second.clone())),
    ]);
    let second = EncodingKey::from_secret(&second);
    let signed = |header: &str, key| sign(header, &desk.claims(60, ""), key, Algorithm::HS256);

    desk.verify(&signed(r#"{"alg":"HS256","kid":"k2"}"#, &second)).unwrap();
    desk.verify(&signed(HEADER, &second)).unwrap();
    desk.refuses(&signed(r#"{"alg":"HS256","kid":"k1"}"#, &second));
    desk.refuses(&signed(r#"{"alg":"HS256","kid":"../k2"}"#, &second));
}

#[test]
fn a_key_for_services_verifies_no_client() {
    let service =
        TokenKey { usage: KeyUse::Service, ..client_key(None, Algorithm::HS256, secret_key()) };
    let desk = Desk::with_keys([service]);
    desk.refuses(&desk.token(&desk.claims(60, "")));
}

#[test]
fn a_token_is_a_services_by_the_use_of_its_key_alone() {
    let service = b"the secret of services, 32 bytes at least".to_vec();
    let desk = Desk::with_keys([
        client_key(Some("c"), Algorithm::HS256, secret_key()),
        TokenKey {
            usage: KeyUse::Service,
            ..client_key(Some("s"), Algorithm::HS256, KeyMaterial::Secret(service.clone()))
        },
    ]);
    let service = EncodingKey::from_secret(&service);
    let claims = |seconds| desk.claims(seconds, r#","scopes":["publish"],"channels":["a:*"]"#);
    let token = |claims: &str| sign(HEADER, claims, &service, Algorithm::HS256);
    let verified = desk.verify_service(&token(&claims(60))).unwrap();
    assert_eq!(verified.scopes, ["publish"]);
    assert_eq!(verified.channels.len(), 1);
    desk.refuses(&token(&desk.claims(60, "")));

    let reason = |token: &str| desk.verify_service(token).unwrap_err().reason();
    let stranger = EncodingKey::from_secret(b"a guess of at least thirty-two bytes");
    let table = [
        (desk.token(&claims(60)), Reason::PermissionDenied),
        (sign(HEADER, &claims(60), &stranger, Algorithm::HS256), Reason::Unauthenticated),
        (token(r#"{"scopes":["publish"],"channels":["*"]}"#), Reason::Unauthenticated),
        (token(&desk.claims(60, r#","channels":{"publish":["*"]}"#)), Reason::Unauthenticated),
        (unsigned(r#"{"alg":"none"}"#, &claims(60)) + ".", Reason::Unauthenticated),
    ];
    for (token, expected) in table {
        assert_eq!(reason(&token), expected, "{token}");
    }
    desk.clock.advance(Duration::from_secs(60 + 5));
    let expired = reason(&token(&format!(r#"{{"exp":{}}}"#, desk.clock.wall().seconds() - 5)));
    assert_eq!(expired, Reason::TokenExpired);
}

#[test]
fn a_token_ends_at_exp_and_the_leeway() {
    let desk = Desk::new();
    let token = desk.token(&desk.claims(60, ""));
    desk.clock.advance(Duration::from_millis(64_999));
    desk.verify(&token).unwrap();
    desk.clock.advance(Duration::from_millis(1));
    assert_eq!(desk.verify(&token).unwrap_err().reason(), Reason::TokenExpired);
}

#[test]
fn a_token_without_end_or_with_one_too_far_ahead_is_refused() {
    let desk = Desk::new();
    desk.refuses(&desk.token(r#"{"sub":"ada"}"#));
    let day = 24 * 3600;
    desk.verify(&desk.token(&desk.claims(day + 5, ""))).unwrap();
    desk.refuses(&desk.token(&desk.claims(day + 6, "")));
    desk.refuses(&desk.token(r#"{"sub":"ada","exp":253402300799}"#));
}

#[test]
fn a_token_from_the_future_is_refused_until_its_time() {
    let desk = Desk::new();
    let now = desk.clock.wall().seconds();
    desk.verify(&desk.token(&desk.claims(60, &format!(r#","nbf":{}"#, now + 5)))).unwrap();
    let early = desk.token(&desk.claims(60, &format!(r#","nbf":{}"#, now + 6)));
    desk.refuses(&early);
    desk.clock.advance(Duration::from_secs(1));
    desk.verify(&early).unwrap();
    desk.refuses(&desk.token(&desk.claims(60, &format!(r#","nbf":"{now}""#))));
}

#[test]
fn issuer_and_audience_are_required_once_configured() {
    let desk = Desk::with_rules(TokenRules {
        issuer: Some("https://issuer.example".into()),
        audience: Some("fanline".into()),
        keys: vec![client_key(None, Algorithm::HS256, secret_key())],
        ..TokenRules::default()
    });
    let claims = |more: &str| desk.token(&desk.claims(60, more));
    for good in [
        r#","iss":"https://issuer.example","aud":"fanline""#,
        r#","iss":"https://issuer.example","aud":["other","fanline"]"#,
    ] {
        desk.verify(&claims(good)).unwrap();
    }
    for bad in [
        "",
        r#","iss":"https://issuer.example""#,
        r#","aud":"fanline""#,
        r#","iss":"https://issuer.example/","aud":"fanline""#,
        r#","iss":"https://issuer.example","aud":"Fanline""#,
        r#","iss":"https://issuer.example","aud":[]"#,
        r#","iss":["https://issuer.example"],"aud":"fanline""#,
    ] {
        desk.refuses(&claims(bad));
    }
}

#[test]
fn a_token_for_somebody_else_is_refused_where_no_audience_is_configured() {
    let desk = Desk::new();
    desk.refuses(&desk.token(&desk.claims(60, r#","aud":"payments""#)));
}

#[test]
fn what_is_not_a_token_is_refused() {
    let desk = Desk::new();
    let good = desk.token(&desk.claims(60, ""));
    for text in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        &format!("{good}.x"),
        &format!("{good}="),
        "ä.ö.ü",
    ] {
        desk.refuses(text);
    }
    let padding = TOKEN_BYTES - good.len();
    let long = desk.token(&desk.claims(60, &format!(r#","pad":"{}""#, "a".repeat(padding))));
    assert!(long.len() > TOKEN_BYTES);
    desk.refuses(&long);
}

#[test]
fn a_rule_that_no_token_could_be_verified_by_is_named() {
    let build = |rules: TokenRules| TokenVerifier::new(rules, Arc::new(ManualClock::default()));
    let lax =
        TokenRules { leeway: TOKEN_LEEWAY + Duration::from_millis(1), ..TokenRules::default() };
    assert!(matches!(build(lax), Err(TokenRulesError::Leeway(_))));

    let good = client_key(None, Algorithm::HS256, secret_key());
    let short = client_key(None, Algorithm::HS256, KeyMaterial::Secret(vec![0; 8]));
    let second_is_short = TokenRules { keys: vec![good.clone(), short], ..TokenRules::default() };
    let fault = build(second_is_short).unwrap_err();
    assert!(matches!(
        fault,
        TokenRulesError::Key { index: 1, source: TokenKeyError::ShortSecret(8) }
    ));

    let many =
        TokenRules { keys: vec![good; TOKEN_KEYS_PER_ALGORITHM + 1], ..TokenRules::default() };
    assert!(matches!(build(many), Err(TokenRulesError::TooManyKeys(Algorithm::HS256))));
}

proptest! {
    #[test]
    fn one_changed_character_makes_any_token_false(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
        let desk = Desk::new();
        let good = desk.token(&desk.claims(60, ""));
        let at = at.index(good.len());
        let forged = format!("{}{with}{}", &good[..at], &good[at + 1..]);
        prop_assume!(forged != good);
        prop_assert!(desk.verify(&forged).is_err());
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,64}") {
        prop_assert!(Desk::new().verify(&text).is_err());
    }
}

/// A verifier with its clock, and the key that its tokens are signed with.
struct Desk {
    verifier: TokenVerifier,
    clock: ManualClock,
    key: EncodingKey,
}

impl Desk {
    fn new() -> Self {
        Desk::with_keys([client_key(None, Algorithm::HS256, secret_key())])
    }

    fn with_keys(keys: impl IntoIterator<Item = TokenKey>) -> Self {
        Desk::with_rules(TokenRules { keys: keys.into_iter().collect(), ..TokenRules::default() })
    }

    fn with_rules(rules: TokenRules) -> Self {
        let clock = ManualClock::default();
        let verifier = TokenVerifier::new(rules, Arc::new(clock.clone())).unwrap();
        Desk { verifier, clock, key: EncodingKey::from_secret(SECRET) }
    }

    /// Nothing is fetched here, so that no verdict has to be waited for.
    fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        self.verifier.verify(token).now_or_never().expect("there is nothing to wait for")
    }

    fn verify_service(&self, token: &str) -> Result<ServiceIdentity, Refusal> {
        self.verifier.verify_service(token).now_or_never().expect("there is nothing to wait for")
    }

    /// Claims of Ada that end in so many seconds; `more` starts with a comma.
    fn claims(&self, seconds: u64, more: &str) -> String {
        format!(r#"{{"sub":"ada","exp":{}{more}}}"#, self.clock.wall().seconds() + seconds)
    }

    fn token(&self, claims: &str) -> String {
        sign(HEADER, claims, &self.key, Algorithm::HS256)
    }

    #[track_caller]
    fn refuses(&self, token: &str) {
        let refusal = self.verify(token).unwrap_err();
        assert_eq!(refusal.reason(), Reason::Unauthenticated, "{refusal}");
        let longest_part = token.split('.').max_by_key(|part| part.len()).unwrap_or_default();
        assert!(longest_part.len() < 8 || !refusal.message().contains(longest_part), "{refusal}");
    }
}

fn client_key(kid: Option<&str>, algorithm: Algorithm, material: KeyMaterial) -> TokenKey {
    TokenKey { kid: kid.map(str::to_owned), algorithm, material, usage: KeyUse::Client }
}

fn secret_key() -> KeyMaterial {
    KeyMaterial::Secret(SECRET.to_vec())
}

fn public_key(pair: &KeyPair) -> KeyMaterial {
    KeyMaterial::PublicKeyPem(pair.public_pem.clone().into_bytes())
}
