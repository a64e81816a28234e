//! The head of a request, before there is a connection: nobody gets in who was not given a token.

use fanline_core::Limits;
use fanline_core::clock::SystemClock;
use fanline_edge::token::{Algorithm, KeyMaterial, KeyUse, TokenKey, TokenRules};
use fanline_edge::{
    CredentialPlace, CredentialSources, OriginPolicy, Query, RequestOrigin, Subprotocols,
    TokenVerifier, TrustedProxies,
};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

const ALLOWED: &str = "https://app.example";
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let key = TokenKey {
        kid: None,
        algorithm: Algorithm::HS256,
        material: KeyMaterial::Secret(b"not to be guessed within a minute".to_vec()),
        usage: KeyUse::Client,
    };
    let rules = TokenRules { keys: vec![key], ..TokenRules::default() };
    TokenVerifier::new(rules, Arc::new(SystemClock::start())).expect("good rules")
});

/// The first line is the target of the request, each further one a header.
pub(crate) fn run(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let target = lines.next().unwrap_or_default();
    let Ok(uri) = Uri::try_from(target) else { return };
    let headers: HeaderMap = lines.filter_map(header).collect();

    let query = Query::of(&uri);
    if let Ok(channels) = query.channels(&Limits::default()) {
        assert!(channels.len() <= Limits::default().channels_per_request);
    }
    let _ = (query.one("since"), query.number("max"), query.flag("named"), query.has("x"));

    let policy = OriginPolicy::new([ALLOWED]).expect("an origin");
    let origin = policy.origin(&headers);
    if matches!(origin, RequestOrigin::Allowed) {
        let said = headers.get(http::header::ORIGIN).expect("an origin is allowed that was said");
        assert!(said.as_bytes().eq_ignore_ascii_case(ALLOWED.as_bytes()), "{said:?}");
    }

    let near = TrustedProxies::default().client(PEER, &headers);
    assert_eq!(near.key(), TrustedProxies::default().client(PEER, &HeaderMap::new()).key());
    let loopback = "127.0.0.0/8".parse().expect("a network");
    let _ = TrustedProxies::new(vec![loopback]).client(PEER, &headers).key();

    let Ok(subprotocols) = Subprotocols::offered(&headers) else { return };
    let sources = CredentialSources {
        headers: &headers,
        uri: &uri,
        subprotocols: &subprotocols,
        origin,
        query_token: false,
    };
    if let Ok(Some(credential)) = sources.find() {
        let place = credential.place();
        assert_ne!(place, CredentialPlace::Query, "tokens in the query are switched off");
        if place == CredentialPlace::Cookie {
            assert!(matches!(origin, RequestOrigin::Allowed), "any page sends cookies along");
        }
        // There is nobody to fetch keys from, so that neither waits.
        let client = VERIFIER.verify(credential.text()).now_or_never();
        assert!(matches!(client, Some(Err(_))), "nobody has the key");
        let service = VERIFIER.verify_service(credential.text()).now_or_never();
        assert!(matches!(service, Some(Err(_))), "nobody has the key");
    }
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
    Some((name, value))
}
